/* Invariants 2, 4, 5, 13 and 17: what is acknowledged, shown or TAKEN against what the store really
 * has, and what the store is told against what stands in it. Called by oracle.c and, row by row, by
 * store.c. */
#include "oracle.h"

#include "base/own.h"

#include <string.h>

static const struct waiter *waiter_of(const struct world *w, uint64_t ref)
{
    for (size_t i = 0; i < w->shell.n_waiters; i++)
        if (w->shell.waiters[i].ref == ref)
            return &w->shell.waiters[i];
    return NULL;
}

static bool has_add(const struct stored_job *job, uint32_t add)
{
    for (uint32_t i = 0; i < job->n_adds; i++)
        if (job->adds[i] == add)
            return true;
    return false;
}

static void check_submitted(struct world *w,
                            const struct client *c,
                            const struct core_action *a,
                            bool with_inputs)
{
    const struct stored_job *job = store_job(w, a->job);
    if (!job && a->code == CORE_EXISTS && c->forget_asked)
        return; /* it was there when asked; both waited for one commit */
    if (!job)
        world_fail(w, 4, "SUBMIT of client %u acknowledged, job %lu not in the store", c->index,
                   (unsigned long)a->job);
    if (job->client != c)
        world_fail(w, 17, "client %u is given the job of another", c->index);
    if (a->code == CORE_EXISTS || !with_inputs)
        return;
    if ((c->in_submit && !has_add(job, 0)) || (c->seal_in_submit && !job->row.sealed))
        world_fail(w, 4, "SUBMIT acknowledged, what travelled with it is not in the store");
}

void durable_reply(struct world *w, const struct core_action *a)
{
    const struct waiter *waiter = waiter_of(w, a->ref);
    if (!waiter)
        world_fail(w, 5, "a reply to nobody, or a second one");
    const struct client *c = &w->clients[waiter->client];
    const struct stored_job *job = store_job(w, a->job);
    if (waiter->what == EV_SUBMIT && (a->code == CORE_OK || a->code == CORE_EXISTS))
        check_submitted(w, c, a, waiter->number == 0);
    if (waiter->what == EV_SUBMIT || a->code != CORE_OK)
        return;
    if (waiter->what == EV_FORGET) {
        if (job)
            world_fail(w, 4, "FORGET acknowledged, job %lu still in the store",
                       (unsigned long)a->job);
        return;
    }
    if (!job)
        return; /* forgotten meanwhile */
    if (waiter->what == EV_ADD && !has_add(job, waiter->number))
        world_fail(w, 4, "ADD acknowledged, not in the store");
    if (waiter->what == EV_SEAL && !job->row.sealed && job->row.status < JOB_COMPLETED)
        world_fail(w, 4, "SEAL acknowledged, not in the store");
    if (waiter->what == EV_CANCEL && job->row.status != JOB_CANCELLED)
        world_fail(w, 4, "CANCEL acknowledged, not in the store");
}

/* The agent may forget: the result stands in the store, or nobody will ever want it. */
void durable_taken(struct world *w, const struct core_action *a)
{
    const struct stored_job *job = store_job(w, a->job);
    struct core_job_view view;
    bool live = core_job(w->core, a->job, &view);
    if (!w->oracle->agents[a->agent].online)
        world_fail(w, 8, "TAKEN to agent %u, which is not there", a->agent);
    const struct sight *sight = oracle_sight(w, a->job);
    if (checks_was_one(w, a->n))
        return; /* a verdict: nothing to keep */
    if ((!job && !live) || (a->chunk < sight->room && a->n <= sight->marks[a->chunk].born_n))
        return;
    if (job && (job->row.status >= JOB_COMPLETED || job->forgetting))
        return;
    if (job && a->chunk < job->n_chunks && job->chunks[a->chunk].exists &&
        job->chunks[a->chunk].row.state != CHUNK_READY)
        return;
    if (job && a->chunk >= job->n_chunks && (!live || a->chunk >= view.chunks))
        return; /* there never was such a chunk */
    world_fail(w, 5, "TAKEN of chunk %u of job %lu before its commit", a->chunk,
               (unsigned long)a->job);
}

void durable_shown(struct world *w, uint64_t number, const struct core_job_view *view)
{
    const struct stored_job *job = store_job(w, number);
    if (view->status >= JOB_COMPLETED && (!job || job->row.status != view->status))
        world_fail(w, 5, "job %lu is shown as ended before its commit", (unsigned long)number);
    if (view->done + view->failed == 0)
        return;
    const struct sight *sight = oracle_sight(w, number);
    for (uint32_t i = 0; i < sight->n; i++) {
        enum core_chunk_state state = sight->chunks[i].state;
        if (state != CHUNK_DONE && state != CHUNK_FAILED)
            continue;
        if (!job || i >= job->n_chunks || !job->chunks[i].exists ||
            job->chunks[i].row.state != state)
            world_fail(w, 5, "chunk %u of job %lu is shown in state %d before its commit", i,
                       (unsigned long)number, state);
    }
}

static void check_key(struct world *w, const struct core_load_job *row)
{
    for (size_t i = 0; i < w->store.n_jobs && row->has_key; i++) {
        const struct stored_job *other = &w->store.jobs[i];
        if (other->exists && i != row->job && other->row.has_key &&
            memcmp(other->row.key, row->key, sizeof row->key) == 0)
            world_fail(w, 17, "jobs %lu and %lu have one idempotency key", (unsigned long)i,
                       (unsigned long)row->job);
    }
}

static uint64_t content(const struct stored_job *job, uint32_t chunk)
{
    for (uint32_t i = 0; i < job->n_adds; i++) {
        const struct add *add = &job->client->adds[job->adds[i]];
        if (chunk < add->n_chunks)
            return world_content(job->client->nonce, add, chunk);
        chunk -= add->n_chunks;
    }
    return 0;
}

static void check_chunk(struct world *w, const struct row *row)
{
    const struct stored_job *job = store_job(w, row->job.job);
    uint32_t chunk = row->chunk.chunk;
    if (!job || chunk >= job->n_chunks)
        return; /* store.c says so */
    const struct stored_chunk *old = &job->chunks[chunk];
    if (old->exists && old->row.state == CHUNK_DONE)
        world_fail(w, 2, "a second row for chunk %u of job %lu, which is DONE", chunk,
                   (unsigned long)row->job.job);
    if (row->chunk.state == CHUNK_DONE) {
        w->counts[COUNT_DONE]++;
        bool right = world_is_right(content(job, chunk), row->result);
        w->counts[COUNT_WRONG] += !right;
        if (!right && (!w->processes[row->agent].broken || job->row.verify_all))
            world_fail(w, 16, "the result of chunk %u of job %lu is not the reference", chunk,
                       (unsigned long)row->job.job);
    }
    if (row->chunk.state == CHUNK_FAILED && row->chunk.attempts < CORE_ATTEMPTS_MAX &&
        row->chunk.losses < CORE_LOSSES_MAX)
        world_fail(w, 10, "chunk %u of job %lu FAILED below the limits", chunk,
                   (unsigned long)row->job.job);
}

void oracle_row(struct world *w, const struct row *row)
{
    const struct stored_job *job = store_job(w, row->job.job);
    if (row->kind == ROW_CHUNK)
        check_chunk(w, row);
    if (row->kind == ROW_ADD && job && has_add(job, row->index))
        world_fail(w, 17, "an ADD stands twice in job %lu", (unsigned long)row->job.job);
    if (row->kind != ROW_JOB)
        return;
    if (!job && !row->client)
        world_fail(w, 4, "a row of job %lu, which was forgotten", (unsigned long)row->job.job);
    check_key(w, &row->job);
    if (job && job->row.status == JOB_CANCELLED && row->job.status != JOB_CANCELLED)
        world_fail(w, 12, "job %lu was cancelled and lives", (unsigned long)row->job.job);
    if (row->job.status != JOB_COMPLETED && row->job.status != JOB_FAILED)
        return;
    /* in the batch of its last chunk or later: every prefix is a legal state */
    for (uint32_t i = 0; job && i < job->n_chunks; i++)
        if (!job->chunks[i].exists || job->chunks[i].row.state == CHUNK_READY)
            world_fail(w, 5, "job %lu ends before the row of chunk %u", (unsigned long)row->job.job,
                       i);
}
