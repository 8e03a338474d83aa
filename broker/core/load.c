/* After a restart: the jobs, ADDs and chunks that the store kept. Nothing is leased; agents' HELLOs
 * re-adopt what they still have. */
#include "broker/core/state.h"

#include <errno.h>
#include <string.h>

/* Its FORGET waits for the commit: what was read from the store is about to go. */
static bool forgetting(const struct core *core, uint64_t job)
{
    const struct effects *queue = &core->effects;
    for (size_t i = 0; i < queue->n; i++) {
        const struct effect *effect = &queue->items[(queue->head + i) % queue->room];
        if (effect->kind == FX_FORGOTTEN && effect->job == job)
            return true;
    }
    return false;
}

void core_load_job(struct core *core, const struct core_load_job *load, int64_t now_ms)
{
    core->loading = !core->started;
    if (job_of(core, load->job))
        return;
    struct job *job = job_new(core, load->job, now_ms);
    job->kind = load->kind;
    job->priority = job->shown_priority = load->priority;
    job->sealed = load->sealed;
    job->has_key = load->has_key;
    memcpy(job->key, load->key, sizeof job->key);
    job->body_hash = load->body_hash;
    job->verify_all = load->verify_all;
    job->status = job->row_status = load->status;
    job->ending = load->status >= JOB_COMPLETED;
    job->forgotten = forgetting(core, load->job);
    if (job->has_key && !job->forgotten)
        key_put(core, job);
}

int core_load_add(struct core *core,
                  uint64_t id,
                  uint64_t key,
                  const uint64_t *sizes,
                  uint32_t n_chunks,
                  uint64_t files,
                  uint64_t failed_files)
{
    struct job *job = job_of(core, id);
    if (!job)
        return -ENOENT;
    job->files += files;
    job->failed_files += failed_files;
    return job_append(core, job, key, sizes, n_chunks);
}

int core_load_chunk(struct core *core, uint64_t id, const struct core_load_chunk *load)
{
    struct job *job = job_of(core, id);
    if (!job || load->chunk >= job->n_chunks)
        return -ENOENT;
    struct chunk *chunk = &job->chunks[load->chunk];
    if (load->attempts || load->losses || load->state == CHUNK_FAILED) {
        struct trouble *trouble = chunk_trouble(core, chunk);
        /* READY at the limit: its twin was still running; one more, instead of a result thrown away
         */
        bool again = load->state == CHUNK_READY && load->attempts >= core->attempts_max;
        trouble->attempts = (uint8_t)(again ? core->attempts_max - 1 : load->attempts);
        trouble->losses = (uint8_t)load->losses;
        trouble->failed_files = load->state == CHUNK_FAILED ? load->failed_files : 0;
    }
    job->failed_files += load->failed_files;
    if (load->state != CHUNK_DONE && load->state != CHUNK_FAILED)
        return 0;
    job->count[chunk->state]--; /* not a move: it was so before the restart */
    job->count[load->state]++;
    chunk->state = (uint8_t)load->state;
    job->bytes_out += load->bytes_out;
    if (load->state == CHUNK_DONE)
        job->bytes_done += chunk->bytes;
    if (job->status == JOB_PENDING)
        job->status = JOB_PROCESSING;
    job_ring(core, job);
    return 0;
}

void core_unload(struct core *core, uint64_t id, int64_t now_ms)
{
    struct job *job = job_of(core, id);
    if (job && job->status >= JOB_COMPLETED) /* no other is shown as final */
        retry_drop(core, job, now_ms);
}

void core_loaded(struct core *core, const uint32_t *agents, size_t n, int64_t now_ms)
{
    core->loading = false;
    core->started = true;
    core->settled = n == 0;
    core->settle_ms = now_ms + CORE_SETTLE_MS;
    core->settle_max_ms = now_ms + CORE_SETTLE_MAX_MS;
    for (size_t i = 0; i < n; i++)
        agent_of(core, agents[i])->waited_for = true;
    struct job *job, *next_job;
    HASH_ITER(hh, core->jobs, job, next_job)
    {
        job_settle(core, job); /* its last chunk was durable, the row that ends it was not */
    }
    core->dirty = true;
}

void core_load_drop(struct core *core, uint64_t id)
{
    struct job *job = job_of(core, id);
    if (!job)
        return;
    key_forget(core, job, id);
    job_free(core, job);
}
