/* RETRY: FAILED chunks are READY again, attempts and losses at zero; DONE ones stay. The job may
 * have been ended: then the loop loaded it again for this. */
#include "broker/core/state.h"

static void again(struct core *core, struct job *job, uint32_t index)
{
    struct chunk *chunk = &job->chunks[index];
    if (chunk->trouble != NONE) {
        uint32_t counted = core->troubles[chunk->trouble].failed_files;
        job->failed_files -= counted < job->failed_files ? counted : job->failed_files;
    }
    if (!BUG(retry_keeps_attempts))
        chunk_forget_trouble(core, chunk);
    chunk_saving(job, chunk, false);
    chunk_move(core, job, index, CHUNK_READY);
    save_chunk(core, job, index, NULL);
}

/* Its key is that of an ended job again: a FORGET must find it among those. */
void retry_drop(struct core *core, struct job *job, int64_t now_ms)
{
    key_ended(core, job, now_ms);
    act(core, (struct core_action){.type = ACT_ENDED, .job = job->id});
    job_free(core, job);
}

void retry_event(struct core *core, struct job *job, const struct core_event *event, int64_t now_ms)
{
    bool reloaded = job->status >= JOB_COMPLETED; /* shown as final: it was loaded for this */
    enum core_code code = job->row_status == JOB_CANCELLED ? CORE_WAS_CANCELLED
                          : job->count[CHUNK_FAILED] == 0 && !job->ending && !reloaded
                              ? CORE_NOT_FINISHED
                          : job->count[CHUNK_FAILED] == 0 ? CORE_NOTHING_FAILED
                          : job->ending && !reloaded      ? CORE_NOT_FINISHED
                                                          : CORE_OK;
    if (code != CORE_OK) {
        reply_after(core, event->ref, code, job->id, 0);
        if (reloaded)
            retry_drop(core, job, now_ms);
        return;
    }
    job->ending = false;
    job->status = JOB_PROCESSING;
    save_job(core, job, JOB_PROCESSING);
    for (uint32_t i = 0; i < job->n_chunks; i++)
        if (job->chunks[i].state == CHUNK_FAILED)
            again(core, job, i);
    after(core, (struct effect){.kind = FX_REOPENED, .job = job->id});
    reply_after(core, event->ref, CORE_OK, job->id, 0);
}
