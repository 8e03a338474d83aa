/* Clients: each has one job to bring through, by requests that may be lost in either direction,
 * with an idempotency key or without. Owns the reference: what was sent and acknowledged. Called by
 * world.c; the broker is asked only by requests, and looked at as a dashboard would. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum stage { STAGE_WAIT, STAGE_SUBMIT, STAGE_ADD, STAGE_SEAL, STAGE_WATCH, STAGE_OVER };

static void again(struct world *w, struct client *c, int64_t ms)
{
    world_later(w, ms, ENTRY_CLIENT, c->index, 0, ++c->generation);
}

static void ask(struct world *w, const struct client *c, enum core_event_type what, uint32_t number)
{
    struct rng *r = &w->client_rng;
    bool bad = world_has(w, FAULT_client_loss);
    if (bad && rng_chance(r, 100))
        return;
    bool safe = what != EV_SUBMIT || c->has_key; /* nobody sends a SUBMIT without a key twice */
    int times = bad && safe && rng_chance(r, 100) ? 2 : 1;
    for (int i = 0; i < times; i++) {
        int64_t late = bad && rng_chance(r, 50) ? 5000 : 3;
        heap_push(&w->heap, (struct entry){.at_ms = w->now_ms + rng_between(r, 0, late),
                                           .kind = ENTRY_REQUEST,
                                           .who = c->index,
                                           .what = what,
                                           .number = number});
    }
}

void clients_reply(struct world *w, uint32_t client, const struct reply *reply)
{
    struct rng *r = &w->client_rng;
    if (world_has(w, FAULT_client_loss) && rng_chance(r, 100))
        return;
    struct reply *copy = sw_alloc(1, sizeof *copy);
    *copy = *reply;
    heap_push(&w->heap, (struct entry){.at_ms = w->now_ms + rng_between(r, 0, 3),
                                       .kind = ENTRY_REPLY,
                                       .who = client,
                                       .owned = copy});
}

/* What a viewer is shown: the core for live jobs, the store for those that ended. */
enum core_job_status world_job_status(struct world *w, uint64_t job, bool *ret_known)
{
    struct core_job_view view;
    *ret_known = true;
    if (w->core && core_job(w->core, job, &view))
        return view.status;
    const struct stored_job *stored = store_job(w, job);
    if (stored)
        return stored->row.status;
    *ret_known = false;
    return JOB_PENDING;
}

/* Things that only some clients do, each at most a few times. */
static void meddle(struct world *w, struct client *c, bool known, enum core_job_status status)
{
    struct rng *r = &w->client_rng;
    bool ended = status >= JOB_COMPLETED;
    if (known && !ended && world_has(w, FAULT_cancel) && rng_chance(r, 15)) {
        c->cancel_asked = true;
        ask(w, c, EV_CANCEL, 0);
    } else if (known && !ended && world_has(w, FAULT_priority) && rng_chance(r, 50)) {
        ask(w, c, EV_SET, (uint32_t)rng_below(r, 3));
    } else if (known && world_has(w, FAULT_retry) && c->retries < 3 && rng_chance(r, 200) &&
               (status == JOB_FAILED || rng_chance(r, 100))) {
        c->retries++;
        ask(w, c, EV_RETRY, 0);
    } else if (known && world_has(w, FAULT_forget) && rng_chance(r, ended ? 100 : 5)) {
        c->forget_asked = true;
        ask(w, c, EV_FORGET, 0);
    } else if (known && world_has(w, FAULT_same_key) && c->has_key && !c->forget_asked &&
               rng_chance(r, 100)) {
        ask(w, c, EV_SUBMIT, (uint32_t)rng_below(r, 2));
    }
}

static void watch(struct world *w, struct client *c)
{
    bool known;
    enum core_job_status status = world_job_status(w, c->job, &known);
    if (w->healed) { /* the last word: what was begun is brought to its end */
        if (c->forget_asked && known)
            ask(w, c, EV_FORGET, 0);
        else if (c->cancel_asked && known && status < JOB_COMPLETED)
            ask(w, c, EV_CANCEL, 0);
        else if (!known || status >= JOB_COMPLETED)
            c->stage = w->core ? STAGE_OVER : c->stage;
    } else if (c->job && (!known || status >= JOB_COMPLETED) && rng_chance(&w->client_rng, 150)) {
        c->stage = STAGE_OVER; /* seen enough */
    } else {
        meddle(w, c, known, status);
    }
    if (c->stage != STAGE_OVER)
        again(w, c, rng_between(&w->client_rng, 200, 2000));
}

void clients_timer(struct world *w, const struct entry *e)
{
    struct client *c = &w->clients[e->who];
    if (e->generation != c->generation)
        return;
    switch ((enum stage)c->stage) {
    case STAGE_WAIT:
        c->stage = STAGE_SUBMIT;
        ask(w, c, EV_SUBMIT, 0);
        break;
    case STAGE_SUBMIT:
        if (!c->has_key) { /* without a key asking again might make a second job */
            c->given_up = true;
            c->stage = STAGE_OVER;
            return;
        }
        ask(w, c, EV_SUBMIT, 0);
        break;
    case STAGE_ADD:
        ask(w, c, EV_ADD, c->next_add);
        break;
    case STAGE_SEAL:
        ask(w, c, EV_SEAL, 0);
        break;
    case STAGE_WATCH:
        watch(w, c);
        return;
    case STAGE_OVER:
        return;
    }
    again(w, c, rng_between(&w->client_rng, 4000, 8000));
}

static void go_on(struct world *w, struct client *c)
{
    if (c->next_add < c->n_adds) {
        c->stage = STAGE_ADD;
        ask(w, c, EV_ADD, c->next_add);
    } else if (!c->seal_acked && !c->abandon) {
        c->stage = STAGE_SEAL;
        ask(w, c, EV_SEAL, 0);
    } else {
        c->stage = STAGE_WATCH;
    }
    again(w, c, rng_between(&w->client_rng, 4000, 8000));
}

static void submitted(struct world *w, struct client *c, const struct reply *reply)
{
    bool ok = reply->code == CORE_OK || reply->code == CORE_EXISTS;
    if (reply->number == 1 || c->stage > STAGE_SUBMIT) {
        oracle_resubmitted(w, c, reply);
        return;
    }
    if (c->stage != STAGE_SUBMIT || !ok) /* busy: the timer asks again */
        return;
    c->job = reply->job;
    if (reply->code == CORE_OK) { /* with it what travelled in the same message */
        c->next_add = c->in_submit;
        c->seal_acked = c->seal_in_submit;
    }
    go_on(w, c);
}

void clients_hear(struct world *w, uint32_t client, const struct reply *reply)
{
    struct client *c = &w->clients[client];
    bool gone = reply->code == CORE_NOT_FOUND || reply->code == CORE_FINAL ||
                reply->code == CORE_WAS_CANCELLED;
    switch ((int)reply->what) {
    case EV_SUBMIT:
        submitted(w, c, reply);
        return;
    case EV_ADD:
        if (c->stage != STAGE_ADD || reply->number != c->next_add || reply->code == CORE_BUSY)
            return;
        break;
    case EV_SEAL:
        if (c->stage != STAGE_SEAL)
            return;
        c->seal_acked = reply->code == CORE_OK;
        break;
    default:
        return;
    }
    if (reply->code != CORE_OK && !gone)
        world_fail(w, 4, "client %u: code %d to event %d", client, reply->code, reply->what);
    if (gone) { /* left open for too long, or no answer came before it ended */
        c->given_up = true;
        c->stage = STAGE_WATCH;
        again(w, c, 1000);
        return;
    }
    if (reply->what == EV_ADD)
        c->next_add++;
    go_on(w, c);
}

bool clients_over(const struct world *w)
{
    for (uint32_t i = 0; i < w->n_clients; i++)
        if (w->clients[i].stage != STAGE_OVER)
            return false;
    return true;
}

/* After the safety phase everybody who still waits to begin begins now. */
void clients_heal(struct world *w)
{
    for (uint32_t i = 0; i < w->n_clients; i++)
        if (w->clients[i].stage != STAGE_OVER)
            again(w, &w->clients[i], rng_between(&w->client_rng, 0, 1000));
}
