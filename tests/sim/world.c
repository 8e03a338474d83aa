/* One seed's world from beginning to verdict: what is due is done, one thing a step, until there is
 * nothing more to do. Owns time. Called by sim.c; knows no rule of scheduling. */
#include "world.h"

#include "base/own.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#ifdef CORE_BUGS
int core_bug;
#endif

void world_trace(struct world *w, uint64_t value)
{
    w->trace = rng_mix(w->trace, value);
}

void world_fail(const struct world *w, int invariant, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "FAIL invariant %d at step %lu, %ld ms%s: ", invariant, (unsigned long)w->step,
            (long)w->now_ms, w->healed ? " (healed)" : "");
    va_start(args, format);
    vfprintf(stderr, format, args); /* NOLINT(clang-analyzer-valist.Uninitialized): it just was */
    va_end(args);
    fputc('\n', stderr);
    fflush(stderr);
    _exit(SIM_EXIT_FOUND);
}

void world_later(struct world *w,
                 int64_t delay_ms,
                 enum entry_kind kind,
                 uint32_t who,
                 uint32_t what,
                 uint64_t generation)
{
    heap_push(&w->heap, (struct entry){.at_ms = w->now_ms + delay_ms,
                                       .kind = kind,
                                       .who = who,
                                       .what = what,
                                       .generation = generation});
}

void world_init(struct world *w, const struct sim_options *options)
{
    w->options = *options;
#ifdef CORE_BUGS
    core_bug = options->bug;
#endif
    w->now_ms = 1000000;
    struct rng *rngs[] = {&w->network_rng, &w->agent_rng, &w->store_rng, &w->client_rng,
                          &w->fault_rng};
    for (uint32_t i = 0; i < SW_COUNT(rngs); i++)
        rng_seed(rngs[i], rng_mix(options->seed, i));
    w->shell.tick_ms = INT64_MAX;
    agents_init(w);
    clients_init(w);
    oracle_init(w);
    faults_init(w);
    world_later(w, 0, ENTRY_START, 0, 0, 0);
}

void world_done(struct world *w)
{
    control_done(w);
    oracle_done(w);
    clients_done(w);
    agents_done(w);
    store_done(&w->store);
    heap_done(&w->heap);
}

/* For a broker that stands still: everything waits in its sockets, and the tick comes after it; for
 * one whose machine sleeps what arrives is lost and the tick comes first. */
static bool broker_waits(struct world *w, struct entry *e)
{
    bool network = e->kind == ENTRY_TO_BROKER || e->kind == ENTRY_REQUEST;
    if (!network && e->kind != ENTRY_TICK && e->kind != ENTRY_COMMIT && e->kind != ENTRY_LOOKUP)
        return false;
    if (w->shell.stalled_until_ms <= w->now_ms || !w->core)
        return false;
    if (network && w->shell.drop_while_stalled) {
        free(e->owned);
        return true;
    }
    e->at_ms = w->shell.stalled_until_ms + (e->kind == ENTRY_TICK && !w->shell.drop_while_stalled);
    heap_push(&w->heap, *e);
    return true;
}

static bool agent_waits(struct world *w, struct entry *e)
{
    if (e->kind != ENTRY_TO_AGENT && e->kind != ENTRY_PROCESS)
        return false;
    const struct process *p = &w->processes[e->who];
    if (p->frozen_until_ms <= w->now_ms)
        return false;
    e->at_ms = p->frozen_until_ms;
    heap_push(&w->heap, *e);
    return true;
}

static void show(const struct world *w, const struct entry *e)
{
    static const char *const names[] = {"to broker", "to agent", "process", "request",
                                        "reply",     "client",   "lookup",  "tick",
                                        "commit",    "start",    "fault"};
    printf("%8lu %9ld %-9s who=%u what=%u number=%lu", (unsigned long)w->step, (long)w->now_ms,
           names[e->kind], e->who, e->what, (unsigned long)e->number);
    if (e->kind == ENTRY_TO_BROKER || e->kind == ENTRY_TO_AGENT) {
        const struct message *m = e->owned;
        printf(" message=%d session=%lx serial=%lu n=%u", m->type, (unsigned long)m->session,
               (unsigned long)m->serial, m->n);
        for (uint32_t i = 0; i < m->n && i < 4; i++)
            printf(" %lu/%u:%lx", (unsigned long)m->items[i].job, m->items[i].chunk,
                   (unsigned long)m->items[i].n);
    }
    printf("\n");
}

static void dispatch(struct world *w, struct entry *e)
{
    switch (e->kind) {
    case ENTRY_TO_BROKER:
        control_message(w, e->owned);
        break;
    case ENTRY_TO_AGENT:
        agents_hear(w, e->owned);
        break;
    case ENTRY_PROCESS:
        agents_timer(w, e);
        break;
    case ENTRY_REQUEST:
        control_request(w, e->who, e->what, (uint32_t)e->number);
        break;
    case ENTRY_REPLY:
        clients_hear(w, e->who, e->owned);
        break;
    case ENTRY_CLIENT:
        clients_timer(w, e);
        break;
    case ENTRY_LOOKUP:
        control_lookup(w, e);
        break;
    case ENTRY_TICK:
        control_tick(w, e);
        break;
    case ENTRY_COMMIT:
        store_commit(w, e);
        break;
    case ENTRY_START:
        control_start(w);
        break;
    case ENTRY_FAULT:
        faults_happen(w, e->what);
        break;
    }
}

bool world_step(struct world *w)
{
    struct entry e;
    if (!heap_pop(&w->heap, &e))
        return false;
    w->now_ms = SW_MAX(w->now_ms, e.at_ms);
    if (broker_waits(w, &e) || agent_waits(w, &e))
        return true;
    w->step++;
    world_trace(w, (uint64_t)w->now_ms ^ (uint64_t)e.kind << 56 ^ (uint64_t)e.who << 40);
    if (w->options.events)
        show(w, &e);
    dispatch(w, &e);
    free(e.owned);
    if (w->options.trace && w->step % 1000 == 0)
        printf("trace %lu %016lx\n", (unsigned long)w->step, (unsigned long)w->trace);
    return true;
}

void world_heal(struct world *w)
{
    w->healed = true;
    faults_heal(w);
    clients_heal(w);
}
