/* Following a job to its end: the verb `wait`, and the same for the work verbs. Reads only. */
#include "wait.h"

#include "base/clock.h"
#include "paths.h"
#include "progress.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>

#define POLL_FIRST_MS 20
#define POLL_LAST_MS  1000
#define IDLE_MS       4000 /* of a job that waits for a device */

static bool is_final(const char *status)
{
    return !strcmp(status, "completed") || !strcmp(status, "failed") ||
           !strcmp(status, "cancelled");
}

/* Once, when for a while nobody has begun it. */
static void tell_waiting(const char *id, const json_t *job, int64_t *begun_ms)
{
    if (strcmp(show_text(job, "status"), "pending") != 0)
        *begun_ms = INT64_MAX;
    if (*begun_ms == INT64_MAX || sw_boot_ms() - *begun_ms < IDLE_MS)
        return;
    say("job %s has not begun yet; `shadowctl why %s` says what it waits for", id, id);
    *begun_ms = INT64_MAX;
}

int job_wait(struct ctl *ctl, const char *id, struct http_answer *ret, struct sw_err *err)
{
    AUTO(sw_text) char *path = path_of("jobs", id, "?chunkLimit=0");
    int64_t begun_ms = sw_boot_ms();
    for (int pause_ms = POLL_FIRST_MS;;
         pause_ms = SW_MIN(pause_ms + pause_ms / 4 + 1, POLL_LAST_MS)) {
        int r = http_get(ctl->http, path, ret, err);
        if (r)
            return r;
        const json_t *job = json_object_get(ret->json, "job");
        progress_done(json_number_value(json_object_get(job, "progress")));
        if (is_final(show_text(job, "status")))
            return 0;
        tell_waiting(id, job, &begun_ms);
        if (interrupt_wait(pause_ms))
            return sw_fail(err, EINTR, "interrupted");
    }
}

enum ctl_exit job_exit(const json_t *job)
{
    const char *status = show_text(job, "status");
    if (!strcmp(status, "completed"))
        return CTL_DONE;
    return strcmp(status, "cancelled") ? CTL_SOME_FAILED : CTL_CANCELLED;
}

enum ctl_exit verb_wait(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    struct sw_err err = {0};
    progress_open(!ctl->json, 0);
    http_be_patient(ctl->http);
    int r = job_wait(ctl, call->args[0], &answer, &err);
    progress_close();
    if (r == -CTL_ERR_INTERRUPTED || (r == -CTL_ERR_UNREACHABLE && answer.status))
        say("job %s goes on; `shadowctl wait %s` follows it again", call->args[0], call->args[0]);
    if (r)
        return r == -CTL_ERR_INTERRUPTED ? CTL_INTERRUPTED : say_failed(r, &err);
    const json_t *job = json_object_get(answer.json, "job");
    if (ctl->json)
        show_json(answer.json);
    else
        say("job %s: %s", call->args[0], show_text(job, "status"));
    return job_exit(job);
}
