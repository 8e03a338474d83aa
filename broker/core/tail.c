/* The tail of a job: when an agent idles and nothing is READY, the leased chunk that is expected to
 * end last is run twice. A dead device nobody has missed yet, a frozen one, a slow one: all look
 * the same from here. */
#include "broker/core/state.h"

#include "base/own.h"

#define TWIN_MIN_MS 500 /* a chunk given out less than this ago is not late yet */

/* When a lease should end: as expected while that lies ahead; afterwards, as long again as it took
 * so far. */
static int64_t end_of(const struct lease *lease, int64_t now_ms)
{
    return lease->expect_ms > now_ms ? lease->expect_ms : now_ms + (now_ms - lease->start_ms);
}

static bool
wants_twin(const struct core *core, const struct lease *lease, uint32_t agent, int64_t now_ms)
{
    const struct job *job = lease->job;
    if (!job || job->ending || !(core->agents[agent].kinds >> job->kind & 1))
        return false;
    const struct chunk *chunk = &job->chunks[lease->chunk];
    bool free_place = chunk->lease[1] == NONE || BUG(twin_without_end);
    bool other = lease_other_agent(core, chunk, agent) || BUG(twin_same_agent);
    return chunk->state == CHUNK_LEASED && free_place && other && !chunk_is_over(core, chunk) &&
           now_ms - lease->start_ms >= TWIN_MIN_MS && pick_fits(core, job, chunk, agent) &&
           pick_credit(&core->agents[agent], chunk->bytes) &&
           pick_leaves_one(&core->agents[agent], job);
}

static bool one_twin(struct core *core, uint32_t agent, int64_t now_ms)
{
    const struct agent *idle = &core->agents[agent];
    struct lease *last = NULL;
    int64_t last_end = 0;
    for (uint32_t i = 1; i < core->n_leases; i++) {
        struct lease *lease = &core->leases[i];
        if (!lease->job || !wants_twin(core, lease, agent, now_ms))
            continue;
        int64_t end = end_of(lease, now_ms);
        double takes = 0; /* here; one slot's part of the agent's speed */
        if (idle->speed > 0)
            takes = (double)lease->job->chunks[lease->chunk].bytes * 1000 *
                    SW_MAX(idle->slots, 1U) / idle->speed;
        if (end > last_end && (double)end > (double)now_ms + takes * 1.2) {
            last = lease;
            last_end = end;
        }
    }
    if (!last)
        return false;
    pick_assign(core, last->job, last->chunk, agent, now_ms);
    return true;
}

void tail_run(struct core *core, int64_t now_ms)
{
    if (!core->settled || core->live_leases == 0 || BUG(twin_never))
        return;
    for (uint32_t i = 0; i < core->n_rank; i++) {
        const struct agent *agent = &core->agents[core->rank[i]];
        for (uint32_t n = agent->held; n < agent->slots && pick_credit(agent, 0); n++)
            if (!one_twin(core, core->rank[i], now_ms))
                break;
    }
}
