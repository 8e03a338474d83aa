/* What may be shown: the state as far as it is durable. Never changes anything. */
#include "broker/core/state.h"

#include "base/own.h"

#include <string.h>

bool core_job(const struct core *core, uint64_t id, struct core_job_view *ret)
{
    const struct job *job = job_of(core, id);
    if (!job)
        return false;
    *ret = (struct core_job_view){
        .job = id,
        .kind = job->kind,
        .priority = job->priority,
        .shown_priority = job->shown_priority,
        .status = job->status,
        .row_status = job->row_status,
        .sealed = job->sealed,
        .verify_all = job->verify_all,
        .has_key = job->has_key,
        .body_hash = job->body_hash,
        .adds = job->n_adds,
        .chunks = job->n_chunks,
        .ready = job->count[CHUNK_READY],
        .leased = job->count[CHUNK_LEASED],
        .committing = job->count[CHUNK_COMMITTING] + job->n_saving,
        .done = job->count[CHUNK_DONE],
        .failed = job->count[CHUNK_FAILED] - job->n_saving,
        .cancelled = job->count[CHUNK_CANCELLED],
        .verifying = job->count[CHUNK_VERIFYING],
        .row_done = job->count[CHUNK_DONE] + job->count[CHUNK_COMMITTING],
        .row_failed = job->count[CHUNK_FAILED],
        .files = job->files,
        .failed_files = job->failed_files,
        .bytes_in = job->bytes_in,
        .bytes_out = job->bytes_out,
        .bytes_done = job->bytes_done,
        .first_lease_ms = job->first_lease_ms,
    };
    if (BUG(view_before_commit)) {
        ret->done += ret->committing;
        ret->committing = 0;
    }
    if (BUG(unchecked_shown)) {
        ret->done += ret->verifying;
        ret->verifying = 0;
    }
    memcpy(ret->key, job->key, sizeof ret->key);
    return true;
}

bool core_chunk(const struct core *core, uint64_t id, uint32_t index, struct core_chunk_view *ret)
{
    const struct job *job = job_of(core, id);
    if (!job || index >= job->n_chunks)
        return false;
    const struct chunk *chunk = &job->chunks[index];
    const struct trouble *trouble = chunk_trouble_view(core, chunk);
    *ret = (struct core_chunk_view){
        .state = chunk->saving ? CHUNK_COMMITTING : chunk->state,
        .attempts = trouble->attempts,
        .losses = trouble->losses,
        .bytes = chunk->bytes,
    };
    for (int i = 0; i < CORE_LEASES_MAX; i++) {
        if (chunk->lease[i] == NONE)
            continue;
        const struct lease *lease = &core->leases[chunk->lease[i]];
        uint32_t at = ret->n_leases++;
        ret->agents[at] = lease->agent;
        ret->n[at] = lease->n;
        ret->assigned_ms[at] = lease->start_ms;
        ret->permille[at] = lease->permille;
        ret->running |= lease->running;
    }
    return true;
}

bool core_agent(const struct core *core, uint32_t index, struct core_agent_view *ret)
{
    if (index >= core->n_agents || !core->agents[index].known)
        return false;
    const struct agent *agent = &core->agents[index];
    *ret = (struct core_agent_view){
        .online = agent->online,
        .draining = agent->draining,
        .quarantined = agent->quarantined,
        .checked = agent->checked,
        .unchecked = agent->unchecked,
        .slots = agent->slots,
        .held = agent->held,
        .kinds = agent->kinds,
        .session = agent->session,
        .instance = agent->instance,
        .granted_chunks = agent->granted_chunks,
        .granted_bytes = agent->granted_bytes,
        .spent_chunks = agent->spent_chunks,
        .spent_bytes = agent->spent_bytes,
        .bytes_limit = agent->bytes_limit,
        .done = agent->done,
        .speed = agent->speed,
        .seen_ms = agent->seen_ms,
    };
    for (uint32_t at = agent->first; at != NONE; at = core->leases[at].next)
        ret->running += core->leases[at].running;
    return true;
}

enum core_why core_why(const struct core *core, uint64_t id, uint32_t index)
{
    const struct job *job = job_of(core, id);
    if (index >= core->n_agents || !core->agents[index].online)
        return WHY_OFFLINE;
    const struct agent *agent = &core->agents[index];
    if (agent->quarantined)
        return WHY_QUARANTINED;
    if (agent->draining)
        return WHY_DRAINING;
    if (!job || !(agent->kinds >> job->kind & 1))
        return WHY_NO_KERNEL;
    if (!core->settled)
        return WHY_SETTLING;
    for (uint32_t at = agent->first; at != NONE; at = core->leases[at].next)
        if (core->leases[at].job == job)
            return WHY_RUNNING;
    if (job->count[CHUNK_READY] == 0)
        return checks_wanted(core, job) ? WHY_UNCHECKED : WHY_NOTHING_READY;
    if (agent->granted_chunks == agent->spent_chunks && agent->held == 0)
        return WHY_NO_CREDIT;
    if (agent->held > 0)
        return WHY_PRIORITY;
    if (!pick_leaves_one(agent, job))
        return WHY_UNCHECKED;
    return pick_held(job, index) >= pick_share(core, job, index) ? WHY_SHARE : WHY_FAILED_IT;
}

void core_memory(const struct core *core, struct core_memory *ret)
{
    *ret = (struct core_memory){
        .jobs = HASH_COUNT(core->jobs),
        .chunks = core->n_chunks,
        .leases = core->live_leases,
        .agents = core->n_agents,
        .pending = core->effects.n,
        .actions = core->actions.n,
        .bytes =
            sizeof *core + core->lease_room * sizeof *core->leases +
            core->trouble_room * sizeof *core->troubles + core->agent_room * sizeof *core->agents +
            core->effects.room * sizeof *core->effects.items +
            core->actions.room * sizeof *core->actions.items +
            core->rank_room * sizeof *core->rank + core->candidate_room * sizeof *core->candidates,
    };
    for (uint32_t i = 0; i < core->n_agents; i++)
        ret->bytes += core->agents[i].engines ? sizeof(uint32_t) * CORE_KINDS_MAX : 0;
    for (const struct job *job = core->jobs; job; job = job->hh.next)
        ret->bytes += sizeof *job + job->chunk_room * sizeof *job->chunks +
                      job->add_room * sizeof *job->adds + job->held_room * sizeof *job->held;
}
