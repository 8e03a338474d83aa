/* Invariants 4, 16, 17 and 18 at the end: after healing every job is final, nothing acknowledged is
 * missing, every result equals the serial reference, and no agent and no memory keeps anything.
 * Called by sim.c and clients.c. */
#include "oracle.h"

#include "base/own.h"

void oracle_resubmitted(struct world *w, const struct client *c, const struct reply *reply)
{
    if (!c->has_key || c->forget_asked || c->job == 0)
        return; /* the key may be free again */
    if (reply->number == 1 && (reply->code == CORE_OK || reply->code == CORE_EXISTS))
        world_fail(w, 17, "client %u: another body under its key is accepted", c->index);
    if (reply->number == 0 && (reply->code == CORE_OK || reply->code == CORE_EXISTS) &&
        reply->job != c->job)
        world_fail(w, 17, "client %u: jobs %lu and %lu under one key", c->index,
                   (unsigned long)c->job, (unsigned long)reply->job);
}

/* What the job's chunks and files make of it. */
static enum core_job_status status_by_chunks(const struct stored_job *job)
{
    uint64_t bad = 0;
    for (uint32_t i = 0; i < job->n_adds; i++)
        bad += job->client->adds[job->adds[i]].failed_files;
    for (uint32_t i = 0; i < job->n_chunks; i++) {
        const struct stored_chunk *chunk = &job->chunks[i];
        bad += chunk->row.state == CHUNK_FAILED || chunk->row.failed_files;
    }
    return bad ? JOB_FAILED : JOB_COMPLETED;
}

static void check_chunks(struct world *w, uint64_t number, const struct stored_job *job)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < job->n_adds; i++) {
        const struct add *add = &job->client->adds[job->adds[i]];
        for (uint32_t k = 0; k < add->n_chunks; k++, at++) {
            const struct stored_chunk *chunk = &job->chunks[at];
            bool hurt = chunk->row.attempts || chunk->row.losses;
            if (chunk->row.state == CHUNK_FAILED && add->traits[k] == TRAIT_GOOD && !hurt)
                world_fail(w, 16, "chunk %u of job %lu FAILED without a failure", at,
                           (unsigned long)number);
            if (chunk->row.state == CHUNK_DONE && add->traits[k] == TRAIT_HOPELESS)
                world_fail(w, 16, "chunk %u of job %lu cannot have a result", at,
                           (unsigned long)number);
            if (chunk->row.state == CHUNK_DONE &&
                chunk->row.failed_files != (add->traits[k] == TRAIT_BAD_FILE))
                world_fail(w, 16, "failed files of chunk %u of job %lu", at, (unsigned long)number);
        }
    }
}

static void check_job(struct world *w, uint64_t number)
{
    const struct stored_job *job = &w->store.jobs[number];
    const struct client *c = job->client;
    if (job->row.status < JOB_COMPLETED)
        world_fail(w, 16, "job %lu of client %u is not final: status %d", (unsigned long)number,
                   c->index, job->row.status);
    w->counts[COUNT_JOBS]++;
    bool open = c->abandon || c->given_up || c->cancel_asked || c->forget_asked;
    if (job->row.status == JOB_CANCELLED) {
        if (!open)
            world_fail(w, 16, "job %lu was cancelled by nobody", (unsigned long)number);
        return;
    }
    if (!job->row.sealed)
        world_fail(w, 16, "job %lu ended without SEAL", (unsigned long)number);
    for (uint32_t i = 0; i < c->n_adds; i++) {
        bool found = false;
        for (uint32_t k = 0; k < job->n_adds; k++)
            found |= job->adds[k] == i;
        if (!found)
            world_fail(w, 4, "ADD %u of job %lu is missing", i, (unsigned long)number);
    }
    check_chunks(w, number, job);
    if (job->row.status != status_by_chunks(job))
        world_fail(w, 16, "job %lu ended with status %d, its chunks say %d", (unsigned long)number,
                   job->row.status, status_by_chunks(job));
}

void oracle_finish(struct world *w)
{
    for (uint32_t i = 0; i < w->n_clients; i++) {
        const struct client *c = &w->clients[i];
        if (c->job && !c->forget_asked && !store_job(w, c->job))
            world_fail(w, 4, "job %lu of client %u is not in the store", (unsigned long)c->job, i);
    }
    for (size_t i = 0; i < w->store.n_jobs; i++)
        if (w->store.jobs[i].exists)
            check_job(w, i);
    for (uint32_t i = 0; i < w->options.agents; i++)
        if (w->processes[i].n_held)
            world_fail(w, 18, "agent %u still holds %zu leases", i, w->processes[i].n_held);
    if (w->shell.n_kept)
        world_fail(w, 14, "%zu results are still kept for a check", w->shell.n_kept);
    struct core_memory m;
    core_memory(w->core, &m);
    if (m.jobs || m.chunks || m.leases || m.pending || m.actions)
        world_fail(w, 14, "left in memory: %zu jobs, %zu chunks, %zu leases, %zu pending", m.jobs,
                   m.chunks, m.leases, m.pending);
}
