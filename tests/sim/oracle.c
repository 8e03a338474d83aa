/* The judge: looks at the core from outside after every event, compares with what it saw before,
 * and stops the run at the first thing that the design's invariants forbid. Called by control.c
 * around every event; changes nothing in the world. */
#include "oracle.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_WORLD = 400 }; /* chunks: up to here everything is looked at after every event */

struct sight *oracle_sight(struct world *w, uint64_t job)
{
    struct oracle *o = w->oracle;
    if (job >= o->n_sights) {
        size_t n = (size_t)job + 16;
        o->sights = sw_realloc(o->sights, n, sizeof *o->sights);
        memset(o->sights + o->n_sights, 0, (n - o->n_sights) * sizeof *o->sights);
        o->n_sights = n;
    }
    return &o->sights[job];
}

bool oracle_did(const struct world *w,
                enum core_action_type type,
                uint32_t agent,
                uint64_t job,
                uint32_t chunk,
                uint64_t n)
{
    for (size_t i = 0; i < w->oracle->n_actions; i++) {
        const struct core_action *a = &w->oracle->actions[i];
        if (a->type == type && a->agent == agent && a->job == job && a->chunk == chunk && a->n == n)
            return true;
    }
    return false;
}

bool oracle_dropped(const struct world *w, uint32_t agent)
{
    for (size_t i = 0; i < w->oracle->n_actions; i++)
        if (w->oracle->actions[i].type == ACT_DROP && w->oracle->actions[i].agent == agent)
            return true;
    return false;
}

void oracle_init(struct world *w)
{
    w->oracle = sw_alloc(1, sizeof *w->oracle);
    w->oracle->agents = sw_alloc(w->options.agents, sizeof *w->oracle->agents);
}

void oracle_done(struct world *w)
{
    struct oracle *o = w->oracle;
    for (size_t i = 0; i < o->n_sights; i++) {
        free(o->sights[i].chunks);
        free(o->sights[i].marks);
    }
    free(o->sights);
    free(o->agents);
    free(o->actions);
    free(o->checks);
    free(o);
}

void oracle_restart(struct world *w)
{
    struct oracle *o = w->oracle;
    if (w->store.epoch <= o->last_epoch)
        world_fail(w, 13, "store_epoch %u after %u", w->store.epoch, o->last_epoch);
    o->last_epoch = w->store.epoch;
    o->start_ms = w->now_ms;
    memset(&o->most, 0, sizeof o->most);
    o->most_actions = 0;
    memset(o->agents, 0, w->options.agents * sizeof *o->agents);
    for (size_t i = 0; i < o->n_sights; i++) {
        o->sights[i].live = false;
        for (uint32_t k = 0; k < o->sights[i].room; k++)
            o->sights[i].marks[k].lost_by_since_start = o->sights[i].marks[k].failed_by = 0;
    }
}

void oracle_loaded(struct world *w, const uint32_t *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w->oracle->agents[known[i]].awaited = true;
}

/* What was true before the event: is it of the agent's session, and the next of it? */
void oracle_before(struct world *w, const struct core_event *event)
{
    struct oracle *o = w->oracle;
    o->n_actions = 0;
    o->fresh = o->same_instance = false;
    for (uint32_t i = 0; i < w->options.agents; i++)
        o->agents[i].assigned = 0;
    struct watch *watch = &o->agents[event->agent];
    if (event->type == EV_HELLO)
        o->same_instance = watch->online && watch->instance == event->of.hello.instance;
    if (event->type < EV_BEAT || event->type > EV_GONE)
        return;
    o->fresh = watch->online && event->session == watch->session &&
               (event->serial == watch->serial || event->serial == watch->serial + 1);
    if (!o->fresh)
        return;
    watch->serial = event->serial;
    watch->heard_ms = w->now_ms;
    watch->heard_late_ms = o->late_ms;
    if (event->type == EV_CREDIT) {
        watch->granted_chunks = SW_MAX(watch->granted_chunks, event->of.credit.chunks);
        watch->granted_bytes = SW_MAX(watch->granted_bytes, event->of.credit.bytes);
    }
}

static void welcomed(struct world *w, const struct core_event *event, const struct core_action *a)
{
    struct watch *watch = &w->oracle->agents[a->agent];
    if (event->type != EV_HELLO || event->agent != a->agent || event->session != a->session)
        world_fail(w, 8, "WELCOME without HELLO");
    bool other = watch->online && watch->instance != event->of.hello.instance;
    if (other)
        world_fail(w, 8, "agent %u: another instance is let in while the first lives", a->agent);
    *watch = (struct watch){.online = true,
                            .lies = watch->lies,
                            .session = a->session,
                            .serial = event->serial,
                            .instance = event->of.hello.instance,
                            .kinds = event->of.hello.kinds,
                            .bytes_limit = event->of.hello.bytes_limit,
                            .heard_ms = w->now_ms,
                            .heard_late_ms = w->oracle->late_ms};
}

/* Silence counts only while the broker could have heard something. */
static void dropped(struct world *w, const struct core_event *event, const struct core_action *a)
{
    struct watch *watch = &w->oracle->agents[a->agent];
    int64_t silent = w->now_ms - watch->heard_ms - (w->oracle->late_ms - watch->heard_late_ms);
    if (event->type == EV_TICK && silent < CORE_GONE_MS)
        world_fail(w, 9, "agent %u is dropped after %ld ms of silence", a->agent, (long)silent);
    watch->online = false;
}

/* A new job, perhaps with the number of one that was lost in a crash before its commit. */
static void born(struct world *w, uint64_t job)
{
    struct sight *sight = oracle_sight(w, job);
    sight->passed_over = sight->n = 0;
    for (uint32_t i = 0; i < sight->room; i++)
        sight->marks[i] = (struct mark){.born_n = w->oracle->last_n};
}

/* New chunks, perhaps in the place of those of an ADD that was lost in the same way. */
static void born_chunks(struct world *w, uint64_t job, uint32_t n)
{
    struct sight *sight = oracle_sight(w, job);
    look_make_room(sight, sight->n + n);
    for (uint32_t i = sight->n; i < sight->n + n; i++)
        sight->marks[i] = (struct mark){.born_n = w->oracle->last_n};
}

void oracle_action(struct world *w, const struct core_event *event, const struct core_action *a)
{
    struct oracle *o = w->oracle;
    sw_grow(&o->actions, &o->actions_room, o->n_actions + 1, sizeof *o->actions);
    o->actions[o->n_actions++] = *a;
    world_trace(w, (uint64_t)a->type << 56 ^ (uint64_t)a->agent << 40 ^ a->job << 20 ^ a->chunk ^
                       a->n << 8 ^ (uint64_t)a->code << 50 ^ a->seq << 3);
    switch ((int)a->type) {
    case ACT_SAVE:
        if (a->row == ROW_JOB && a->payload)
            born(w, a->job);
        if (a->row == ROW_ADD)
            born_chunks(w, a->job, event->of.add.n_chunks);
        break;
    case ACT_WELCOME:
        welcomed(w, event, a);
        break;
    case ACT_DROP:
        dropped(w, event, a);
        break;
    case ACT_HOLD:
        checks_held(w, event, a);
        break;
    case ACT_CAUGHT:
        checks_caught(w, a->agent);
        break;
    case ACT_ASSIGN:
        if (a->check)
            checks_assigned(w, a);
        assign_check(w, event, a);
        idle_passed_over(w, a);
        break;
    case ACT_TAKEN:
        durable_taken(w, a);
        break;
    case ACT_REPLY:
        durable_reply(w, a);
        break;
    default:
        break;
    }
}

void oracle_after(struct world *w, const struct core_event *event)
{
    const struct oracle *o = w->oracle;
    bool quiet = event->type == EV_BEAT || event->type == EV_CREDIT || event->type == EV_TICK;
    bool of_session = event->type >= EV_BEAT && event->type <= EV_GONE;
    enum core_action_type due = o->fresh ? ACT_BEAT : ACT_AGAIN;
    if (of_session && (!o->fresh || event->type == EV_BEAT) &&
        (o->n_actions == 0 || o->actions[0].type != due))
        world_fail(w, 8, "event %d of agent %u is not answered by action %d", event->type,
                   event->agent, due);
    bool nothing = o->n_actions == 0 || (o->n_actions == 1 && o->actions[0].type == ACT_BEAT);
    if (w->laboratory)
        return; /* thousands of chunks, and nothing goes wrong there */
    if (quiet && nothing && o->chunks > SMALL_WORLD && !w->options.check_all)
        return;
    look_at_all(w, event);
    idle_check(w, event);
    idle_memory(w);
}

/* An ended job is in memory again: this is what it was before the RETRY. */
void oracle_reload(struct world *w, uint64_t job)
{
    struct sight *sight = oracle_sight(w, job);
    if (!core_job(w->core, job, &sight->job))
        world_fail(w, 4, "job %lu was loaded and cannot be seen", (unsigned long)job);
    sight->n = 0;
    look_grow(sight, sight->job.chunks);
    for (uint32_t i = 0; i < sight->n; i++)
        core_chunk(w->core, job, i, &sight->chunks[i]);
    sight->live = true;
}

void oracle_tick(struct world *w, int64_t late_ms)
{
    w->oracle->late_ms += SW_MAX(late_ms, 0);
}
