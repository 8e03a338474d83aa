/* DONE, FAIL and RETURN: what comes back from a lease. */
#include "broker/core/state.h"

#include "base/own.h"

/* How fast it is, from what its slot took: a moving average that forgets half in four chunks. */
static void learn(struct agent *agent, const struct chunk *chunk, uint32_t took_ms)
{
    double sample =
        (double)SW_MAX(chunk->bytes, 1U) * 1000.0 / SW_MAX(took_ms, 1U) * SW_MAX(agent->slots, 1U);
    agent->speed = agent->speed > 0 ? agent->speed * 0.84 + sample * 0.16 : sample;
}

void result_accept(struct core *core, struct job *job, uint32_t index, const struct result *result)
{
    const struct trouble *trouble = chunk_trouble_view(core, &job->chunks[index]);
    core->agents[result->agent].done++;
    job->bytes_out += result->bytes_out;
    job->failed_files += result->failed_files;
    chunk_move(core, job, index, CHUNK_COMMITTING);
    save(core, (struct core_action){.row = ROW_CHUNK,
                                    .job = job->id,
                                    .chunk = index,
                                    .n = result->n,
                                    .agent = result->agent,
                                    .state = CHUNK_DONE,
                                    .attempts = trouble->attempts,
                                    .losses = trouble->losses,
                                    .held = result->held,
                                    .payload = result->payload});
    after(core, (struct effect){.kind = FX_DONE,
                                .job = job->id,
                                .chunk = index,
                                .n = result->n,
                                .agent = result->agent});
    job_settle(core, job);
}

static void done(struct core *core, const struct core_event *event, int64_t now_ms)
{
    const struct core_lease_ref *ref = &event->of.result.lease;
    struct job *job = job_of(core, ref->job);
    struct chunk *chunk = job && ref->chunk < job->n_chunks ? &job->chunks[ref->chunk] : NULL;
    if (!chunk || (chunk_final(chunk) && !(BUG(done_changes_done) && chunk->state == CHUNK_DONE))) {
        taken_after(core, event->agent, ref); /* the result stands already, or nobody wants it */
        return;
    }
    if (!ref->valid && !BUG(no_token_check))
        return; /* not the holder of any lease of this chunk: no effect, no answer */
    if (chunk->state == CHUNK_COMMITTING || job->ending) {
        taken_after(core, event->agent, ref);
        return;
    }
    struct agent *agent = &core->agents[event->agent];
    struct lease *lease = lease_find(core, job, ref->chunk, event->agent, ref->n);
    if (agent->quarantined && !BUG(quarantined_counts)) {
        agent_revoke(core, event->agent, ref->job, ref->chunk, ref->n);
        return; /* what it had was taken away from it */
    }
    if (chunk->state == CHUNK_VERIFYING) {
        verify_done(core, job, lease, event);
        return;
    }
    lease_revoke_others(core, job, ref->chunk, lease);
    if (lease)
        lease_free(core, lease);
    learn(agent, chunk, event->of.result.took_ms);
    agent->busy_until_ms = agent->held ? agent->busy_until_ms : now_ms;
    if (BUG(taken_before_commit))
        taken_after(core, event->agent, ref);
    if (verify_wanted(core, event, job))
        verify_hold(core, job, event);
    else
        result_accept(core, job, ref->chunk,
                      &(struct result){.agent = event->agent,
                                       .n = ref->n,
                                       .bytes_out = event->of.result.bytes_out,
                                       .failed_files = event->of.result.failed_files,
                                       .payload = event->payload});
}

void result_count_failure(
    struct core *core, struct job *job, uint32_t index, const void *payload, uint32_t failed_files)
{
    struct chunk *chunk = &job->chunks[index];
    bool over = chunk_is_over(core, chunk);
    if (chunk->lease[0] != NONE) { /* its twin may still make it */
        if (payload)
            save_chunk(core, job, index, payload);
        return;
    }
    chunk_move(core, job, index, over ? CHUNK_FAILED : CHUNK_READY);
    if (!over) {
        if (payload)
            save_chunk(core, job, index, payload);
        return;
    }
    chunk_saving(job, chunk, true);
    chunk_trouble(core, chunk)->failed_files = failed_files;
    job->failed_files += failed_files;
    save_chunk(core, job, index, payload);
    chunk_trouble(core, chunk)->failed_seq = core->seq;
    after(core, (struct effect){.kind = FX_FAILED, .job = job->id, .chunk = index});
    job_settle(core, job);
}

void result_count_attempt(struct core *core, struct chunk *chunk, uint32_t agent)
{
    struct trouble *trouble = chunk_trouble(core, chunk);
    if (BUG(attempts_not_counted))
        return;
    trouble->attempts = (uint8_t)SW_MIN(trouble->attempts + 1, UINT8_MAX);
    if (trouble->n_failed_by < CORE_ATTEMPTS_MAX)
        trouble->failed_by[trouble->n_failed_by++] = agent;
}

static void fail_or_return(struct core *core, const struct core_event *event)
{
    const struct core_lease_ref *ref = &event->of.result.lease;
    struct job *job = job_of(core, ref->job);
    if (!job || ref->chunk >= job->n_chunks)
        return;
    struct chunk *chunk = &job->chunks[ref->chunk];
    struct lease *lease = lease_find(core, job, ref->chunk, event->agent, ref->n);
    if (!lease && BUG(stale_fail_counts) && chunk->lease[0] != NONE)
        lease = &core->leases[chunk->lease[0]];
    if (!lease || !ref->valid)
        return; /* only a live n acts */
    if (event->type == EV_FAIL)
        result_count_attempt(core, chunk, event->agent);
    lease_free(core, lease);
    if (BUG(twin_kills_sibling))
        lease_revoke_others(core, job, ref->chunk, NULL);
    if (BUG(credit_leak))
        core->agents[event->agent].spent_chunks--;
    bool check = chunk->state == CHUNK_VERIFYING;
    if (event->type == EV_FAIL && check) /* the result can not be told right or wrong */
        verify_reject(core, job, ref->chunk, event->payload, event->of.result.failed_files);
    else if (check)
        verify_unchecked(core, job, ref->chunk);
    else if (event->type == EV_FAIL)
        result_count_failure(core, job, ref->chunk, event->payload, event->of.result.failed_files);
    else if (chunk->lease[0] == NONE)
        result_count_failure(core, job, ref->chunk, NULL, 0);
}

void result_event(struct core *core, const struct core_event *event, bool current, int64_t now_ms)
{
    if (event->type == EV_DONE)
        done(core, event, now_ms); /* a late result is still a result */
    else if (current)
        fail_or_return(core, event);
}
