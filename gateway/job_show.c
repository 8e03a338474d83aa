/* Shows one job with a page of its chunks, and finds out whose it is. Called by the routes of jobs;
 * asks the broker for both at once. */
#include "job_show.h"

#include "ask.h"
#include "base/own.h"
#include "cursor.h"
#include "proto/json.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS_A_PAGE 100

struct show {
    unsigned status;
    unsigned waiting; /* answers still to come */
    bool with_chunks;
    json_t *job, *chunks;
    uint64_t next;
};

static void show_free(void *arg)
{
    struct show *show = arg;
    json_decref(show->job);
    json_decref(show->chunks);
    sw_release(show);
}

static void finish(struct request *r, struct show *show)
{
    if (--show->waiting)
        return;
    json_t *answer = json_object();
    json_object_set(answer, "job", show->job);
    if (show->with_chunks) {
        json_object_set(answer, "chunks", show->chunks);
        json_object_set_new(answer, "nextChunkCursor", cursor_json('c', show->next));
    }
    reply_json(r, show->status, answer);
}

static void took_job(struct request *r, void *arg, const struct sw_message *answer)
{
    struct show *show = arg;
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    if (jobs->n_rows != 1) {
        reply_error(r, REPLY_NOT_FOUND, "no such job");
        return;
    }
    show->job = sw_json(&sw_record_job, jobs->rows);
    finish(r, show);
}

static void took_chunks(struct request *r, void *arg, const struct sw_message *answer)
{
    struct show *show = arg;
    const struct sw_msg_chunks *chunks = &answer->of.chunks;
    show->chunks = json_array();
    show->next = chunks->next;
    for (size_t i = 0; i < chunks->n_rows; i++)
        json_array_append_new(show->chunks, sw_json(&sw_record_chunk, &chunks->rows[i]));
    finish(r, show);
}

void job_show(struct request *r, unsigned status, uint64_t job, uint64_t from, bool with_chunks)
{
    struct show *show = sw_alloc(1, sizeof *show);
    *show =
        (struct show){.status = status, .waiting = with_chunks ? 2 : 1, .with_chunks = with_chunks};
    request_keep(r, show, show_free);
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, took_job, show);
    if (!with_chunks)
        return;
    struct sw_msg_get_chunks get_chunks = {.job = job, .from = from, .limit = CHUNKS_A_PAGE};
    ask_broker(r, SW_MSG_GET_CHUNKS, &get_chunks, SW_MSG_CHUNKS, took_chunks, show);
}

bool job_argument(struct request *r, uint64_t *ret_job)
{
    size_t digits = strspn(r->argument, "0123456789");
    if (digits && digits <= 16 && !r->argument[digits] && r->argument[0] != '0') {
        *ret_job = strtoull(r->argument, NULL, 10);
        return true;
    }
    reply_error(r, REPLY_NOT_FOUND, "no such job");
    return false;
}

struct owning {
    uint64_t job;
    void (*then)(struct request *, uint64_t job);
};

static void own_looked_up(struct request *r, void *arg, const struct sw_message *answer)
{
    struct owning *owning = arg;
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    if (jobs->n_rows != 1)
        reply_error(r, REPLY_NOT_FOUND, "no such job");
    else if (!sw_str_is(jobs->rows->owner, r->owner))
        reply_error(r, REPLY_FORBIDDEN, "the job belongs to another token");
    else
        owning->then(r, owning->job);
}

void job_own(struct request *r, void (*then)(struct request *, uint64_t job))
{
    uint64_t job;
    if (!job_argument(r, &job))
        return;
    if (r->role == ROLE_ADMIN) {
        then(r, job);
        return;
    }
    struct owning *owning = sw_alloc(1, sizeof *owning);
    *owning = (struct owning){job, then};
    request_keep(r, owning, sw_release);
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, own_looked_up, owning);
}
