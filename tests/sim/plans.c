/* What the clients are going to send: jobs, ADDs, chunks with their sizes and what is wrong with
 * them, all from the seed, and the serial reference: the result each chunk must have. Called once
 * at the start. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>

uint64_t world_content(uint64_t nonce, const struct add *add, uint32_t index)
{
    return rng_mix(rng_mix(nonce, add->key), index);
}

uint64_t world_result(uint64_t content)
{
    return rng_mix(content, UINT64_C(0x7e57));
}

/* Engines differ in their bytes, within what verify accepts. */
bool world_is_right(uint64_t content, uint64_t result)
{
    return result - world_result(content) <= WORLD_ENGINES;
}

static uint8_t trait(struct world *w)
{
    struct rng *r = &w->client_rng;
    bool three = w->options.agents >= 3; /* a poison chunk ends after killing three machines */
    if (world_has(w, FAULT_bad_files) && rng_chance(r, 60))
        return TRAIT_BAD_FILE;
    if (world_has(w, FAULT_hopeless) && rng_chance(r, 30))
        return TRAIT_HOPELESS;
    if (world_has(w, FAULT_poison) && three && rng_chance(r, 15))
        return TRAIT_POISON;
    return TRAIT_GOOD;
}

static void plan_add(struct world *w, struct add *add)
{
    struct rng *r = &w->client_rng;
    add->key = rng_next(r);
    add->n_chunks = rng_chance(r, 30) ? 0 : (uint32_t)rng_between(r, 1, w->options.chunks);
    add->sizes = sw_alloc(add->n_chunks, sizeof *add->sizes);
    add->traits = sw_alloc(add->n_chunks, sizeof *add->traits);
    for (uint32_t i = 0; i < add->n_chunks; i++) {
        uint64_t top = UINT64_C(1) << rng_between(r, 6, 23);
        add->sizes[i] = top / 2 + rng_below(r, top);
        add->traits[i] = trait(w);
    }
    add->files = add->n_chunks + rng_below(r, 5);
    add->failed_files = rng_chance(r, 30) ? 1 : 0;
}

static void plan(struct world *w, struct client *c)
{
    struct rng *r = &w->client_rng;
    c->kind = (uint32_t)rng_below(r, 3);
    c->priority = rng_chance(r, 200) ? (int32_t)rng_between(r, -1, 1) : 0;
    c->has_key = !rng_chance(r, 200);
    for (int i = 0; i < 16; i++)
        c->key[i] = (uint8_t)rng_next(r);
    c->body_hash = rng_next(r);
    c->nonce = rng_next(r);
    c->n_adds = (uint32_t)rng_between(r, 1, 4);
    c->adds = sw_alloc(c->n_adds, sizeof *c->adds);
    for (uint32_t i = 0; i < c->n_adds; i++)
        plan_add(w, &c->adds[i]);
    c->in_submit = rng_chance(r, 500);
    c->seal_in_submit = c->in_submit && c->n_adds == 1;
    c->verify_all =
        world_has(w, FAULT_browsers) && w->options.agents >= WORLD_NATIVES && rng_chance(r, 150);
    c->abandon = world_has(w, FAULT_abandon) && !c->seal_in_submit && rng_chance(r, 100);
}

void clients_init(struct world *w)
{
    w->n_clients = w->options.jobs;
    w->clients = sw_alloc(w->n_clients, sizeof *w->clients);
    int64_t spread = w->laboratory ? 0 : (int64_t)w->n_clients * 1500;
    for (uint32_t i = 0; i < w->n_clients; i++) {
        struct client *c = &w->clients[i];
        c->index = i;
        if (!w->laboratory)
            plan(w, c);
        world_later(w, (w->laboratory ? 3000 : 0) + rng_between(&w->client_rng, 0, spread),
                    ENTRY_CLIENT, i, 0, ++c->generation);
    }
}

void clients_done(struct world *w)
{
    for (uint32_t i = 0; i < w->n_clients; i++) {
        struct client *c = &w->clients[i];
        for (uint32_t k = 0; k < c->n_adds; k++) {
            free(c->adds[k].sizes);
            free(c->adds[k].traits);
        }
        free(c->adds);
    }
    free(w->clients);
}
