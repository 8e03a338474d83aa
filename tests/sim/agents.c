/* The life of simulated agent processes: queue, fetch, run, finish, keep until TAKEN; die, start
 * again, say goodbye, give everything back, stand still. session.c is how they talk. Called by
 * world.c for timers and messages and by faults.c; never looks at the core. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

void agents_arm(
    struct world *w, struct process *p, enum timer timer, int64_t delay, uint64_t number)
{
    if (w->healed || w->laboratory) {
        delay = SW_MAX(delay, 0);
    } else {
        delay += delay * ((int64_t)p->skew_permille - 250) / 1000;
    }
    heap_push(&w->heap, (struct entry){.at_ms = w->now_ms + delay,
                                       .kind = ENTRY_PROCESS,
                                       .who = p->index,
                                       .what = timer,
                                       .number = number,
                                       .generation = p->life});
}

static void beat(struct world *w, struct process *p)
{
    bool slept = w->now_ms - p->beat_ms > 6000;
    p->beat_ms = w->now_ms;
    agents_arm(w, p, TIMER_BEAT, CORE_BEAT_MS, 0);
    if (slept || w->now_ms - p->answered_ms > CORE_GONE_MS) {
        session_connect(w, p);
        return;
    }
    if (!p->welcomed)
        return;
    struct item running[64];
    uint32_t n = 0;
    for (size_t i = 0; i < p->n_held && n < SW_COUNT(running); i++) {
        const struct lease *lease = &p->held[i];
        if (lease->item.phase != PHASE_RUNNING)
            continue;
        int64_t all = lease->ends_ms - lease->started_ms;
        running[n] = lease->item;
        running[n].permille = (uint16_t)((w->now_ms - lease->started_ms) * 1000 / SW_MAX(all, 1));
        if (p->liar && world_has(w, FAULT_lie))
            running[n].permille = (uint16_t)rng_below(&w->agent_rng, 1001);
        n++;
    }
    session_send(w, p, MESSAGE_BEAT, running, n);
}

void agents_start(struct world *w, struct process *p)
{
    p->alive = true;
    p->leaving = p->flush_armed = false;
    p->life++;
    p->instance = rng_next(&w->agent_rng) | 1;
    p->beat_ms = w->now_ms;
    p->frozen_until_ms = p->paused_until_ms = p->link_free_ms = 0;
    p->took_ms = UINT64_C(16) * 1000;
    session_connect(w, p);
    agents_arm(w, p, TIMER_BEAT, rng_between(&w->agent_rng, 1, CORE_BEAT_MS), 0);
    if (p->liar)
        agents_arm(w, p, TIMER_LIE, 3000, 0);
}

/* Everything in memory is gone, its results too; it starts again after a while. */
void agents_die(struct world *w, struct process *p)
{
    if (!p->alive)
        return;
    p->alive = false;
    p->life++;
    p->n_held = 0;
    network_break(w, p, rng_chance(&w->agent_rng, 500));
    p->frozen_until_ms = 0;
    if (!p->copy)
        agents_arm(w, p, TIMER_START, rng_between(&w->agent_rng, 100, 10000), 0);
}

/* SIGTERM: what is not finished goes back; it waits a little for TAKEN of the rest. */
void agents_leave(struct world *w, struct process *p)
{
    if (!p->alive || p->leaving)
        return;
    p->leaving = true;
    work_give_back(w, p);
    session_repeat(w, p);
    agents_arm(w, p, TIMER_DIE, rng_between(&w->agent_rng, 0, 5000), 0);
}

void agents_pause(struct world *w, struct process *p, int64_t ms)
{
    if (!p->alive)
        return;
    p->paused_until_ms = w->now_ms + ms;
    work_give_back(w, p);
    agents_arm(w, p, TIMER_RESUME, ms * 2, 0);
}

static void welcome(struct world *w, struct process *p)
{
    p->welcomed = true;
    session_grant(w, p);
    for (size_t i = 0; i < p->n_held; i++)
        p->held[i].sent = BUG(lost_done_not_repeated) && p->held[i].sent;
    session_repeat(w, p);
}

void agents_hear(struct world *w, const struct message *m)
{
    struct process *p = &w->processes[m->process];
    if (!p->alive || m->connection != p->connection || m->session != p->session)
        return;
    if (m->type == MESSAGE_AGAIN) {
        p->generation++;
        agents_arm(w, p, TIMER_CONNECT, rng_between(&w->agent_rng, 1, 500), p->generation);
        return;
    }
    if (m->type == MESSAGE_DUPLICATE) {
        p->generation++;
        agents_arm(w, p, TIMER_CONNECT, rng_between(&w->agent_rng, 2000, 5000), p->generation);
        return;
    }
    if (m->serial <= p->serial_in)
        return;
    if (m->serial != p->serial_in + 1 && !BUG(gap_not_noticed)) {
        session_connect(w, p);
        return;
    }
    p->serial_in = m->serial;
    p->answered_ms = w->now_ms;
    if (m->type == MESSAGE_WELCOME)
        welcome(w, p);
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->type == MESSAGE_ASSIGN)
            work_accept(w, p, &m->items[i]);
        else
            work_let_go(w, p, m->items[i].n);
    }
}

void agents_timer(struct world *w, const struct entry *e)
{
    struct process *p = &w->processes[e->who];
    if (e->generation != p->life)
        return;
    struct lease *lease;
    switch ((enum timer)e->what) {
    case TIMER_CONNECT:
        if (e->number == p->generation)
            session_connect(w, p);
        break;
    case TIMER_BEAT:
        beat(w, p);
        break;
    case TIMER_FLUSH:
        p->flush_armed = false;
        if (p->welcomed) {
            session_repeat(w, p);
            session_grant(w, p);
        }
        break;
    case TIMER_FETCHED:
        lease = work_find(p, e->number);
        if (lease)
            lease->fetched = true;
        work_start(w, p);
        break;
    case TIMER_FINISH:
        work_finish(w, p, e->number);
        break;
    case TIMER_DIE:
        session_send(w, p, MESSAGE_BYE, NULL, 0);
        agents_die(w, p);
        break;
    case TIMER_START:
        agents_start(w, p);
        break;
    case TIMER_RESUME:
        session_grant(w, p);
        break;
    case TIMER_LIE:
        if (world_has(w, FAULT_lie))
            session_lie(w, p);
        agents_arm(w, p, TIMER_LIE, rng_between(&w->agent_rng, 200, 4000), 0);
        break;
    }
}
