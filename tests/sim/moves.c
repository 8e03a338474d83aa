/* Invariants 1, 2, 6, 8, 10 and 18 for one chunk: from what it was before an event to what it is
 * after, is there a reason in the event and the actions for every difference, and was nothing left
 * out that had to happen? Called by oracle.c for every chunk after every event. */
#include "oracle.h"

#include "base/own.h"

#define TO(state) (1U << CHUNK_##state)
/* LEASED to READY to LEASED again, or FAILED to READY to LEASED by RETRY, may happen in one event.
 * A chunk that is FAILED but not yet durably so is shown as COMMITTING. */
static const uint8_t successors[CHUNK_STATES] = {
    [CHUNK_READY] = TO(LEASED) | TO(VERIFYING) | TO(COMMITTING) | TO(CANCELLED),
    [CHUNK_LEASED] = TO(READY) | TO(VERIFYING) | TO(COMMITTING) | TO(FAILED) | TO(CANCELLED),
    [CHUNK_VERIFYING] = TO(READY) | TO(LEASED) | TO(COMMITTING) | TO(CANCELLED),
    [CHUNK_COMMITTING] = TO(DONE) | TO(FAILED),
    [CHUNK_DONE] = 0,
    [CHUNK_FAILED] = TO(READY) | TO(LEASED), /* RETRY only: see below */
    [CHUNK_CANCELLED] = 0,
};

struct move {
    struct world *w;
    const struct core_event *event;
    uint64_t job;
    uint32_t chunk;
    const struct core_chunk_view *was, *now;
    struct mark *mark;
    bool ending; /* the job was, before the event */
};

static _Noreturn void wrong(const struct move *m, int invariant, const char *what)
{
    world_fail(
        m->w, invariant,
        "chunk %u of job %lu, state %d to %d, attempts %u to %u, losses %u to %u by event %d: %s",
        m->chunk, (unsigned long)m->job, m->was->state, m->now->state, m->was->attempts,
        m->now->attempts, m->was->losses, m->now->losses, m->event->type, what);
}

static bool has(const struct core_chunk_view *view, uint32_t agent, uint64_t n)
{
    for (uint32_t i = 0; i < view->n_leases; i++)
        if (view->agents[i] == agent && view->n[i] == n)
            return true;
    return false;
}

static bool names(const struct move *m, const struct core_lease_ref *ref)
{
    return ref->job == m->job && ref->chunk == m->chunk;
}

static const struct core_lease_ref *listed(const struct move *m, uint32_t agent, uint64_t n)
{
    if (m->event->type != EV_HELLO || m->event->agent != agent)
        return NULL;
    for (size_t i = 0; i < m->event->of.hello.n_held; i++) {
        const struct core_lease_ref *ref = &m->event->of.hello.held[i];
        if (names(m, ref) && ref->n == n && ref->valid)
            return ref;
    }
    return NULL;
}

static bool is_result(const struct move *m)
{
    enum core_event_type type = m->event->type;
    return (type == EV_DONE || type == EV_FAIL || type == EV_RETURN || type == EV_CHECKED) &&
           names(m, &m->event->of.result.lease) && m->event->of.result.lease.valid;
}

/* FAIL or RETURN of exactly this lease, in the agent's session. */
static bool ends(const struct move *m, uint32_t agent, uint64_t n)
{
    return is_result(m) && m->event->type != EV_DONE && m->event->agent == agent &&
           m->event->of.result.lease.n == n &&
           (m->w->oracle->fresh || m->event->type == EV_CHECKED);
}

static bool job_stops(const struct move *m)
{
    enum core_event_type type = m->event->type;
    if ((type == EV_CANCEL || type == EV_FORGET) && m->event->job == m->job)
        return true;
    return type == EV_TICK && !m->ending && m->now->state == CHUNK_CANCELLED;
}

/* The agent is gone in a way that counts what ran as lost. */
static bool is_lost(const struct move *m, uint32_t agent)
{
    const struct core_event *e = m->event;
    if (!oracle_dropped(m->w, agent))
        return e->type == EV_HELLO && e->agent == agent && m->w->oracle->agents[agent].online;
    return e->type == EV_TICK || e->type == EV_UNREACHABLE || e->type == EV_HELLO;
}

static void check_vanished(const struct move *m, uint32_t agent, uint64_t n)
{
    const struct core_event *e = m->event;
    bool revoked = oracle_did(m->w, ACT_REVOKE, agent, m->job, m->chunk, n);
    bool taken_away = job_stops(m) || (e->type == EV_DONE && is_result(m)) ||
                      (e->type == EV_QUARANTINE && e->agent == agent);
    if (taken_away) {
        bool own = e->type == EV_DONE && e->agent == agent && e->of.result.lease.n == n;
        if (!own && !revoked && m->w->oracle->agents[agent].online)
            wrong(m, 8, "a lease is taken away without REVOKE");
        return;
    }
    if (ends(m, agent, n))
        return;
    bool distrust = e->type == EV_QUARANTINE || oracle_caught(m->w);
    if (distrust && revoked && (m->was->state == CHUNK_VERIFYING || m->w->quarantined[agent]))
        return; /* what it checked is not wanted any more, or it is in quarantine itself */
    if (e->type == EV_GONE && e->agent == agent && m->w->oracle->fresh)
        return;
    if (e->type == EV_HELLO && e->agent == agent && listed(m, agent, n))
        wrong(m, 18, "a lease that HELLO lists is dropped");
    if (is_lost(m, agent))
        return;
    wrong(m, 8, "a lease vanishes without a reason");
}

static void check_leases(const struct move *m)
{
    const struct core_chunk_view *was = m->was, *now = m->now;
    if (now->n_leases > CORE_LEASES_MAX || (now->n_leases == 2 && now->agents[0] == now->agents[1]))
        wrong(m, 6, "more than a lease and its twin on another agent");
    if ((now->n_leases > 0) != (now->state == CHUNK_LEASED) && now->state != CHUNK_VERIFYING)
        wrong(m, 1, "LEASED without a lease, or the other way round");
    for (uint32_t i = 0; i < was->n_leases; i++)
        if (!has(now, was->agents[i], was->n[i]))
            check_vanished(m, was->agents[i], was->n[i]);
    for (uint32_t i = 0; i < now->n_leases; i++) {
        uint32_t agent = now->agents[i];
        if (has(was, agent, now->n[i]))
            continue;
        if (!m->w->oracle->agents[agent].online)
            wrong(m, 8, "a lease on an agent that is not there");
        if (!oracle_did(m->w, ACT_ASSIGN, agent, m->job, m->chunk, now->n[i]) &&
            !listed(m, agent, now->n[i]))
            wrong(m, 8, "a lease that was neither given nor listed");
    }
}

/* After WELCOME the books hold exactly what the agent listed and may keep. */
static void check_hello(const struct move *m)
{
    const struct core_event *e = m->event;
    const struct watch *watch = &m->w->oracle->agents[e->agent];
    if (e->type != EV_HELLO || !watch->online || watch->session != e->session)
        return;
    for (uint32_t i = 0; i < m->now->n_leases; i++)
        if (m->now->agents[i] == e->agent && !listed(m, e->agent, m->now->n[i]) &&
            !oracle_did(m->w, ACT_ASSIGN, e->agent, m->job, m->chunk, m->now->n[i]))
            wrong(m, 18, "LEASED on an agent that does not list it");
    for (size_t i = 0; i < e->of.hello.n_held; i++) {
        const struct core_lease_ref *ref = &e->of.hello.held[i];
        bool open = m->was->state == CHUNK_READY || m->was->state == CHUNK_LEASED;
        if (!names(m, ref) || !open || has(m->now, e->agent, ref->n))
            continue;
        if (!oracle_did(m->w, ACT_REVOKE, e->agent, m->job, m->chunk, ref->n))
            wrong(m, 8, "a lease listed is neither adopted nor revoked");
        bool another = m->now->n_leases && m->now->agents[0] == e->agent; /* listed twice */
        if (ref->valid && !ref->check && !m->ending && m->was->n_leases == 0 && !another &&
            !m->w->quarantined[e->agent])
            wrong(m, 8, "a valid lease of a READY chunk is not adopted");
    }
}

static void check_attempts(const struct move *m)
{
    const struct core_event *e = m->event;
    bool reset = e->type == EV_RETRY && e->job == m->job &&
                 (m->was->state == CHUNK_FAILED || m->was->state == CHUNK_COMMITTING) &&
                 (m->now->state == CHUNK_READY || m->now->state == CHUNK_LEASED);
    if (reset) {
        if (m->now->attempts || m->now->losses)
            wrong(m, 10, "attempts or losses are left after RETRY");
        *m->mark = (struct mark){.born_n = m->mark->born_n};
        return;
    }
    uint32_t attempts = m->was->attempts, lost_min = 0, lost_max = 0;
    uint64_t lost_by = 0;
    for (uint32_t i = 0; i < m->was->n_leases; i++) {
        uint32_t agent = m->was->agents[i];
        uint64_t n = m->was->n[i];
        if (ends(m, agent, n)) {
            if (has(m->now, agent, n))
                wrong(m, 8, "FAIL or RETURN of a live lease has no effect");
            attempts += e->type == EV_FAIL;
            if (e->type == EV_FAIL)
                m->mark->failed_by |= UINT64_C(1) << agent;
        } else if ((!has(m->now, agent, n) || listed(m, agent, n)) && is_lost(m, agent) &&
                   !job_stops(m)) { /* listed by another instance: lost, and adopted again */
            bool same =
                e->type == EV_HELLO && !oracle_dropped(m->w, agent) && m->w->oracle->same_instance;
            bool ran = m->mark->running[0] == n || m->mark->running[1] == n;
            lost_max += !same;
            lost_min += !same && ran && !has(m->now, agent, n);
            lost_by |= same ? 0 : UINT64_C(1) << agent;
        }
    }
    if (m->now->attempts == attempts + 1 && checks_undecided(m->w, e, m->was, m->mark)) {
        attempts++;
        m->mark->failed_by |= UINT64_C(1) << m->mark->candidate;
    }
    if (m->now->attempts != attempts)
        wrong(m, 10, "attempts do not count the failures");
    if (m->now->losses < m->was->losses + lost_min || m->now->losses > m->was->losses + lost_max)
        wrong(m, 10, "losses do not count the vanished");
    if (m->now->losses != m->was->losses)
        m->mark->lost_by |= lost_by;
    if (m->now->losses ==
        m->was->losses + lost_max) /* else it is not known which of them counted */
        m->mark->lost_by_since_start |= lost_by;
}

static void check_limits(const struct move *m)
{
    const struct core_chunk_view *now = m->now;
    bool waits = now->state == CHUNK_COMMITTING && m->was->state == CHUNK_LEASED &&
                 m->event->type != EV_DONE; /* FAILED, not yet durable */
    int lost_by = __builtin_popcountll(m->mark->lost_by);
    int lost_by_now = __builtin_popcountll(m->mark->lost_by_since_start);
    bool attempts_over = now->attempts >= CORE_ATTEMPTS_MAX;
    bool losses_over = now->losses >= CORE_LOSSES_MAX;
    if ((now->state == CHUNK_FAILED || waits) && m->now->state != m->was->state && !attempts_over &&
        !(losses_over && lost_by >= CORE_LOSS_AGENTS_MIN))
        wrong(m, 10, "FAILED before a limit");
    if (now->state == CHUNK_READY &&
        (attempts_over || (losses_over && lost_by_now >= CORE_LOSS_AGENTS_MIN)))
        wrong(m, 10, "READY beyond a limit");
    /* A lease and its twin may both fail the last attempt; and so may what an agent that was
     * thought gone brings back in HELLO, which a liar can do again and again. */
    if (now->attempts > CORE_ATTEMPTS_MAX + 2 && !(m->w->options.faults >> FAULT_lie & 1))
        wrong(m, 10, "too many attempts");
}

static void note_running(const struct move *m)
{
    const struct core_event *e = m->event;
    bool hello = e->type == EV_HELLO;
    if (!hello && (e->type != EV_BEAT || !m->w->oracle->fresh))
        return;
    size_t n = hello ? e->of.hello.n_held : e->of.beat.n_running;
    const struct core_lease_ref *refs = hello ? e->of.hello.held : e->of.beat.running;
    for (size_t i = 0; i < n; i++)
        if (names(m, &refs[i]) && has(m->now, e->agent, refs[i].n))
            m->mark->running[m->now->agents[0] != e->agent] =
                hello && refs[i].phase != PHASE_RUNNING ? 0 : refs[i].n;
}

void moves_check(struct world *w,
                 const struct core_event *event,
                 uint64_t job,
                 uint32_t chunk,
                 const struct core_chunk_view *now)
{
    struct sight *sight = oracle_sight(w, job);
    struct core_chunk_view empty = {
        .state = now->state, .attempts = now->attempts, .losses = now->losses};
    bool known = sight->live && chunk < sight->n && sight->chunks[chunk].bytes;
    struct move m = {.w = w,
                     .event = event,
                     .job = job,
                     .chunk = chunk,
                     .was = known ? &sight->chunks[chunk] : &empty,
                     .now = now,
                     .mark = &sight->marks[chunk],
                     .ending = sight->live && sight->job.row_status >= JOB_COMPLETED};
    if (!known && (now->state == CHUNK_LEASED || now->state == CHUNK_READY))
        empty.state = CHUNK_READY;
    bool retried = event->type == EV_RETRY && event->job == job;
    uint32_t may = successors[m.was->state];
    if (m.was->state == CHUNK_COMMITTING && retried)
        may |= TO(READY) | TO(LEASED);
    if (m.was->state != now->state && !(may >> now->state & 1))
        wrong(&m, m.was->state == CHUNK_DONE ? 2 : 1, "the table does not allow this");
    if (m.was->state == CHUNK_FAILED && now->state != CHUNK_FAILED && !retried)
        wrong(&m, 1, "FAILED no more, without RETRY");
    const char *unchecked = checks_moved(w, event, job, chunk, m.was, now);
    if (unchecked)
        wrong(&m, 11, unchecked);
    if (is_result(&m) && event->type == EV_DONE && m.was->state <= CHUNK_LEASED && !m.ending &&
        !w->quarantined[event->agent] && now->state != CHUNK_COMMITTING &&
        now->state != CHUNK_VERIFYING)
        wrong(&m, 8, "a valid result does not count");
    if (m.was->state <= CHUNK_LEASED && now->state == CHUNK_COMMITTING &&
        !(is_result(&m) && event->type == EV_DONE) && now->attempts < CORE_ATTEMPTS_MAX &&
        now->losses < CORE_LOSSES_MAX)
        wrong(&m, 8, "a result counts that is not valid");
    if (now->state == CHUNK_CANCELLED && m.was->state != CHUNK_CANCELLED && !job_stops(&m))
        wrong(&m, 12, "cancelled, but its job was not");
    check_leases(&m);
    check_hello(&m);
    check_attempts(&m);
    check_limits(&m);
    note_running(&m);
}
