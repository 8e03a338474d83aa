/* GET /api/jobs/:id/files: what became of each input. Called by the table of routes; a running job
 * is put together anew for each page, a finished one is kept. */
#include "ask.h"
#include "base/own.h"
#include "cursor.h"
#include "handlers.h"
#include "job_show.h"
#include "result_json.h"
#include "results.h"

#include <string.h>

#define FILES_A_PAGE 1000

struct listing {
    uint64_t from;
    char status[16]; /* "" = all */
    bool cancelled;
};

static void
composed_is_there(struct request *r, void *arg, struct layout *layout, struct composed *composed)
{
    struct listing *listing = arg;
    size_t n, i = listing->from, shown = 0;
    const struct sw_result_file *files = sw_result_files(composed->result, &n);
    json_t *list = json_array();
    (void)layout;
    for (; i < n && shown < FILES_A_PAGE; i++) {
        if (*listing->status &&
            strcmp(result_json_status(composed, &files[i], i), listing->status) != 0)
            continue;
        json_array_append_new(list, result_json_file(composed, &files[i], i, listing->cancelled));
        shown++;
    }
    reply_json(
        r, MHD_HTTP_OK,
        json_pack("{s:o, s:o}", "files", list, "nextCursor", cursor_json('f', i < n ? i : 0)));
}

static void took_job(struct request *r, void *arg, const struct sw_message *answer)
{
    struct listing *listing = arg;
    const struct sw_msg_jobs *jobs = &answer->of.jobs;
    if (jobs->n_rows != 1) {
        reply_error(r, REPLY_NOT_FOUND, "no such job");
        return;
    }
    listing->cancelled = job_is_cancelled(jobs->rows);
    results_get(r, jobs->rows, WANT_RESULT, false, composed_is_there, listing);
}

static bool read_status(struct request *r, struct listing *listing)
{
    static const char *const known[] = {"failed", "completed", "skipped", "pending"};
    size_t size = 0;
    const char *text = request_query(r, "status", &size);
    if (!text)
        return true;
    for (size_t i = 0; i < SW_COUNT(known); i++) {
        if (strcmp(known[i], text) == 0) {
            memcpy(listing->status, known[i], strlen(known[i]) + 1);
            return true;
        }
    }
    reply_error(r, REPLY_BAD_REQUEST, "status: failed, completed, skipped or pending");
    return false;
}

void jobs_files(struct request *r)
{
    static const char *const keys[] = {"status", "cursor", NULL};
    struct listing *listing = sw_alloc(1, sizeof *listing);
    struct sw_msg_get_jobs get = {.limit = 1};
    request_keep(r, listing, sw_release);
    if (query_only(r, keys) && cursor_read(r, "cursor", 'f', &listing->from) &&
        read_status(r, listing) && job_argument(r, &get.job))
        ask_broker(r, SW_MSG_GET_JOBS, &get, SW_MSG_JOBS, took_job, listing);
}
