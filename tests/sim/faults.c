/* Things that happen to the world as a whole: cuts, crashes, frozen agents, a broker that stands
 * still. Each fault of the seed comes again and again about once in its period, until the world is
 * healed. Called by world.c. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>

const char *const fault_names[FAULTS] = {
#define X(name, period, what) #name,
#include "faults.def"
#undef X
};

static const int64_t periods[FAULTS] = {
#define X(name, period, what) period,
#include "faults.def"
#undef X
};

enum {
    SAFE_AGENTS = 3
}; /* these can run everything and are never put in quarantine: jobs must be able to end */

static void plan_next(struct world *w, uint32_t fault)
{
    world_later(w, rng_between(&w->fault_rng, periods[fault] / 20, periods[fault] * 2), ENTRY_FAULT,
                0, fault, 0);
}

void faults_init(struct world *w)
{
    for (uint32_t i = 0; i < FAULTS; i++)
        if (world_has(w, i) && periods[i])
            plan_next(w, i);
}

static void quarantine(struct world *w)
{
    if (w->options.agents <= SAFE_AGENTS)
        return;
    uint32_t key =
        SAFE_AGENTS + (uint32_t)rng_below(&w->fault_rng, w->options.agents - SAFE_AGENTS);
    w->quarantined[key] = true;
    struct core_event event = {.type = EV_QUARANTINE, .agent = key};
    control_feed(w, &event, NULL);
}

static void drain(struct world *w, uint32_t key)
{
    w->draining[key] = !w->draining[key];
    w->quarantined[key] &= w->draining[key]; /* RESUME lifts both */
    struct core_event event = {.type = w->draining[key] ? EV_DRAIN : EV_RESUME, .agent = key};
    control_feed(w, &event, NULL);
}

static void revoke_key(struct world *w, uint32_t key)
{
    uint64_t session = w->shell.links[key].session;
    struct core_event event = {.type = EV_GONE, .agent = key, .session = session};
    event.serial = 0; /* not a message of the agent */
    if (session)
        control_feed(w, &event, NULL);
}

/* Another process with the key of a living one, for a while. */
static void copy(struct world *w, uint32_t key)
{
    for (uint32_t i = w->options.agents; i < w->n_processes; i++) {
        struct process *p = &w->processes[i];
        if (p->alive)
            continue;
        const struct process *model = &w->processes[key];
        p->key = key;
        p->slots = model->slots;
        p->speed = model->speed;
        p->link = model->link;
        p->kinds = model->kinds;
        p->browser = model->browser;
        p->cheat = model->cheat;
        p->broken = model->broken;
        p->owner = model->owner;
        p->engine = model->engine;
        agents_start(w, p);
        return;
    }
}

static void stall(struct world *w, bool sleeps)
{
    if (!w->core)
        return;
    w->shell.stalled_until_ms = w->now_ms + rng_between(&w->fault_rng, 500, sleeps ? 60000 : 12000);
    w->shell.drop_while_stalled = sleeps;
}

static void cut(struct world *w, uint32_t process)
{
    struct rng *r = &w->fault_rng;
    uint64_t which = rng_below(r, 3);
    for (uint32_t i = 0; i < 2; i++)
        if (which == i || which == 2)
            w->cut_until_ms[process][i] = w->now_ms + rng_between(r, 100, 15000);
}

void faults_happen(struct world *w, enum fault fault)
{
    if (!world_has(w, fault))
        return;
    struct rng *r = &w->fault_rng;
    uint32_t key = (uint32_t)rng_below(r, w->options.agents);
    struct process *p = &w->processes[rng_chance(r, 50) ? w->n_processes - 1 : key];
    switch ((int)fault) {
    case FAULT_partition:
        cut(w, p->index);
        break;
    case FAULT_breakage:
        network_break(w, p, rng_chance(r, 500));
        break;
    case FAULT_crash:
        agents_die(w, p);
        break;
    case FAULT_freeze:
        p->frozen_until_ms = w->now_ms + rng_between(r, 100, 20000);
        break;
    case FAULT_bye:
        agents_leave(w, p);
        break;
    case FAULT_pause:
        agents_pause(w, p, rng_between(r, 100, 8000));
        break;
    case FAULT_copy:
        copy(w, key);
        break;
    case FAULT_revoke_key:
        revoke_key(w, key);
        break;
    case FAULT_drain:
        drain(w, key);
        break;
    case FAULT_quarantine:
        quarantine(w);
        break;
    case FAULT_broker_crash:
        control_stop(w);
        break;
    case FAULT_stall:
        stall(w, false);
        break;
    case FAULT_suspend:
        stall(w, true);
        break;
    case FAULT_store_fail:
        w->store.failing = true;
        break;
    default:
        break;
    }
    plan_next(w, fault);
}

void faults_heal(struct world *w)
{
    w->store.failing = false;
    w->shell.stalled_until_ms = 0;
    for (uint32_t i = 0; i < w->n_processes; i++) {
        struct process *p = &w->processes[i];
        w->cut_until_ms[i][0] = w->cut_until_ms[i][1] = 0;
        p->paused_until_ms = 0;
        if (p->copy && p->alive)
            agents_die(w, p);
        if (p->frozen_until_ms > w->now_ms)
            p->frozen_until_ms = w->now_ms;
        if (p->liar && p->alive && !p->copy)
            session_connect(w, p); /* an honest HELLO: what it only claimed to hold is free again */
        if (!p->copy && p->alive)
            world_later(w, 1, ENTRY_PROCESS, i, TIMER_RESUME, p->life);
    }
    for (uint32_t i = 0; i < w->options.agents; i++) {
        if (!w->draining[i])
            continue;
        w->draining[i] = w->quarantined[i] = false;
        struct core_event event = {.type = EV_RESUME, .agent = i};
        control_feed(w, &event, NULL);
    }
}
