/* Shows one job with its result and a page of its chunks, and finds out whose it is. Called by the
 * routes of jobs. A result that cannot be put together is left out here: its own route says why. */
#include "job_show.h"

#include "ask.h"
#include "base/own.h"
#include "cursor.h"
#include "outlet.h"
#include "proto/json.h"
#include "result_json.h"
#include "results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct show {
    unsigned status;
    size_t chunks_max; /* 0: without */
    uint64_t job, from, next;
    json_t *answer, *chunks;
    struct layout *layout;
    struct composed *composed;
};

static void show_free(void *arg)
{
    struct show *show = arg;
    json_decref(show->answer);
    json_decref(show->chunks);
    layout_release(&show->layout);
    composed_release(&show->composed);
    sw_release(show);
}

/* ---- chunks ---- */

static void ask_chunks(struct request *r, struct show *show);

static void finish(struct request *r, struct show *show)
{
    if (show->chunks_max) {
        json_object_set(show->answer, "chunks", show->chunks);
        json_object_set_new(show->answer, "nextChunkCursor", cursor_json('c', show->next));
    }
    reply_json(r, show->status, json_incref(show->answer));
}

static json_t *
chunk_of(const struct request *r, const struct show *show, const struct sw_msg_chunk *row)
{
    json_t *chunk = sw_json(&sw_record_chunk, row);
    json_t *result =
        show->layout && sw_str_is(row->status, "completed")
            ? result_json_chunk(show->layout, row, role_may(r->caller.role, ROLE_SUBMITTER))
            : NULL;
    if (result)
        json_object_set_new(chunk, "result", result);
    return chunk;
}

/* The broker ends a page early where the outputs in it are many. */
static void took_chunks(struct request *r, void *arg, const struct sw_message *answer)
{
    struct show *show = arg;
    const struct sw_msg_chunks *chunks = &answer->of.chunks;
    show->next = chunks->next;
    for (size_t i = 0; i < chunks->n_rows; i++)
        json_array_append_new(show->chunks, chunk_of(r, show, &chunks->rows[i]));
    if (show->next && chunks->n_rows && json_array_size(show->chunks) < show->chunks_max)
        ask_chunks(r, show);
    else
        finish(r, show);
}

static void ask_chunks(struct request *r, struct show *show)
{
    size_t have = json_array_size(show->chunks);
    struct sw_msg_get_chunks get = {.job = show->job,
                                    .from = have ? show->next : show->from,
                                    .limit = show->chunks_max - have,
                                    .full = show->layout != NULL};
    ask_broker(r, SW_MSG_GET_CHUNKS, &get, SW_MSG_CHUNKS, took_chunks, show);
}

static void go_on(struct request *r, struct show *show)
{
    show->chunks = json_array();
    if (show->chunks_max)
        ask_chunks(r, show);
    else
        finish(r, show);
}

/* ---- the job's result ---- */

static void took_data(struct request *r, void *arg, const uint8_t *data)
{
    struct show *show = arg;
    json_object_set_new(json_object_get(show->answer, "job"), "result",
                        result_json_job(show->composed, data));
    go_on(r, show);
}

static void
composed_is_there(struct request *r, void *arg, struct layout *layout, struct composed *composed)
{
    struct show *show = arg;
    show->layout = layout ? layout_hold(layout) : NULL;
    show->composed = composed ? composed_hold(composed) : NULL;
    uint64_t bytes = 0;
    size_t n = 0;
    const struct sw_result_file *files = composed ? sw_result_files(composed->result, &n) : NULL;
    for (size_t i = 0; i < n && bytes <= RESULT_DATA_MAX; i++)
        bytes += files[i].output_size;
    if (!composed)
        go_on(r, show);
    else if (bytes > RESULT_DATA_MAX || !role_may(r->caller.role, ROLE_SUBMITTER))
        took_data(r, show, NULL);
    else
        outlet_read_small(r, composed, bytes, took_data, show);
}

/* Where the files are left out: `more` says that there are some. */
static json_t *result_elsewhere(uint64_t job)
{
    char url[64];
    snprintf(url, sizeof url, "/api/jobs/%" PRIu64 "/result", job);
    return json_pack("{s:[], s:b, s:s}", "files", "more", 1, "url", url);
}

json_t *job_json(const struct sw_msg_job *row)
{
    json_t *job = sw_json(&sw_record_job, row);
    if (job_is_final(row))
        json_object_set_new(job, "result", result_elsewhere(row->job));
    return job;
}

static void took_job(struct request *r, void *arg, const struct sw_message *answer)
{
    struct show *show = arg;
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    if (jobs->n_rows != 1) {
        reply_error(r, REPLY_NOT_FOUND, "no such job");
        return;
    }
    const struct sw_msg_job *row = jobs->rows;
    show->answer = json_pack("{s:o}", "job", job_json(row));
    if (job_is_final(row))
        results_get(r, row, WANT_RESULT, true, composed_is_there, show);
    else if (row->completed_chunks && show->chunks_max)
        results_get(r, row, WANT_LAYOUT, true, composed_is_there, show);
    else
        go_on(r, show);
}

void job_show(struct request *r, unsigned status, uint64_t job, uint64_t from, size_t chunks_max)
{
    struct show *show = sw_alloc(1, sizeof *show);
    *show = (struct show){.status = status, .job = job, .from = from, .chunks_max = chunks_max};
    request_keep(r, show, show_free);
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, took_job, show);
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
    else if (!sw_str_is(jobs->rows->owner, r->caller.owner))
        reply_error(r, REPLY_FORBIDDEN, "the job belongs to another token");
    else
        owning->then(r, owning->job);
}

void job_own(struct request *r, void (*then)(struct request *, uint64_t job))
{
    uint64_t job;
    if (!job_argument(r, &job))
        return;
    if (r->caller.role == ROLE_ADMIN) {
        then(r, job);
        return;
    }
    struct owning *owning = sw_alloc(1, sizeof *owning);
    *owning = (struct owning){job, then};
    request_keep(r, owning, sw_release);
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, own_looked_up, owning);
}
