/* Invariants 9, 14 and 15: nobody idles beside work, memory is bounded, no job is passed over for
 * long. Called by oracle.c after events. */
#include "oracle.h"

#include "base/own.h"

enum { STILL_MS = 30000 }; /* longer than any queue that an agent may be expected to work off */

static bool wants(const struct world *w, uint32_t agent, const struct sight *sight)
{
    const struct watch *watch = &w->oracle->agents[agent];
    return sight->live && sight->job.row_status < JOB_COMPLETED && sight->job.ready &&
           watch->kinds >> sight->job.kind & 1;
}

/* READY, and never failed by this agent. */
static bool has_ready(const struct sight *sight, uint32_t agent)
{
    for (uint32_t i = 0; i < sight->n; i++)
        if (sight->chunks[i].state == CHUNK_READY && !(sight->marks[i].failed_by >> agent & 1))
            return true;
    return false;
}

/* A chunk that stands still elsewhere while this agent has nothing, and has room and time enough
 * for it. */
static bool wants_twin(const struct world *w, uint32_t agent, const struct sight *sight, uint32_t i)
{
    const struct core_chunk_view *chunk = &sight->chunks[i];
    struct core_agent_view view;
    if (chunk->state != CHUNK_LEASED || chunk->n_leases != 1 || chunk->agents[0] == agent ||
        sight->marks[i].failed_by || chunk->attempts >= CORE_ATTEMPTS_MAX ||
        chunk->losses >= CORE_LOSSES_MAX || !core_agent(w->core, agent, &view))
        return false;
    double takes_ms = view.speed > 0 ? (double)chunk->bytes * 1000 * view.slots / view.speed : 0;
    int64_t still_ms = w->now_ms - chunk->assigned_ms[0];
    return still_ms > STILL_MS && (double)still_ms > 2 * takes_ms;
}

static void check_idle(struct world *w, uint32_t agent, uint64_t job)
{
    const struct sight *sight = oracle_sight(w, job);
    if (!sight->live || sight->job.row_status >= JOB_COMPLETED ||
        !(w->oracle->agents[agent].kinds >> sight->job.kind & 1))
        return;
    if (sight->job.ready && has_ready(sight, agent) && !checks_reserved(w, agent, &sight->job))
        world_fail(w, 9, "agent %u idles beside a READY chunk of job %lu", agent,
                   (unsigned long)job);
    for (uint32_t i = 0; i < sight->n && sight->job.leased; i++)
        if (!checks_reserved(w, agent, &sight->job) && wants_twin(w, agent, sight, i))
            world_fail(w, 16, "chunk %u of job %lu stands still and gets no twin on agent %u", i,
                       (unsigned long)job, agent);
}

/* The core may still wait for agents of before the restart, and longer while they come. */
static bool may_settle(const struct world *w)
{
    int64_t settled_ms = w->oracle->start_ms + CORE_SETTLE_MS;
    for (uint32_t i = 0; i < w->options.agents; i++)
        if (w->oracle->agents[i].awaited)
            settled_ms = w->oracle->start_ms + CORE_SETTLE_MAX_MS;
    return w->now_ms < settled_ms + INT64_C(2) * CORE_TICK_MS;
}

/* After a tick nobody who holds nothing and grants something may be left beside a READY chunk. */
void idle_check(struct world *w, const struct core_event *event)
{
    const struct oracle *o = w->oracle;
    if (event->type != EV_TICK || may_settle(w))
        return;
    for (uint32_t i = 0; i < w->options.agents; i++) {
        const struct watch *watch = &o->agents[i];
        if (!watch->online || watch->held || w->quarantined[i] || w->draining[i] ||
            watch->granted_chunks <= watch->spent_chunks)
            continue;
        for (size_t k = 0; k < o->n_sights; k++)
            check_idle(w, i, k);
    }
}

/* The formula of core_memory: fixed parts, 64 bytes a chunk, and for each other thing the most that
 * there ever was, doubled because arrays grow by doubling. */
void idle_memory(struct world *w)
{
    struct oracle *o = w->oracle;
    struct core_memory m;
    core_memory(w->core, &m);
    o->most.chunks = SW_MAX(o->most.chunks, m.chunks);
    o->most.jobs = SW_MAX(o->most.jobs, m.jobs);
    o->most.leases = SW_MAX(o->most.leases, m.leases);
    o->most.pending = SW_MAX(o->most.pending, m.pending);
    o->most_actions = SW_MAX(o->most_actions, o->n_actions);
    o->most.verifying = SW_MAX(o->most.verifying, o->verifying);
    size_t live = 0;
    for (size_t i = 0; i < o->n_sights; i++)
        live += o->sights[i].live;
    if (m.jobs != live || m.chunks != o->chunks || m.actions != 0)
        world_fail(w, 14, "%zu jobs and %zu chunks in memory, %zu and %zu can be seen", m.jobs,
                   m.chunks, live, o->chunks);
    size_t bound = 16384 + 64 * m.chunks + m.jobs * (1024 + UINT64_C(4) * w->options.agents) +
                   2 * (o->most.leases * 80 + o->most.chunks * 48 + o->most.pending * 64 +
                        o->most_actions * 160 + UINT64_C(512) * w->options.agents +
                        o->most.adds * 16 + o->most.verifying * 160);
    if (m.bytes > bound)
        world_fail(w, 14, "%zu bytes of memory, at most %zu by the formula", m.bytes, bound);
}

/* A job with work for this agent, that it would have had credit for, sees another of its priority
 * served. */
static bool is_passed_over(struct world *w, const struct core_action *a, const struct sight *sight)
{
    const struct watch *watch = &w->oracle->agents[a->agent];
    const struct sight *served = oracle_sight(w, a->job);
    uint64_t given = served->n > a->chunk ? served->chunks[a->chunk].bytes : 0;
    bool empty = watch->held == 0 && watch->assigned == 0, ready = false;
    for (uint32_t i = 0; i < sight->n; i++) {
        const struct core_chunk_view *chunk = &sight->chunks[i];
        for (uint32_t k = 0; k < chunk->n_leases; k++)
            if (chunk->agents[k] == a->agent)
                return false; /* it has something of this job */
        if (chunk->state != CHUNK_READY)
            continue;
        if (sight->marks[i].failed_by || (!empty && chunk->bytes > given))
            return false;
        ready = true;
    }
    return ready;
}

void idle_passed_over(struct world *w, const struct core_action *a)
{
    struct oracle *o = w->oracle;
    struct sight *given = oracle_sight(w, a->job);
    given->passed_over = 0;
    if (!given->live || a->chunk >= given->n || given->chunks[a->chunk].state != CHUNK_READY)
        return; /* a twin, or given in the event that made it READY */
    for (size_t i = 0; i < o->n_sights; i++) {
        struct sight *sight = &o->sights[i];
        if (sight == given || !wants(w, a->agent, sight) ||
            sight->job.priority != given->job.priority || !is_passed_over(w, a, sight))
            continue;
        if (++sight->passed_over > 4 * o->most.jobs + 16)
            world_fail(w, 15, "job %lu was passed over %u times by others of its priority",
                       (unsigned long)i, sight->passed_over);
    }
}
