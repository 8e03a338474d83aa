/* Jobs: made, fed with inputs, sealed, changed, cancelled, ended. */
#include "broker/core/state.h"

#include "base/own.h"

#include <errno.h>
#include <string.h>

struct job *job_of(const struct core *core, uint64_t id)
{
    struct job *job = NULL;
    HASH_FIND(hh, core->jobs, &id, sizeof id, job);
    return job;
}

struct job *job_new(struct core *core, uint64_t id, int64_t now_ms)
{
    struct job *job = sw_alloc(1, sizeof *job);
    job->id = id;
    job->touched_ms = now_ms - core->late_ms;
    core->last_job = SW_MAX(core->last_job, id);
    HASH_ADD(hh, core->jobs, id, sizeof job->id, job);
    return job;
}

void job_free(struct core *core, struct job *job)
{
    for (uint32_t i = 0; i < job->n_chunks; i++)
        chunk_forget_trouble(core, &job->chunks[i]);
    job->ending = true;
    job_ring(core, job);
    core->n_chunks -= job->n_chunks;
    HASH_DEL(core->jobs, job);
    sw_release(job->chunks);
    sw_release(job->adds);
    sw_release(job->held);
    sw_release(job);
}

void job_ring(struct core *core, struct job *job)
{
    bool wanted = job->count[CHUNK_READY] > 0 && (!job->ending || BUG(cancel_still_dispatches));
    bool inside = job->ring_next != NULL;
    if (wanted == inside)
        return;
    uint32_t p = (uint32_t)(job->priority - CORE_PRIORITY_MIN);
    struct job **head = &core->ring[p];
    if (wanted && *head) { /* last in turn: before the next one to be served */
        job->ring_next = *head;
        job->ring_prev = (*head)->ring_prev;
        job->ring_prev->ring_next = job;
        job->ring_next->ring_prev = job;
    } else if (wanted) {
        job->ring_next = job->ring_prev = job;
        *head = job;
    } else {
        if (*head == job)
            *head = job->ring_next == job ? NULL : job->ring_next;
        job->ring_prev->ring_next = job->ring_next;
        job->ring_next->ring_prev = job->ring_prev;
        job->ring_next = job->ring_prev = NULL;
    }
    uint64_t bit = (uint64_t)1 << (p % 64);
    core->ring_used[p / 64] =
        *head ? core->ring_used[p / 64] | bit : core->ring_used[p / 64] & ~bit;
}

static const struct add *add_of(const struct job *job, uint64_t key)
{
    for (uint32_t i = 0; i < job->n_adds && key; i++)
        if (job->adds[i].key == key)
            return &job->adds[i];
    return NULL;
}

bool core_knows_add(const struct core *core, uint64_t id, uint64_t key)
{
    const struct job *job = job_of(core, id);
    return job && add_of(job, key);
}

static void submit(struct core *core, const struct core_event *event, int64_t now_ms)
{
    const struct known_key *known =
        event->of.submit.has_key ? key_find(core, event->of.submit.key) : NULL;
    if (known && !BUG(key_makes_two_jobs)) {
        bool same = known->body_hash == event->of.submit.body_hash;
        reply_after(core, event->ref, same ? CORE_EXISTS : CORE_CONFLICT_KEY, known->job, 0);
        return;
    }
    if (HASH_COUNT(core->jobs) >= CORE_JOBS_MAX) {
        reply(core, event->ref, CORE_BUSY, 0, 0);
        return;
    }
    struct job *job = job_new(core, core->last_job + 1, now_ms);
    job->kind = event->of.submit.kind;
    job->priority = job->shown_priority = event->of.submit.priority;
    job->has_key = event->of.submit.has_key && !known;
    memcpy(job->key, event->of.submit.key, sizeof job->key);
    job->body_hash = event->of.submit.body_hash;
    job->verify_all = event->of.submit.verify_all;
    save(core, (struct core_action){.row = ROW_JOB, .job = job->id, .payload = event->payload});
    if (job->has_key)
        key_put(core, job);
    note(core, NOTE_JOB, job->id, 0, 0);
    if (!event->of.submit.more)
        reply_after(core, event->ref, CORE_OK, job->id, 0);
}

int job_append(
    struct core *core, struct job *job, uint64_t key, const uint64_t *sizes, uint32_t n_chunks)
{
    if (job->n_adds >= CORE_JOB_ADDS_MAX ||
        job->n_chunks + (uint64_t)n_chunks > CORE_JOB_CHUNKS_MAX)
        return -E2BIG;
    sw_grow(&job->adds, &job->add_room, job->n_adds + 1, sizeof *job->adds);
    job->adds[job->n_adds++] = (struct add){key, job->n_chunks};
    if (n_chunks > job->chunk_room - job->n_chunks) { /* exact for one ADD, doubling for many */
        size_t need = job->n_chunks + (size_t)n_chunks;
        job->chunk_room = job->n_chunks ? SW_MAX(need, job->chunk_room * 2) : need;
        job->chunks = sw_realloc(job->chunks, job->chunk_room, sizeof *job->chunks);
    }
    for (uint32_t i = 0; i < n_chunks; i++) {
        job->chunks[job->n_chunks++] = (struct chunk){.bytes = sizes[i]};
        job->bytes_in += sizes[i];
    }
    if (job->n_chunks > 1 && job->n_chunks - n_chunks == 1)
        lease_count_first(core, job);
    job->count[CHUNK_READY] += n_chunks;
    core->n_chunks += n_chunks;
    core->dirty = true;
    job_ring(core, job);
    return 0;
}

static void add(struct core *core, struct job *job, const struct core_event *event, int64_t now_ms)
{
    const struct add *before = add_of(job, event->of.add.key);
    if (before && !BUG(add_twice)) { /* it came already */
        reply_after(core, event->ref, CORE_OK, job->id, (uint32_t)(before - job->adds));
        return;
    }
    enum core_code code = job->row_status == JOB_CANCELLED ? CORE_WAS_CANCELLED
                          : job->sealed || job->ending     ? CORE_SEALED
                          : core->n_chunks + event->of.add.n_chunks > CORE_CHUNKS_MAX ? CORE_BUSY
                                                                                      : CORE_OK;
    if (code == CORE_OK &&
        job_append(core, job, event->of.add.key, event->of.add.sizes, event->of.add.n_chunks) < 0)
        code = CORE_TOO_MANY;
    if (code == CORE_BUSY || code == CORE_TOO_MANY) {
        reply(core, event->ref, code, job->id, 0);
        return;
    }
    if (code != CORE_OK) {
        reply_after(core, event->ref, code, job->id, 0); /* why may not be durable yet */
        return;
    }
    job->files += event->of.add.files;
    job->failed_files += event->of.add.failed_files;
    job->touched_ms = now_ms - core->late_ms;
    uint32_t number = job->n_adds - 1;
    save(core, (struct core_action){
                   .row = ROW_ADD, .job = job->id, .add = number, .payload = event->payload});
    note(core, NOTE_JOB, job->id, 0, 0);
    if (!event->of.add.more)
        reply_after(core, event->ref, CORE_OK, job->id, number);
}

static void seal(struct core *core, struct job *job, const struct core_event *event, int64_t now_ms)
{
    if (!job->sealed && !job->ending) {
        job->sealed = true;
        job->touched_ms = now_ms - core->late_ms;
        save_job(core, job, JOB_PENDING);
        job_settle(core, job);
    }
    reply_after(core, event->ref, CORE_OK, job->id, job->n_adds ? job->n_adds - 1 : 0);
}

void job_settle(struct core *core, struct job *job)
{
    if (!job->sealed || job->ending || job->count[CHUNK_READY] || job->count[CHUNK_LEASED] ||
        job->count[CHUNK_VERIFYING])
        return;
    if (BUG(final_too_early) && job->count[CHUNK_COMMITTING])
        job->status = JOB_COMPLETED;
    job->ending = true;
    save_job(core, job, job->count[CHUNK_FAILED] || job->failed_files ? JOB_FAILED : JOB_COMPLETED);
    after(core, (struct effect){.kind = FX_FINAL, .job = job->id});
}

/* Takes away whatever is not yet a result. COMMITTING chunks become DONE when their row is durable.
 */
static void stop(struct core *core, struct job *job)
{
    job->ending = true;
    for (uint32_t i = 0; i < job->n_chunks; i++) {
        if (job->chunks[i].state == CHUNK_VERIFYING)
            verify_forget(core, job, i);
        else if (job->chunks[i].state != CHUNK_READY && job->chunks[i].state != CHUNK_LEASED)
            continue;
        lease_revoke_others(core, job, i, NULL);
        if (!BUG(cancel_still_dispatches))
            chunk_move(core, job, i, CHUNK_CANCELLED);
    }
    job_ring(core, job);
}

void job_cancel(struct core *core, struct job *job, enum core_job_status status)
{
    stop(core, job);
    save_job(core, job, status);
    after(core, (struct effect){.kind = FX_FINAL, .job = job->id});
}

static void cancel(struct core *core, struct job *job, const struct core_event *event)
{
    bool ended = job->ending && job->row_status != JOB_CANCELLED;
    if (!job->ending)
        job_cancel(core, job, JOB_CANCELLED);
    reply_after(core, event->ref, ended ? CORE_FINAL : CORE_OK, job->id, 0);
}

/* Of an open job it also says that its sender is there: a large file travels for longer than an ADD
 * may be awaited. */
static void set(struct core *core, struct job *job, const struct core_event *event, int64_t now_ms)
{
    job->touched_ms = now_ms - core->late_ms;
    if (event->of.set.has_priority && event->of.set.priority != job->priority) {
        bool ending = job->ending;
        job->ending = true; /* out of the ring of its old priority ... */
        job_ring(core, job);
        job->ending = ending; /* ... and into the new one's */
        job->priority = event->of.set.priority;
        job_ring(core, job);
        core->dirty = true;
    }
    save(core, (struct core_action){.row = ROW_JOB, .job = job->id, .payload = event->payload});
    after(core, (struct effect){.kind = FX_SET, .job = job->id, .priority = job->priority});
    reply_after(core, event->ref, CORE_OK, job->id, 0);
}

static void forget(struct core *core, struct job *job, const struct core_event *event)
{
    if (job && !job->ending)
        stop(core, job);
    if (job)
        job->forgotten = true;
    key_forget(core, job, event->job); /* free at once: a row of a new job comes after this one */
    save(core, (struct core_action){.row = ROW_FORGET, .job = event->job});
    after(core, (struct effect){.kind = FX_FORGOTTEN, .job = event->job});
    reply_after(core, event->ref, CORE_OK, event->job, 0);
}

void job_event(struct core *core, const struct core_event *event, int64_t now_ms)
{
    struct job *job = event->type == EV_SUBMIT ? NULL : job_of(core, event->job);
    if (event->type == EV_SUBMIT)
        submit(core, event, now_ms);
    else if (event->type == EV_FORGET)
        forget(core, job, event);
    else if (!job || job->forgotten)
        reply_after(core, event->ref, CORE_NOT_FOUND, event->job, 0);
    else if (event->type == EV_ADD)
        add(core, job, event, now_ms);
    else if (event->type == EV_SEAL)
        seal(core, job, event, now_ms);
    else if (event->type == EV_CANCEL)
        cancel(core, job, event);
    else if (event->type == EV_SET)
        set(core, job, event, now_ms);
    else if (event->type == EV_RETRY)
        retry_event(core, job, event, now_ms);
}

void job_tick(struct core *core, int64_t now_ms)
{
    struct job *job, *next_job;
    HASH_ITER(hh, core->jobs, job, next_job)
    {
        int64_t idle_ms = now_ms - core->late_ms - job->touched_ms;
        bool open = !job->sealed && !job->ending;
        if (open && idle_ms >= CORE_UNSEALED_MS && !BUG(no_unsealed_timeout))
            job_cancel(core, job, JOB_CANCELLED);
    }
}
