/* Requests of clients turned into events: the look-up of idempotency keys before SUBMIT, SUBMIT
 * with its first ADD and SEAL, RETRY of a job that has left memory. Called by world.c when a
 * request arrives; feeds by control.c. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
wait_for(struct world *w, uint32_t client, enum core_event_type what, uint32_t number)
{
    struct shell *s = &w->shell;
    sw_grow(&s->waiters, &s->waiters_room, s->n_waiters + 1, sizeof *s->waiters);
    s->waiters[s->n_waiters++] = (struct waiter){++s->ref, client, what, number};
    return s->ref;
}

static void feed_add(struct world *w, struct core_event *event, const struct client *c, uint32_t i)
{
    const struct add *add = &c->adds[i];
    uint64_t *sizes = sw_alloc(add->n_chunks, sizeof *sizes); /* borrowed: gone after the actions */
    uint32_t *payload = sw_alloc(1, sizeof *payload);
    for (uint32_t k = 0; k < add->n_chunks; k++)
        sizes[k] = add->sizes[k];
    *payload = i;
    event->type = EV_ADD;
    event->payload = payload;
    event->of.add.key = add->key;
    event->of.add.sizes = sizes;
    event->of.add.n_chunks = add->n_chunks;
    event->of.add.files = add->files;
    event->of.add.failed_files = add->failed_files;
    control_feed(w, event, NULL);
    event->payload = NULL;
    free(sizes);
    free(payload);
}

/* `number` is 1 for a second body under the same key */
static void submit(struct world *w, struct client *c, uint32_t number)
{
    struct shell *s = &w->shell;
    uint32_t index = c->index;
    bool adds = c->in_submit && number == 0;
    struct core_event event = {.type = EV_SUBMIT, .payload = &index};
    uint64_t ref = event.ref = wait_for(w, c->index, EV_SUBMIT, number);
    event.of.submit.kind = c->kind;
    event.of.submit.priority = c->priority;
    event.of.submit.has_key = c->has_key;
    memcpy(event.of.submit.key, c->key, sizeof c->key);
    event.of.submit.body_hash = c->body_hash + number;
    event.of.submit.more = adds;
    event.of.submit.verify_all = c->verify_all;
    s->replied_ref = s->saved_job = 0;
    control_feed(w, &event, NULL);
    if (!adds || s->replied_ref == ref || !s->saved_job)
        return; /* there already, or refused: the client goes on from the reply */
    struct core_event add = {.ref = ref, .job = s->saved_job};
    add.of.add.more = c->seal_in_submit;
    feed_add(w, &add, c, 0);
    if (!c->seal_in_submit || s->replied_ref == ref)
        return;
    struct core_event seal = {.type = EV_SEAL, .ref = ref, .job = add.job};
    control_feed(w, &seal, NULL);
}

void control_lookup(struct world *w, const struct entry *e)
{
    if (!w->core || e->generation != w->shell.generation)
        return;
    struct client *c = &w->clients[e->who];
    const struct stored_key *found = e->owned;
    if (found->job == 0) {
        submit(w, c, e->what);
        return;
    }
    bool same = found->body_hash == c->body_hash + e->what;
    clients_reply(
        w, e->who,
        &(struct reply){EV_SUBMIT, e->what, same ? CORE_EXISTS : CORE_CONFLICT_KEY, found->job});
}

/* `history` is asked first: jobs that ended are not in the core. Its answer is of the moment it was
 * asked. */
static void look_up(struct world *w, const struct client *c, uint32_t number)
{
    struct stored_key *found = sw_alloc(1, sizeof *found);
    found->job = store_find_key(w, c->key, &found->body_hash);
    int64_t late = world_has(w, FAULT_store_slow) ? 3000 : 3;
    heap_push(&w->heap, (struct entry){.at_ms = w->now_ms + rng_between(&w->store_rng, 0, late),
                                       .kind = ENTRY_LOOKUP,
                                       .who = c->index,
                                       .what = number,
                                       .generation = w->shell.generation,
                                       .owned = found});
}

void control_request(struct world *w, uint32_t client, enum core_event_type what, uint32_t number)
{
    struct client *c = &w->clients[client];
    if (!w->core)
        return;
    if (what == EV_SUBMIT) {
        if (c->has_key)
            look_up(w, c, number);
        else
            submit(w, c, number);
        return;
    }
    struct core_job_view view;
    bool live = core_job(w->core, c->job, &view);
    if (what == EV_RETRY && !live && store_load_job(w, c->job)) /* of a job that has left memory */
        oracle_reload(w, c->job);
    struct core_event event = {.type = what, .job = c->job};
    event.ref = wait_for(w, client, what, number);
    if (what == EV_ADD) {
        feed_add(w, &event, c, number);
        return;
    }
    if (what == EV_SET) {
        event.of.set.has_priority = true;
        event.of.set.priority = (int32_t)number - 1;
    }
    control_feed(w, &event, NULL);
}
