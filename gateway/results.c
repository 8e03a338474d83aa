/* Owns the store of layouts and composed results, and their making: ADDs from the broker, manifests
 * and plans from disk, chunks from the broker, page by page. Called by the routes that show or give
 * out results. Never keeps what a running job's result was for longer than it is so. */
#include "results.h"

#include "ask.h"
#include "base/own.h"
#include "files/jobdir.h"
#include "results_store.h"
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUILDS_MAX     16 /* at once: each may hold a job of a million files */
#define CHUNKS_AT_ONCE 1000

struct build {
    struct request *request;
    uint64_t job, adds, total_chunks;
    char key[RESULTS_KEY]; /* what the result must be of */
    bool kept;             /* a result that does not change any more */
    bool soft, counted;
    bool fresh; /* the layout was read for this */
    enum results_want want;
    results_then *then;
    void *context;
    struct layout *layout;
    struct composed *composed;
    int job_fd;
    int result;
    struct sw_err err;
};

bool job_is_final(const struct sw_msg_job *job)
{
    return sw_str_is(job->status, "completed") || sw_str_is(job->status, "failed");
}

bool job_is_cancelled(const struct sw_msg_job *job)
{
    return sw_str_is(job->status, "cancelled");
}

static void uncount(struct build *build)
{
    if (build->counted)
        build->request->gateway->results->building--;
    build->counted = false;
}

static void build_free(void *arg)
{
    struct build *build = arg;
    uncount(build);
    layout_release(&build->layout);
    composed_release(&build->composed);
    sw_fd_close(&build->job_fd);
    sw_release(build);
}

static void fail(struct build *build, int code)
{
    struct request *r = build->request;
    uncount(build);
    if (build->soft)
        build->then(r, build->context, NULL, NULL);
    else if (code == -EEXIST || code == -EINVAL)
        reply_error(r, REPLY_CONFLICT, "%s", build->err.text);
    else if (code == -EBUSY)
        reply_error(r, REPLY_BUSY, "too many results are being put together");
    else
        reply_error(r, REPLY_UNAVAILABLE, "the result cannot be read: %s", build->err.text);
}

static void succeed(struct build *build)
{
    uncount(build);
    build->then(build->request, build->context, build->layout, build->composed);
}

/* ---- the result, upon the layout ---- */

static void ask_chunks(struct build *build, uint64_t from);

static void end_in_pool(void *arg)
{
    struct build *build = arg;
    build->result = composed_end(build->composed, &build->err);
}

static void ended(void *arg)
{
    struct build *build = arg;
    struct request *r = build->request;
    if (build->result == 0 && build->kept)
        results_put(r->gateway->results, build->job, build->key, build->composed);
    if (!r->connection)
        ;
    else if (build->result < 0)
        fail(build, build->result);
    else
        succeed(build);
    request_release(r);
}

static void took_chunks(struct request *r, void *arg, const struct sw_message *answer)
{
    struct build *build = arg;
    const struct sw_msg_chunks *chunks = &answer->of.chunks;
    for (size_t i = 0; i < chunks->n_rows; i++) {
        int result = composed_chunk(build->composed, &chunks->rows[i], &build->err);
        if (result < 0) {
            fail(build, result);
            return;
        }
    }
    if (chunks->next && chunks->n_rows) {
        ask_chunks(build, chunks->next);
    } else if (build->composed->next_chunk < build->total_chunks) {
        sw_fail(&build->err, EBADMSG, "the broker's list of chunks is short");
        fail(build, -EBADMSG);
    } else {
        request_hold(r);
        work_start(r->gateway, build, end_in_pool, ended);
    }
}

static void ask_chunks(struct build *build, uint64_t from)
{
    struct sw_msg_get_chunks get = {
        .job = build->job, .from = from, .limit = CHUNKS_AT_ONCE, .full = true};
    ask_broker(build->request, SW_MSG_GET_CHUNKS, &get, SW_MSG_CHUNKS, took_chunks, build);
}

static void begin_in_pool(void *arg)
{
    struct build *build = arg;
    build->result = composed_begin(build->composed, &build->err);
}

static void begun(void *arg)
{
    struct build *build = arg;
    struct request *r = build->request;
    if (!r->connection)
        ;
    else if (build->result < 0)
        fail(build, build->result);
    else
        ask_chunks(build, 0);
    request_release(r);
}

static void with_layout(struct build *build)
{
    struct request *r = build->request;
    if (build->want == WANT_LAYOUT) {
        succeed(build);
        return;
    }
    build->composed = composed_new(build->layout, TAKE_FD(build->job_fd));
    request_hold(r);
    work_start(r->gateway, build, begin_in_pool, begun);
}

/* ---- the layout ---- */

/* The folder is there once an ADD or an output needed it. */
static void load_in_pool(void *arg)
{
    struct build *build = arg;
    const struct request *r = build->request;
    AUTO_FD int jobs_fd = openat(r->gateway->state_fd, "jobs", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (jobs_fd >= 0)
        sw_job_dir_open(jobs_fd, build->job, &build->job_fd);
    build->result = !build->fresh ? 0 : layout_load(build->layout, build->job_fd, &build->err);
}

static void loaded(void *arg)
{
    struct build *build = arg;
    struct request *r = build->request;
    if (build->result == 0 && build->fresh)
        results_put_layout(r->gateway->results, build->job, build->layout);
    if (!r->connection)
        ;
    else if (build->result < 0)
        fail(build, build->result);
    else
        with_layout(build);
    request_release(r);
}

static void load(struct build *build)
{
    request_hold(build->request);
    work_start(build->request->gateway, build, load_in_pool, loaded);
}

static void ask_adds(struct build *build, uint64_t from);

static void took_adds(struct request *r, void *arg, const struct sw_message *answer)
{
    struct build *build = arg;
    const struct sw_msg_adds *adds = &answer->of.adds;
    (void)r;
    for (size_t i = 0; i < adds->n_rows && build->layout->n_adds < build->adds; i++)
        layout_take(build->layout, &adds->rows[i]);
    if (build->layout->n_adds < build->adds && adds->next && adds->n_rows) {
        ask_adds(build, adds->next);
    } else if (build->layout->n_adds < build->adds) {
        sw_fail(&build->err, EBADMSG, "the broker's list of inputs is short");
        fail(build, -EBADMSG);
    } else {
        load(build);
    }
}

static void ask_adds(struct build *build, uint64_t from)
{
    struct sw_msg_get_adds get = {.job = build->job, .from = from};
    ask_broker(build->request, SW_MSG_GET_ADDS, &get, SW_MSG_ADDS, took_adds, build);
}

/* ---- what is there already ---- */

void results_get(struct request *r,
                 const struct sw_msg_job *job,
                 enum results_want want,
                 bool soft,
                 results_then *then,
                 void *context)
{
    struct results *results = r->gateway->results;
    struct build *build = sw_alloc(1, sizeof *build);
    *build = (struct build){.request = r,
                            .job = job->job,
                            .adds = job->adds,
                            .total_chunks = job->total_chunks,
                            .kept = job_is_final(job),
                            .soft = soft,
                            .want = want,
                            .then = then,
                            .context = context,
                            .job_fd = -1};
    snprintf(build->key, sizeof build->key, "%.*s", (int)job->etag.n,
             job->etag.n ? job->etag.p : "");
    request_keep(r, build, build_free);
    struct composed *composed = build->kept ? results_find(results, build->job, build->key) : NULL;
    struct layout *layout =
        composed ? composed->layout : results_find_layout(results, build->job, build->adds);
    if (layout && (composed || want == WANT_LAYOUT)) {
        build->layout = layout_hold(layout);
        build->composed = composed ? composed_hold(composed) : NULL;
        succeed(build);
        return;
    }
    if (results->building >= BUILDS_MAX) {
        fail(build, -EBUSY);
        return;
    }
    results->building++;
    build->counted = true;
    build->fresh = !layout;
    build->layout = layout ? layout_hold(layout) : layout_new(job, &build->err);
    if (!build->layout)
        fail(build, -ENOTSUP);
    else if (layout)
        load(build); /* only opens the job's folder */
    else
        ask_adds(build, 0);
}
