/* The routes of jobs that read or change one or a list of them. Called by the table of routes; what
 * they show comes from the broker. */
#include "ask.h"
#include "base/own.h"
#include "cursor.h"
#include "handlers.h"
#include "job_show.h"
#include "proto/json.h"
#include "results.h"
#include "submission.h"

#include <errno.h>
#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     1000

static const char *const statuses[] = {"pending", "processing", "completed", "failed", "cancelled"};

/* ---- lists ---- */

static bool read_statuses(struct request *r, uint64_t *ret_mask)
{
    size_t size = 0;
    const char *text = request_query(r, "status", &size);
    *ret_mask = 0;
    for (const char *at = text; at && *at;) {
        size_t n = strcspn(at, ","), i = 0;
        while (i < SW_COUNT(statuses) &&
               (strlen(statuses[i]) != n || memcmp(statuses[i], at, n) != 0))
            i++;
        if (i == SW_COUNT(statuses)) {
            reply_error(r, REPLY_BAD_REQUEST,
                        "status: %.*s is none of pending, processing, "
                        "completed, failed, cancelled",
                        (int)SW_MIN(n, (size_t)40), at);
            return false;
        }
        *ret_mask |= UINT64_C(1) << i;
        at += n + (at[n] == ',');
    }
    if (text && *ret_mask == 0)
        reply_error(r, REPLY_BAD_REQUEST, "status: a list like pending,processing");
    return !text || *ret_mask;
}

static void took_list(struct request *r, void *arg, const struct sw_message *answer)
{
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    json_t *list = json_array();
    (void)arg;
    for (size_t i = 0; i < jobs->n_rows; i++)
        json_array_append_new(list, job_json(&jobs->rows[i]));
    reply_json(r, MHD_HTTP_OK,
               json_pack("{s:o, s:o}", "jobs", list, "nextCursor", cursor_json('j', jobs->next)));
}

void jobs_list(struct request *r)
{
    static const char *const keys[] = {"status", "type", "limit", "cursor", NULL};
    struct sw_msg_get_jobs get = {.limit = LIMIT_DEFAULT};
    size_t size = 0;
    const char *type = request_query(r, "type", &size);
    if (!query_only(r, keys) || !query_number(r, "limit", 1, LIMIT_MAX, &get.limit) ||
        !cursor_read(r, "cursor", 'j', &get.before) || !read_statuses(r, &get.status_mask))
        return;
    if (type && !sw_kernel_find(type)) {
        reply_error(r, REPLY_BAD_REQUEST, "type: GET /api/types lists them");
        return;
    }
    if (type)
        get.type = (struct sw_str){type, size};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, took_list, NULL);
}

void jobs_get(struct request *r)
{
    static const char *const keys[] = {"chunkCursor", "chunkLimit", NULL};
    uint64_t job, from, limit = CHUNKS_A_PAGE;
    if (query_only(r, keys) && cursor_read(r, "chunkCursor", 'c', &from) &&
        query_number(r, "chunkLimit", 0, CHUNKS_A_PAGE, &limit) && job_argument(r, &job))
        job_show(r, MHD_HTTP_OK, job, from, limit);
}

static uint64_t *keep(struct request *r, uint64_t job)
{
    uint64_t *kept = sw_alloc(1, sizeof *kept);
    *kept = job;
    request_keep(r, kept, sw_release);
    return kept;
}

/* ---- why ---- */

static void took_why(struct request *r, void *arg, const struct sw_message *answer)
{
    const struct sw_msg_why *why = &answer->of.why;
    json_t *list = json_array();
    (void)arg;
    for (size_t i = 0; i < why->n_rows; i++)
        json_array_append_new(list, sw_json(&sw_record_reason, &why->rows[i]));
    reply_json(r, MHD_HTTP_OK, json_pack("{s:o}", "reasons", list));
}

/* The broker's answer is the same for a job that has ended and for one that never was. */
static void why_looked_up(struct request *r, void *job, const struct sw_message *answer)
{
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    struct sw_msg_get_why get = {.job = *(uint64_t *)job};
    if (!jobs->n_rows) {
        reply_error(r, REPLY_NOT_FOUND, "no such job");
        return;
    }
    const struct sw_str status = jobs->rows->status;
    bool ended = sw_str_is(status, "completed") || sw_str_is(status, "failed") ||
                 sw_str_is(status, "cancelled");
    if (!ended) {
        ask_broker(r, SW_MSG_GET_WHY, &get, SW_MSG_WHY, took_why, NULL);
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "the job does not wait: it is %.*s", (int)status.n, status.p);
    const struct sw_msg_reason reason = {.reason = sw_str_of(text)};
    reply_json(r, MHD_HTTP_OK,
               json_pack("{s:[o]}", "reasons", sw_json(&sw_record_reason, &reason)));
}

void jobs_why(struct request *r)
{
    struct sw_msg_get_jobs get = {.limit = 1};
    if (job_argument(r, &get.job))
        ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, why_looked_up, keep(r, get.job));
}

/* ---- changes: each shows the job afterwards ---- */

static void changed(struct request *r, void *job, const struct sw_message *answer)
{
    (void)answer;
    job_show(r, MHD_HTTP_OK, *(uint64_t *)job, 0, 0);
}

static void change(struct request *r, enum sw_message_type type, void *message, uint64_t job)
{
    ask_broker(r, type, message, SW_MSG_OK, changed, keep(r, job));
}

static void cancel_own(struct request *r, uint64_t job)
{
    change(r, SW_MSG_CANCEL, &(struct sw_msg_cancel){.job = job}, job);
}

/* A repeated RETRY that meets `conflict` counts as done by the copy before it (ask.c): so none is
 * sent where nothing failed. */
static void retry_looked_up(struct request *r, void *job, const struct sw_message *answer)
{
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    uint64_t id = *(uint64_t *)job;
    if (jobs->n_rows && !jobs->rows->failed_chunks && !sw_str_is(jobs->rows->status, "cancelled"))
        reply_error(r, REPLY_CONFLICT, "nothing of this job failed");
    else
        change(r, SW_MSG_RETRY, &(struct sw_msg_retry){.job = id}, id);
}

static void retry_own(struct request *r, uint64_t job)
{
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, retry_looked_up, keep(r, job));
}

static void seal_own(struct request *r, uint64_t job)
{
    change(r, SW_MSG_SEAL, &(struct sw_msg_seal){.job = job}, job);
}

static void forgotten(struct request *r, void *job, const struct sw_message *answer)
{
    (void)answer;
    results_drop(r->gateway, *(uint64_t *)job);
    reply_json(r, MHD_HTTP_OK, json_object());
}

/* A repeated FORGET that meets `not_found` counts as done too: so the job is looked up first, and
 * an unknown one is 404 whatever gets lost. */
static void forget_looked_up(struct request *r, void *job, const struct sw_message *answer)
{
    (void)answer;
    ask_broker(r, SW_MSG_FORGET, &(struct sw_msg_forget){.job = *(uint64_t *)job}, SW_MSG_OK,
               forgotten, job);
}

static void forget_own(struct request *r, uint64_t job)
{
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, forget_looked_up, keep(r, job));
}

void jobs_cancel(struct request *r)
{
    job_own(r, cancel_own);
}

void jobs_retry(struct request *r)
{
    job_own(r, retry_own);
}

void jobs_seal(struct request *r)
{
    job_own(r, seal_own);
}

void jobs_delete(struct request *r)
{
    job_own(r, forget_own);
}

static int
read_set(json_t *body, struct submission *checked, struct sw_msg_set *ret, struct sw_err *err)
{
    json_t *name = json_object_get(body, "name"), *priority = json_object_get(body, "priority");
    size_t known = (name != NULL) + (size_t)(priority != NULL);
    if (known == 0 || known != json_object_size(body))
        return sw_fail(err, EINVAL, "priority or name is needed, and nothing else");
    if (name && !json_is_string(name))
        return sw_fail(err, EINVAL, "name: a string");
    int r = json_number(body, "priority", -100, 100, &ret->priority, err);
    if (r == 0 && name)
        r = submission_set_name(checked, json_string_value(name), json_string_length(name), err);
    ret->has_priority = priority != NULL;
    ret->has_name = name != NULL;
    ret->name = sw_str_of(checked->name);
    return r;
}

static void set_own(struct request *r, uint64_t job)
{
    struct submission checked = {0};
    struct sw_msg_set set = {.job = job};
    struct sw_err err = {""};
    if (read_set(r->json, &checked, &set, &err) < 0)
        reply_error(r, REPLY_BAD_REQUEST, "%s", err.text);
    else
        change(r, SW_MSG_SET, &set, job);
}

void jobs_set(struct request *r)
{
    job_own(r, set_own);
}
