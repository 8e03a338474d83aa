/* The journal and the store behind it: one batch at a time, slow, failing, and at a crash keeping a
 * prefix of what was under way. Owns all that survives a restart. Called by shell.c with rows and
 * by world.c when a commit ends; never tells the core anything but COMMITTED. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 64 }; /* far less than in production, so that batches are cut in more places */

static void forget(struct stored_job *job)
{
    free(job->adds);
    free(job->chunks);
    *job = (struct stored_job){0};
}

void store_done(struct store *s)
{
    for (size_t i = 0; i < s->n_jobs; i++)
        forget(&s->jobs[i]);
    free(s->jobs);
    free(s->queue);
    *s = (struct store){0};
}

struct stored_job *store_job(struct world *w, uint64_t job)
{
    struct store *s = &w->store;
    return job < s->n_jobs && s->jobs[job].exists ? &s->jobs[job] : NULL;
}

static struct stored_job *make_job(struct store *s, uint64_t job)
{
    if (job >= s->n_jobs) {
        size_t n = (size_t)job + 16;
        s->jobs = sw_realloc(s->jobs, n, sizeof *s->jobs);
        memset(s->jobs + s->n_jobs, 0, (n - s->n_jobs) * sizeof *s->jobs);
        s->n_jobs = n;
    }
    s->last_job = SW_MAX(s->last_job, job);
    s->jobs[job].exists = true;
    return &s->jobs[job];
}

static void apply_add(struct world *w, struct stored_job *job, const struct row *row)
{
    if (row->add != job->n_adds)
        world_fail(w, 4, "ADD %u of a job follows %u in the store", row->add, job->n_adds);
    job->adds = sw_realloc(job->adds, job->n_adds + 1, sizeof *job->adds);
    uint32_t index = row->index;
    job->adds[job->n_adds++] = index;
    uint32_t more = job->client->adds[index].n_chunks;
    job->chunks = sw_realloc(job->chunks, job->n_chunks + more, sizeof *job->chunks);
    memset(job->chunks + job->n_chunks, 0, more * sizeof *job->chunks);
    job->n_chunks += more;
}

/* A row of a job that does not exist (any more) is an order of rows that no prefix may have. */
static void apply(struct world *w, const struct row *row)
{
    struct stored_job *job = store_job(w, row->job.job);
    oracle_row(w, row);
    if (row->kind == ROW_JOB) {
        bool is_new = !job;
        job = make_job(&w->store, row->job.job);
        job->row = row->job;
        if (is_new)
            job->client = row->client;
        return;
    }
    if (!job && row->kind == ROW_FORGET)
        return; /* asked for twice */
    if (!job)
        world_fail(w, 4, "row of kind %d for job %lu, which has no row", row->kind,
                   (unsigned long)row->job.job);
    switch (row->kind) {
    case ROW_ADD:
        apply_add(w, job, row);
        break;
    case ROW_CHUNK:
        if (row->chunk.chunk >= job->n_chunks)
            world_fail(w, 4, "row of chunk %u before its ADD", row->chunk.chunk);
        job->chunks[row->chunk.chunk] = (struct stored_chunk){true, row->chunk, row->result};
        break;
    case ROW_FORGET:
        forget(job);
        break;
    case ROW_JOB:
        break;
    }
}

static void begin(struct world *w)
{
    struct store *s = &w->store;
    if (s->in_flight || s->n_queue == 0)
        return;
    struct rng *r = &w->store_rng;
    s->in_flight = SW_MIN(s->n_queue, (size_t)BATCH_ROWS);
    int64_t ms = w->laboratory ? 1 : rng_between(r, 0, 4);
    if (world_has(w, FAULT_store_slow) && rng_chance(r, 100))
        ms = rng_between(r, 10, 3000);
    if (BUG(store_commits_early))
        world_later(w, 0, ENTRY_COMMIT, 1, 0, w->shell.generation);
    world_later(w, ms, ENTRY_COMMIT, 0, 0, w->shell.generation);
}

void store_put(struct world *w, const struct row *row)
{
    struct store *s = &w->store;
    sw_grow(&s->queue, &s->queue_room, s->n_queue + 1, sizeof *s->queue);
    s->queue[s->n_queue++] = *row;
    begin(w);
}

static void apply_first(struct world *w, size_t n)
{
    struct store *s = &w->store;
    for (size_t i = 0; i < n; i++)
        apply(w, &s->queue[i]);
}

void store_commit(struct world *w, const struct entry *e)
{
    struct store *s = &w->store;
    if (e->generation != w->shell.generation || !w->core)
        return;
    if (e->who == 1) { /* the planted bug: reported, not done */
        struct core_event early = {.type = EV_COMMITTED,
                                   .of.committed = s->queue[s->in_flight - 1].seq};
        control_feed(w, &early, NULL);
        return;
    }
    if (s->failing) { /* recovery, not retry */
        s->failing = false;
        control_stop(w);
        return;
    }
    apply_first(w, s->in_flight);
    uint64_t before = s->committed;
    for (size_t i = 0; i < s->in_flight; i++)
        s->committed = SW_MAX(s->committed, s->queue[i].seq);
    s->n_queue -= s->in_flight;
    memmove(s->queue, s->queue + s->in_flight, s->n_queue * sizeof *s->queue);
    s->in_flight = 0;
    s->commits++;
    struct core_event event = {.type = EV_COMMITTED, .of.committed = s->committed};
    if (s->committed != before)
        control_feed(w, &event, NULL);
    begin(w);
}

/* Of the batch under way any prefix may have reached the disk; the rest was never there. */
void store_crash(struct world *w)
{
    struct store *s = &w->store;
    if (s->in_flight && !BUG(store_commits_early))
        apply_first(w, rng_below(&w->store_rng, s->in_flight + 1));
    s->n_queue = s->in_flight = 0;
    s->committed = 0;
    for (size_t i = 0; i < s->n_jobs; i++)
        s->jobs[i].forgetting = false;
}

static void load(struct world *w, uint64_t number)
{
    const struct stored_job *job = &w->store.jobs[number];
    core_load_job(w->core, &job->row, w->now_ms);
    for (uint32_t i = 0; i < job->n_adds; i++) {
        const struct add *add = &job->client->adds[job->adds[i]];
        int r = core_load_add(w->core, number, add->key, add->sizes, add->n_chunks, add->files,
                              add->failed_files);
        if (r < 0)
            world_fail(w, 4, "ADD %u of job %lu is refused at loading", i, (unsigned long)number);
    }
    for (uint32_t i = 0; i < job->n_chunks; i++)
        if (job->chunks[i].exists && core_load_chunk(w->core, number, &job->chunks[i].row) < 0)
            world_fail(w, 4, "chunk %u of job %lu is refused at loading", i, (unsigned long)number);
}

void store_load(struct world *w)
{
    for (size_t i = 0; i < w->store.n_jobs; i++)
        if (w->store.jobs[i].exists && w->store.jobs[i].row.status <= JOB_PROCESSING)
            load(w, i);
}

bool store_load_job(struct world *w, uint64_t job)
{
    const struct stored_job *stored = store_job(w, job);
    if (!stored || stored->forgetting || stored->row.status <= JOB_PROCESSING)
        return false;
    load(w, job);
    return true;
}

uint64_t store_find_key(struct world *w, const uint8_t key[16], uint64_t *ret_body_hash)
{
    for (size_t i = 0; i < w->store.n_jobs; i++) {
        const struct stored_job *job = &w->store.jobs[i];
        if (job->exists && job->row.has_key && memcmp(job->row.key, key, 16) == 0) {
            *ret_body_hash = job->row.body_hash;
            return i;
        }
    }
    return 0;
}
