/* Outputs that are no result: known from their first STORE, or found when the broker starts, until
 * their chunk has a result or the job ends; then their files go. What a chunk's row names is not in
 * here any more, so that it is never removed. Part of the data actor: called by transfer.c, data.c
 * and data_jobs.c. */
#include "broker/data_actor.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

struct data_outputs { /* of one chunk */
    uint32_t chunk;
    uint64_t *leases;
    size_t n, room;
    UT_hash_handle hh;
};

static struct data_outputs *outputs_of(const struct data_job *job, uint32_t chunk)
{
    struct data_outputs *found = NULL;
    HASH_FIND(hh, job->outputs, &chunk, sizeof chunk, found);
    return found;
}

static bool is_known(const struct data_outputs *outputs, uint64_t n)
{
    for (size_t i = 0; outputs && i < outputs->n; i++)
        if (outputs->leases[i] == n)
            return true;
    return false;
}

static void add(struct data_job *job, struct data_outputs *outputs, uint32_t chunk, uint64_t n)
{
    if (!outputs) {
        outputs = sw_alloc(1, sizeof *outputs);
        outputs->chunk = chunk;
        HASH_ADD(hh, job->outputs, chunk, sizeof outputs->chunk, outputs);
    }
    sw_grow(&outputs->leases, &outputs->room, outputs->n + 1, sizeof *outputs->leases);
    outputs->leases[outputs->n++] = n;
}

void data_outputs_note(struct data_job *job, int folder, uint32_t chunk, uint64_t n)
{
    struct data_outputs *outputs = outputs_of(job, chunk);
    if (is_known(outputs, n))
        return;
    if (outputs && outputs->n >= DATA_OUTPUTS_MAX && !job->untold) {
        size_t oldest = 0;
        for (size_t i = 1; i < outputs->n; i++)
            oldest = outputs->leases[i] < outputs->leases[oldest] ? i : oldest;
        sw_output_remove(folder, chunk, outputs->leases[oldest]);
        outputs->leases[oldest] = n;
        return;
    }
    add(job, outputs, chunk, n);
}

static void on_output(void *arg, uint32_t chunk, uint64_t n)
{
    struct data_job *job = arg;
    struct data_outputs *outputs = outputs_of(job, chunk);
    if (!is_known(outputs, n))
        add(job, outputs, chunk, n);
}

void data_outputs_find(struct data_actor *actor, struct data_job *job)
{
    AUTO_FD int folder = -1;
    job->untold = true;
    int r = sw_job_dir_open(actor->jobs_fd, job->job, &folder);
    if (r == 0)
        r = sw_outputs_each(folder, on_output, job);
    if (r < 0 && r != -ENOENT) /* they stay until the job is deleted */
        sw_log(SW_LOG_WARNING, "outputs not listed job=%ju error=%s", (uintmax_t)job->job,
               strerror(-r));
}

/* Forgets what is known of the chunk, and removes all but keep_n of it; 0 = all. */
static void
drop(struct data_actor *actor, struct data_job *job, struct data_outputs *outputs, uint64_t keep_n)
{
    for (size_t i = 0; i < outputs->n; i++) {
        if (outputs->leases[i] == keep_n)
            continue;
        int folder = data_job_folder(actor, job);
        int r = folder < 0 ? folder : sw_output_remove(folder, outputs->chunk, outputs->leases[i]);
        if (r < 0)
            sw_log(SW_LOG_WARNING, "output stays job=%ju chunk=%u error=%s", (uintmax_t)job->job,
                   outputs->chunk, strerror(-r));
    }
    HASH_DEL(job->outputs, outputs);
    sw_release(outputs->leases);
    sw_release(outputs);
}

void data_outputs_result(struct data_actor *actor, struct data_job *job, uint32_t chunk, uint64_t n)
{
    struct data_outputs *outputs = outputs_of(job, chunk);
    if (outputs)
        drop(actor, job, outputs, n);
}

void data_outputs_end(struct data_actor *actor, struct data_job *job, bool remove)
{
    struct data_outputs *outputs, *next;
    HASH_ITER(hh, job->outputs, outputs, next)
    {
        if (!remove || job->untold)
            outputs->n = 0;
        drop(actor, job, outputs, 0);
    }
}
