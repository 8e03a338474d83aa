/* What goes out: actions at once, rows to be saved, and the effects that wait until their row is
 * durable. */
#include "broker/core/state.h"

#include "base/own.h"

/* Both queues are rings over one growing array. */
#define RING_PUSH(q, item)                                                                         \
    do {                                                                                           \
        if ((q)->n == (q)->room) {                                                                 \
            size_t old_ = (q)->room;                                                               \
            sw_grow(&(q)->items, &(q)->room, (q)->n + 1, sizeof *(q)->items);                      \
            for (size_t i_ = 0; i_ < (q)->head; i_++) /* unwrap: room at least doubled */          \
                (q)->items[old_ + i_] = (q)->items[i_];                                            \
        }                                                                                          \
        (q)->items[((q)->head + (q)->n++) % (q)->room] = (item);                                   \
    } while (0)

void act(struct core *core, struct core_action action)
{
    RING_PUSH(&core->actions, action);
}

bool core_next(struct core *core, struct core_action *ret_action)
{
    struct actions *queue = &core->actions;
    if (queue->n == 0)
        return false;
    *ret_action = queue->items[queue->head];
    queue->head = (queue->head + 1) % queue->room;
    queue->n--;
    return true;
}

uint64_t save(struct core *core, struct core_action row)
{
    row.type = ACT_SAVE;
    row.seq = ++core->seq;
    act(core, row);
    return row.seq;
}

uint64_t save_job(struct core *core, struct job *job, enum core_job_status row_status)
{
    job->row_status = row_status;
    return save(core, (struct core_action){.row = ROW_JOB, .job = job->id});
}

void save_chunk(struct core *core, const struct job *job, uint32_t index, const void *payload)
{
    const struct chunk *chunk = &job->chunks[index];
    const struct trouble *trouble = chunk_trouble_view(core, chunk);
    save(core, (struct core_action){.row = ROW_CHUNK,
                                    .job = job->id,
                                    .chunk = index,
                                    .state = chunk->state == CHUNK_COMMITTING ? CHUNK_DONE
                                             : chunk->state == CHUNK_FAILED   ? CHUNK_FAILED
                                                                              : CHUNK_READY,
                                    .attempts = trouble->attempts,
                                    .losses = trouble->losses,
                                    .payload = payload});
}

void after(struct core *core, struct effect effect)
{
    effect.seq = core->seq;
    RING_PUSH(&core->effects, effect);
}

void reply(struct core *core, uint64_t ref, enum core_code code, uint64_t job, uint32_t add)
{
    if (ref)
        act(core, (struct core_action){
                      .type = ACT_REPLY, .ref = ref, .code = code, .job = job, .add = add});
}

void reply_after(struct core *core, uint64_t ref, enum core_code code, uint64_t job, uint32_t add)
{
    if (core->committed == core->seq || BUG(ack_before_commit))
        reply(core, ref, code, job, add);
    else
        after(core,
              (struct effect){.kind = FX_REPLY, .ref = ref, .code = code, .job = job, .add = add});
}

void note(struct core *core, enum core_note kind, uint64_t job, uint32_t chunk, uint32_t agent)
{
    act(core, (struct core_action){
                  .type = ACT_NOTE, .note = kind, .job = job, .chunk = chunk, .agent = agent});
}

static void send_taken(struct core *core, const struct effect *effect)
{
    const struct agent *agent = agent_of(core, effect->agent);
    if (agent->online && !BUG(surplus_not_taken))
        act(core, (struct core_action){.type = ACT_TAKEN,
                                       .agent = effect->agent,
                                       .session = agent->session,
                                       .job = effect->job,
                                       .chunk = effect->chunk,
                                       .n = effect->n});
}

/* A surplus result: the agent may forget it once all that makes it surplus is durable. */
void taken_after(struct core *core, uint32_t agent, const struct core_lease_ref *ref)
{
    struct effect effect = {
        .kind = FX_TAKEN, .job = ref->job, .chunk = ref->chunk, .n = ref->n, .agent = agent};
    if (core->committed == core->seq || BUG(taken_before_commit))
        send_taken(core, &effect);
    else
        after(core, effect);
}

static void chunk_is_done(struct core *core, struct job *job, const struct effect *effect)
{
    chunk_move(core, job, effect->chunk, CHUNK_DONE);
    job->bytes_done += job->chunks[effect->chunk].bytes;
    note(core, NOTE_CHUNK, job->id, effect->chunk, effect->agent);
}

static void job_is_over(struct core *core, struct job *job, bool forgotten, int64_t now_ms)
{
    uint64_t id = job->id;
    job->status = job->row_status;
    note(core, NOTE_JOB, id, 0, 0);
    key_ended(core, job, now_ms);
    act(core, (struct core_action){.type = ACT_ENDED, .job = id, .forgotten = forgotten});
    if (!BUG(forget_leaks))
        job_free(core, job);
}

static void apply(struct core *core, const struct effect *effect, int64_t now_ms)
{
    struct job *job = job_of(core, effect->job);
    switch (effect->kind) {
    case FX_DONE:
        if (job)
            chunk_is_done(core, job, effect);
        send_taken(core, effect);
        break;
    case FX_FAILED:
        /* not if it was retried meanwhile and FAILED again: then a newer row is on the way */
        if (job && job->chunks[effect->chunk].state == CHUNK_FAILED &&
            chunk_trouble_view(core, &job->chunks[effect->chunk])->failed_seq == effect->seq) {
            chunk_saving(job, &job->chunks[effect->chunk], false);
            note(core, NOTE_CHUNK, job->id, effect->chunk, UINT32_MAX); /* nobody's work */
        }
        break;
    case FX_TAKEN:
        send_taken(core, effect);
        break;
    case FX_REPLY:
        reply(core, effect->ref, effect->code, effect->job, effect->add);
        break;
    case FX_FINAL:
    case FX_FORGOTTEN:
        if (job)
            job_is_over(core, job, effect->kind == FX_FORGOTTEN, now_ms);
        else if (effect->kind == FX_FORGOTTEN)
            act(core,
                (struct core_action){.type = ACT_ENDED, .job = effect->job, .forgotten = true});
        break;
    case FX_SET:
        if (job) {
            job->shown_priority = effect->priority;
            note(core, NOTE_JOB, job->id, 0, 0);
        }
        break;
    case FX_REOPENED:
        if (job && !job->ending)
            note(core, NOTE_JOB, job->id, 0, 0);
        break;
    }
}

void committed(struct core *core, uint64_t seq, int64_t now_ms)
{
    struct effects *queue = &core->effects;
    core->committed = SW_MAX(core->committed, SW_MIN(seq, core->seq));
    while (queue->n && queue->items[queue->head].seq <= core->committed) {
        struct effect effect = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->room;
        queue->n--;
        apply(core, &effect, now_ms);
    }
}
