/* An ASSIGN at the moment it is made: to whom, of what, on what credit (invariants 1, 6, 7, 8, 11,
 * 12, the rules of shares and of different agents). Called by oracle.c; policy is the core's, only
 * its bounds are held here. */
#include "oracle.h"

#include "base/own.h"

#include <math.h>

static _Noreturn void
wrong(struct world *w, const struct core_action *a, int invariant, const char *what)
{
    world_fail(w, invariant, "ASSIGN of chunk %u of job %lu to agent %u: %s", a->chunk,
               (unsigned long)a->job, a->agent, what);
}

static bool may_get(const struct world *w, uint32_t agent, uint32_t kind)
{
    const struct watch *watch = &w->oracle->agents[agent];
    return watch->online && !w->quarantined[agent] && !w->draining[agent] &&
           watch->kinds >> kind & 1;
}

/* Another agent is there that did not fail it. */
static bool another(const struct world *w, uint64_t failed_by, uint32_t kind)
{
    for (uint32_t i = 0; i < w->options.agents; i++)
        if (may_get(w, i, kind) && !(failed_by >> i & 1))
            return true;
    return false;
}

static void check_n(struct world *w, const struct core_action *a)
{
    struct oracle *o = w->oracle;
    if (a->n >> 32 != w->store.epoch)
        wrong(w, a, 13, "not of this epoch");
    if (a->n <= o->last_n)
        wrong(w, a, 8, "a number that was given before");
    o->last_n = a->n;
}

static void check_agent(struct world *w, const struct core_action *a, uint32_t kind)
{
    struct watch *watch = &w->oracle->agents[a->agent];
    if (!watch->online || watch->session != a->session)
        wrong(w, a, 8, "it has no session");
    if (w->quarantined[a->agent])
        wrong(w, a, 11, "it is in quarantine");
    if (w->draining[a->agent])
        wrong(w, a, 11, "it drains");
    if (!(watch->kinds >> kind & 1))
        wrong(w, a, 8, "it has no such kernel");
    if (w->now_ms < w->oracle->start_ms + CORE_SETTLE_MS)
        for (uint32_t i = 0; i < w->options.agents; i++)
            if (w->oracle->agents[i].awaited)
                wrong(w, a, 8, "another agent of before the restart is still awaited");
}

/* Near the end nobody hoards: what it holds of the job against its part, by speed, of what remains.
 */
static void
check_share(struct world *w, const struct core_action *a, const struct core_job_view *job)
{
    double weight = 0, all = 0, known_speed = 0, known_slots = 0;
    uint32_t held = 0, agents = 0;
    struct core_agent_view view;
    for (uint32_t i = 0; i < w->options.agents; i++) {
        if (!may_get(w, i, job->kind) || !core_agent(w->core, i, &view))
            continue;
        if (view.done < 16) /* not measured yet: anything may be its part */
            return;
        agents++;
        known_speed += view.speed;
        known_slots += view.slots;
        all += view.speed;
        if (i == a->agent)
            weight = view.speed;
    }
    for (uint32_t i = 0; i < job->chunks; i++) {
        struct core_chunk_view chunk;
        core_chunk(w->core, a->job, i, &chunk);
        for (uint32_t k = 0; k < chunk.n_leases && chunk.state == CHUNK_LEASED; k++)
            held += chunk.agents[k] == a->agent;
    }
    if (agents < 2 || all <= 0)
        return;
    double share = (job->ready + (double)job->leased) * weight / all;
    if (held > 2 * ceil(share) + 2) /* speeds are learned meanwhile: not to the last chunk */
        wrong(w, a, 15, "it holds far more than its share of what remains");
}

void assign_check(struct world *w, const struct core_event *event, const struct core_action *a)
{
    const struct sight *sight = oracle_sight(w, a->job);
    struct watch *watch = &w->oracle->agents[a->agent];
    struct core_job_view job;
    if (!core_job(w->core, a->job, &job))
        wrong(w, a, 12, "there is no such job");
    check_n(w, a);
    check_agent(w, a, job.kind);
    bool ended =
        (sight->live && sight->job.row_status >= JOB_COMPLETED && event->type != EV_RETRY) ||
        job.row_status >= JOB_COMPLETED;
    bool stops = (event->type == EV_CANCEL || event->type == EV_FORGET) && event->job == a->job;
    if (ended || stops || job.row_status == JOB_CANCELLED)
        wrong(w, a, 12, "the job is over");
    if (sight->live && a->chunk < sight->n) {
        const struct core_chunk_view *was = &sight->chunks[a->chunk];
        bool open =
            was->state <= CHUNK_LEASED || was->state == CHUNK_VERIFYING || event->type == EV_RETRY;
        if (!open)
            wrong(w, a, was->state == CHUNK_DONE ? 2 : 1, "the chunk is not open");
        uint64_t failed_by = sight->marks[a->chunk].failed_by;
        if (event->type == EV_FAIL && event->of.result.lease.job == a->job &&
            event->of.result.lease.chunk == a->chunk)
            failed_by = 0; /* seen only after the event */
        if (event->type == EV_RETRY && event->job == a->job)
            failed_by = 0;
        if ((failed_by >> a->agent & 1) && !a->check && another(w, failed_by, job.kind))
            wrong(w, a, 10, "it failed it, and another agent is there");
    }
    if (!a->check)
        check_share(w, a, &job);
    const struct folder *folder = shell_folder(w, a->job);
    if (!folder)
        wrong(w, a, 12, "its folder is gone");
    struct core_chunk_view chunk;
    core_chunk(w->core, a->job, a->chunk, &chunk);
    w->counts[COUNT_TWINS] += chunk.n_leases > 1;
    watch->spent_chunks++;
    watch->spent_bytes += SW_MIN(chunk.bytes, watch->bytes_limit);
    watch->assigned++;
    w->counts[COUNT_ASSIGNED]++;
}
