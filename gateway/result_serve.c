/* GET /api/jobs/:id/result: the tar of all outputs or one of them, whole or a range. Called by the
 * table of routes; the bytes are outlet.c's. */
#include "ask.h"
#include "base/own.h"
#include "handlers.h"
#include "job_show.h"
#include "outlet.h"
#include "range.h"
#include "results.h"

#include <inttypes.h>
#include <string.h>

struct serve {
    uint64_t job;
    char etag[RESULT_ETAG];
    int which;
};

/* What can be asked for: the whole, or a file by its output's name. */
static bool choose(struct request *r, const struct composed *composed, int *ret_which)
{
    size_t size = 0;
    const char *name = request_query(r, "name", &size);
    bool concat = composed->layout->kernel->shape == SW_CONCAT;
    AUTO_BUF struct sw_buf only = {0};
    *ret_which = concat ? SW_RESULT_CONCAT : SW_RESULT_TAR;
    if (!name)
        return true;
    if (concat) {
        layout_output_name(composed->layout, "", 0, &only);
        if (only.size == size && memcmp(only.data, name, size) == 0)
            return true;
    } else if ((*ret_which = sw_result_find(composed->result, name, size)) >= 0) {
        return true;
    }
    reply_error(r, REPLY_NOT_FOUND, "no output has this name");
    return false;
}

/* The name for a browser's "save as": ASCII in quotes, the exact bytes beside it. */
static void add_name(struct MHD_Response *response, const struct composed *composed, int which)
{
    AUTO_BUF struct sw_buf name = {0}, plain = {0}, exact = {0};
    size_t n;
    const struct sw_result_file *files = sw_result_files(composed->result, &n);
    if (which == SW_RESULT_TAR)
        sw_buf_printf(&name, "job-%" PRIu64 ".tar", composed->layout->job);
    else if (which == SW_RESULT_CONCAT)
        layout_output_name(composed->layout, "", 0, &name);
    else
        sw_buf_put(&name, files[which].output_name, files[which].output_name_size);
    const char *base = memrchr(name.data, '/', name.size);
    base = base ? base + 1 : (const char *)name.data;
    for (const char *end = (const char *)name.data + name.size; base < end; base++) {
        unsigned char c = (unsigned char)*base;
        bool safe =
            (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("._-", c);
        sw_buf_printf(&plain, "%c", safe ? c : '_');
        sw_buf_printf(&exact, safe ? "%c" : "%%%02X", c);
    }
    if (plain.size && exact.size < 400)
        reply_header(response, "Content-Disposition",
                     "attachment; filename=\"%.100s\"; filename*=UTF-8''%s", (char *)plain.data,
                     (char *)exact.data);
}

static void send_it(struct request *r, struct serve *serve, struct composed *composed)
{
    uint64_t size = sw_result_size(composed->result, serve->which);
    struct range range = range_read(r, serve->etag, size);
    if (range.kind == RANGE_NOT_MODIFIED || range.kind == RANGE_OUTSIDE) {
        if (range.kind == RANGE_OUTSIDE)
            reply_error(r, REPLY_RANGE, "the result has %" PRIu64 " bytes", size);
        else
            reply_empty(r, MHD_HTTP_NOT_MODIFIED, reply_new_empty());
        if (range.kind == RANGE_OUTSIDE && r->reply)
            reply_header(r->reply, "Content-Range", "bytes */%" PRIu64, size);
        if (range.kind == RANGE_NOT_MODIFIED && r->reply)
            reply_header(r->reply, "ETag", "%s", serve->etag);
        return;
    }
    if (outlets_open(r->gateway) >= OUTLETS_MAX) {
        reply_error(r, REPLY_BUSY, "%d downloads are under way", OUTLETS_MAX);
        return;
    }
    struct MHD_Response *response =
        outlet_response(outlet_new(r, composed, serve->which, range.first, range.size));
    reply_header(response, "Content-Type",
                 serve->which == SW_RESULT_TAR ? "application/x-tar" : "application/octet-stream");
    reply_header(response, "ETag", "%s", serve->etag);
    reply_header(response, "Accept-Ranges", "bytes");
    reply_header(response, "Cache-Control", "private, no-cache");
    add_name(response, composed, serve->which);
    if (range.kind == RANGE_PART)
        reply_header(response, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                     range.first, range.first + range.size - 1, size);
    request_reply(r, range.kind == RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, response);
}

static void
composed_is_there(struct request *r, void *arg, struct layout *layout, struct composed *composed)
{
    struct serve *serve = arg;
    (void)layout;
    if (choose(r, composed, &serve->which))
        send_it(r, serve, composed);
}

static void took_job(struct request *r, void *arg, const struct sw_message *answer)
{
    struct serve *serve = arg;
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    if (jobs->n_rows != 1) {
        reply_error(r, REPLY_NOT_FOUND, "no such job");
    } else if (job_is_cancelled(jobs->rows)) {
        reply_error(r, REPLY_CANCELLED, "the job was cancelled: it has no result");
    } else if (!job_is_final(jobs->rows)) {
        reply_error(r, REPLY_NOT_FINISHED, "the job is %.*s", (int)jobs->rows->status.n,
                    jobs->rows->status.p);
    } else {
        range_etag(jobs->rows->etag, r, serve->etag);
        results_get(r, jobs->rows, WANT_RESULT, false, composed_is_there, serve);
    }
}

void jobs_result(struct request *r)
{
    uint64_t job;
    if (!job_argument(r, &job))
        return;
    struct serve *serve = sw_alloc(1, sizeof *serve);
    serve->job = job;
    request_keep(r, serve, sw_release);
    struct sw_msg_get_jobs get = {.job = job, .limit = 1};
    ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, took_job, serve);
}
