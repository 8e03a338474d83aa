/* The agents of a seed: how many slots, how fast, which kernels, how honest. Called once at the
 * start; policy.c makes its own. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>

enum { COPIES = 2 }; /* processes that may come up with the key of another */

static void draw(struct world *w, struct process *p)
{
    struct rng *r = &w->agent_rng;
    p->slots = (uint32_t)rng_between(r, 1, 4);
    p->speed = (uint64_t)rng_between(r, 1000, 10000);
    p->link = (uint64_t)rng_between(r, 5000, 100000);
    p->kinds = p->index < 3 ? 7 : (uint64_t)rng_between(r, 1, 7);
    p->skew_permille = world_has(w, FAULT_skew) ? (uint32_t)rng_between(r, 0, 500) : 250;
    p->fail_permille =
        world_has(w, FAULT_flaky) && rng_chance(r, 300) ? (uint32_t)rng_between(r, 50, 400) : 0;
    p->liar = world_has(w, FAULT_lie) && rng_chance(r, 400);
    p->browser = world_has(w, FAULT_browsers) && p->index >= WORLD_NATIVES && rng_chance(r, 700);
    p->owner = p->browser ? (uint32_t)rng_between(r, 0, WORLD_OWNERS) : 0;
    p->engine = p->browser ? (uint32_t)rng_between(r, 1, WORLD_ENGINES) : 0;
    /* the first three are never put in quarantine: jobs must be able to end */
    p->cheat = p->browser && p->index >= 3 && world_has(w, FAULT_cheat) && rng_chance(r, 500);
    p->broken = !p->browser && p->index >= 3 && world_has(w, FAULT_broken) && rng_chance(r, 300);
}

/* In some worlds browsers are alone for a while and have only each other. */
static int64_t start_ms(struct world *w, const struct process *p, bool alone)
{
    return rng_between(&w->agent_rng, 0, 3000) + (alone && !p->browser ? 120000 : 0);
}

void agents_init(struct world *w)
{
    w->n_processes = w->options.agents + COPIES;
    w->processes = sw_alloc(w->n_processes, sizeof *w->processes);
    w->cut_until_ms = sw_alloc(w->n_processes, sizeof *w->cut_until_ms);
    w->last_arrival_ms = sw_alloc(w->n_processes, sizeof *w->last_arrival_ms);
    w->quarantined = sw_alloc(w->options.agents, sizeof *w->quarantined);
    w->draining = sw_alloc(w->options.agents, sizeof *w->draining);
    w->shell.links = sw_alloc(w->options.agents, sizeof *w->shell.links);
    bool alone = world_has(w, FAULT_browsers) && rng_chance(&w->agent_rng, 400);
    for (uint32_t i = 0; i < w->n_processes; i++) {
        struct process *p = &w->processes[i];
        p->index = p->key = i;
        p->copy = i >= w->options.agents;
        p->skew_permille = 250;
        p->connection = (uint64_t)i << 32;
        if (w->laboratory)
            continue;
        draw(w, p);
        if (!p->copy)
            world_later(w, start_ms(w, p, alone), ENTRY_PROCESS, i, TIMER_START, 0);
    }
}

void agents_done(struct world *w)
{
    for (uint32_t i = 0; i < w->n_processes; i++)
        free(w->processes[i].held);
    free(w->processes);
    free(w->cut_until_ms);
    free(w->last_arrival_ms);
    free(w->quarantined);
    free(w->draining);
}
