/* What the data actor knows of jobs (their nonces, their folders) and of keys that may ask no more.
 * Called by data.c for control's orders and by transfer.c for each message; one thread. */
#include "broker/data_actor.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

struct data_key { /* revoked */
    char key[SW_KEY_TEXT];
    UT_hash_handle hh;
};

struct data_job *data_job_of(struct data_actor *actor, uint64_t job)
{
    struct data_job *found = NULL;
    HASH_FIND(hh, actor->jobs, &job, sizeof job, found);
    return found;
}

static void close_folder(struct data_actor *actor, struct data_job *job)
{
    actor->open_folders -= job->fd >= 0;
    sw_fd_close(&job->fd);
}

int data_job_folder(struct data_actor *actor, struct data_job *job)
{
    if (job->fd >= 0)
        return job->fd;
    if (actor->open_folders >= DATA_OPEN_MAX)
        for (struct data_job *other = actor->jobs; other; other = other->hh.next)
            close_folder(actor, other);
    int r = sw_job_dir_open(actor->jobs_fd, job->job, &job->fd);
    if (r == -ENOENT) { /* a job with inline inputs has none before its first large output */
        r = sw_job_dir_make(actor->jobs_fd, job->job);
        if (r == 0)
            r = sw_job_dir_open(actor->jobs_fd, job->job, &job->fd);
    }
    if (r < 0)
        return r;
    actor->open_folders++;
    return job->fd;
}

void data_job_learn(
    struct data_actor *actor, uint64_t id, uint64_t nonce, struct sw_growth growth, bool recovered)
{
    struct data_job *job = data_job_of(actor, id);
    if (!job) {
        job = sw_alloc(1, sizeof *job);
        job->job = id;
        job->fd = -1;
        HASH_ADD(hh, actor->jobs, job, sizeof job->job, job);
        if (recovered)
            data_outputs_find(actor, job);
    }
    job->nonce = nonce;
    job->growth = growth;
}

void data_job_forget(struct data_actor *actor, uint64_t id, bool remove)
{
    struct data_job *job = data_job_of(actor, id);
    source_forget(actor->source, id);
    if (job) {
        data_outputs_end(actor, job, !remove); /* else all of it goes */
        close_folder(actor, job);
        HASH_DEL(actor->jobs, job);
        sw_release(job);
    }
    int r = remove ? sw_job_dir_remove(actor->jobs_fd, id) : 0;
    if (r < 0)
        sw_log(SW_LOG_WARNING, "job folder stays job=%ju error=%s", (uintmax_t)id, strerror(-r));
}

bool data_key_revoked(const struct data_actor *actor, const char *key)
{
    struct data_key *found = NULL;
    HASH_FIND_STR(actor->revoked, key, found);
    return found != NULL;
}

void data_key_set(struct data_actor *actor, const char *key, bool revoked)
{
    struct data_key *known = NULL;
    HASH_FIND_STR(actor->revoked, key, known);
    if (revoked && !known) {
        known = sw_alloc(1, sizeof *known);
        memcpy(known->key, key, sizeof known->key);
        HASH_ADD_STR(actor->revoked, key, known);
    } else if (!revoked && known) {
        HASH_DEL(actor->revoked, known);
        sw_release(known);
    }
}

void data_jobs_done(struct data_actor *actor)
{
    struct data_job *job, *next_job;
    struct data_key *key, *next_key;
    HASH_ITER(hh, actor->jobs, job, next_job)
    {
        HASH_DEL(actor->jobs, job);
        data_outputs_end(actor, job, false);
        sw_fd_close(&job->fd);
        sw_release(job);
    }
    HASH_ITER(hh, actor->revoked, key, next_key)
    {
        HASH_DEL(actor->revoked, key);
        sw_release(key);
    }
}
