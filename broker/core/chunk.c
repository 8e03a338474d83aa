/* A chunk's states and what went wrong with it. chunk_move is the only place that changes a state;
 * what the table does not allow is our own bug. */
#include "broker/core/state.h"

#include "base/own.h"

#define TO(state) (1U << CHUNK_##state)

static const uint8_t successors[CHUNK_STATES] = {
    [CHUNK_READY] = TO(LEASED) | TO(VERIFYING) | TO(COMMITTING) | TO(CANCELLED),
    [CHUNK_LEASED] = TO(READY) | TO(VERIFYING) | TO(COMMITTING) | TO(FAILED) | TO(CANCELLED),
    [CHUNK_VERIFYING] = TO(READY) | TO(COMMITTING) | TO(FAILED) | TO(CANCELLED),
    [CHUNK_COMMITTING] = TO(DONE),
    [CHUNK_DONE] = 0,
    [CHUNK_FAILED] = TO(READY),
    [CHUNK_CANCELLED] = 0,
};

void chunk_move(struct core *core, struct job *job, uint32_t index, enum core_chunk_state to)
{
    struct chunk *chunk = &job->chunks[index];
    enum core_chunk_state from = chunk->state;
    assert(successors[from] & (1U << to) || BUG(done_changes_done) || BUG(assign_committing));
    job->count[from]--;
    if (!(BUG(counter_drift) && from == CHUNK_LEASED && to == CHUNK_READY))
        job->count[to]++;
    chunk->state = (uint8_t)to;
    if (to == CHUNK_READY)
        chunk_requeue(job, index);
    core->dirty = true;
    job_ring(core, job);
}

bool chunk_is_over(const struct core *core, const struct chunk *chunk)
{
    const struct trouble *trouble = chunk_trouble_view(core, chunk);
    uint32_t agents_min = BUG(losses_on_one_agent) ? 1 : CORE_LOSS_AGENTS_MIN;
    return trouble->attempts >= core->attempts_max ||
           (trouble->losses >= CORE_LOSSES_MAX && trouble->n_lost_by >= agents_min);
}

void chunk_saving(struct job *job, struct chunk *chunk, bool saving)
{
    job->n_saving += (uint32_t)saving - (uint32_t)chunk->saving;
    chunk->saving = saving;
}

bool chunk_final(const struct chunk *chunk)
{
    return successors[chunk->state] == 0 || chunk->state == CHUNK_FAILED;
}

void chunk_requeue(struct job *job, uint32_t index)
{
    struct chunk *chunk = &job->chunks[index];
    if (chunk->queued || index >= job->cursor)
        return; /* it stands there already, or the cursor will come to it */
    chunk->queued = true;
    chunk->retry_next = NONE;
    if (job->retry_tail != NONE)
        job->chunks[job->retry_tail - 1].retry_next = index + 1;
    else
        job->retry_head = index + 1;
    job->retry_tail = index + 1;
}

struct trouble *chunk_trouble(struct core *core, struct chunk *chunk)
{
    if (chunk->trouble == NONE) {
        if (core->free_trouble != NONE) {
            chunk->trouble = core->free_trouble;
            core->free_trouble = core->troubles[chunk->trouble].failed_files;
        } else {
            sw_grow(&core->troubles, &core->trouble_room, core->n_troubles + 1,
                    sizeof *core->troubles);
            chunk->trouble = core->n_troubles++;
        }
        core->troubles[chunk->trouble] = (struct trouble){0};
    }
    return &core->troubles[chunk->trouble];
}

void chunk_forget_trouble(struct core *core, struct chunk *chunk)
{
    if (chunk->trouble == NONE)
        return;
    core->troubles[chunk->trouble].failed_files = core->free_trouble;
    core->free_trouble = chunk->trouble;
    chunk->trouble = NONE;
}

const struct trouble *chunk_trouble_view(const struct core *core, const struct chunk *chunk)
{
    static const struct trouble none;
    return chunk->trouble == NONE ? &none : &core->troubles[chunk->trouble];
}
