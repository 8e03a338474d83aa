/* The work verbs, one for each kernel: take the files, decide every output, send, wait, write,
 * report. */
#include "work.h"

#include "base/clock.h"
#include "files.h"
#include "leave.h"
#include "output.h"
#include "paths.h"
#include "progress.h"
#include "verbs.h"
#include "wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- before anything is sent ---- */

static void say_left(struct work *work, size_t from)
{
    for (size_t i = from; i < work->inputs.n_left; i++) {
        const struct left *left = &work->inputs.left[i];
        if (left->skipped)
            say("%s: skipped, %s", left->name, left->reason);
        else
            report_failed(work, left->name, strlen(left->name), left->reason);
    }
}

static int plan_one(struct work *work)
{
    const char *path = call_option(work->call, "output");
    AUTO_BUF struct sw_buf name = {0};
    struct stat st;
    if (!path || !strcmp(path, "/dev/stdout"))
        return 0;
    work->order.kernel->output_name(&work->values, "", 0, &name);
    work->target = fetch_target(path, (const char *)name.data);
    if (output_is_through(work->target))
        return 0;
    int r = output_check(work->target, call_has(work->call, "force"), &st, &work->err);
    for (size_t i = 0; !r && st.st_ino && i < work->inputs.n; i++)
        if (work->inputs.list[i].inode == st.st_ino && work->inputs.list[i].device == st.st_dev)
            r = sw_fail(&work->err, CTL_ERR_REFUSED, "%s is an input; inputs are never touched",
                        text_short(work->target, CTL_NAME_BYTES).text);
    return r;
}

static int prepare(struct work *work, size_t first)
{
    for (size_t i = first; i < work->call->n_args; i++)
        inputs_take(&work->inputs, work->call->args[i]);
    inputs_mark_repeated(&work->inputs);
    say_left(work, 0);
    if (work_is_concat(work))
        return plan_one(work);
    size_t n_left = work->inputs.n_left;
    int r =
        outputs_plan(work->order.kernel, &work->values, &work->inputs,
                     call_option(work->call, "output"), call_has(work->call, "force"), &work->err);
    say_left(work, n_left);
    return r;
}

/* ---- after the job has ended ---- */

static void want(struct work *work, const struct input *input)
{
    AUTO_BUF struct sw_buf name = {0};
    work->order.kernel->output_name(&work->values, input->name, strlen(input->name), &name);
    struct wanted *item = wanted_add(&work->wanted);
    item->input = input->name;
    item->name_size = name.size;
    item->name = sw_buf_take_text(&name);
    item->path = sw_copy_text(input->output, strlen(input->output));
    item->has_mode = true;
    item->mode = input->mode;
    item->mtime = input->mtime;
}

/* Files with an error give no output. The gateway's list is in the order of the inputs; entries
 * that are no files (skipped) cannot come from us. */
static int sort_out(struct work *work)
{
    const json_t *job = json_object_get(work->answer.json, "job");
    bool all_good = !strcmp(show_text(job, "status"), "completed");
    json_t *files = NULL;
    int r = all_good ? 0 : job_files(work->ctl, work->job, NULL, &files, &work->err);
    if (r)
        return r;
    size_t at = 0;
    for (size_t i = 0; i < work->inputs.n; i++) {
        const struct input *input = &work->inputs.list[i];
        if (input->dropped)
            continue;
        const json_t *file = json_array_get(files, at++);
        bool good = all_good || !strcmp(show_text(file, "status"), "completed");
        const char *error = show_text(file, "error");
        if (!good)
            report_failed(work, input->name, strlen(input->name), error[0] ? error : "failed");
        else if (!work_is_concat(work))
            want(work, input);
    }
    json_decref(files);
    return 0;
}

static int fetch(struct work *work)
{
    bool force = call_has(work->call, "force");
    work->wanted.force = force;
    if (!work_is_concat(work))
        return fetch_files(work->ctl, work->job, &work->wanted, &work->err);
    if (work->ctl->json && !work->target) /* standard output is for the object alone */
        return 0;
    int r = fetch_one(work->ctl, work->job, work->target, force, &work->one_size, &work->err);
    work->one_written = !r;
    return r;
}

/* ---- the whole ---- */

static int send_and_wait(struct work *work)
{
    size_t n_left = work->inputs.n_left;
    progress_open(!work->ctl->json, work->inputs.bytes);
    http_be_patient(work->ctl->http);
    int r = submit(work->ctl, &work->order, &work->inputs, &work->job, &work->err);
    say_left(work, n_left);
    if (r && interrupted())
        return leave_interrupted(work->ctl, work->job, &work->err);
    if (r) {
        leave_unsent(work->ctl, work->job, r);
        return r;
    }
    if (call_has(work->call, "detach"))
        return 0;
    r = job_wait(work->ctl, work->job, &work->answer, &work->err);
    if (r && interrupted())
        return leave_interrupted(work->ctl, work->job, &work->err);
    if (r && strcmp(work->answer.code, "not_found") != 0)
        leave_running(work->job);
    return r;
}

static enum ctl_exit detach(struct work *work)
{
    progress_close();
    if (!work->ctl->json) {
        puts(work->job);
        say("`shadowctl wait %s` follows it, `shadowctl result %s -o DIR` fetches", work->job,
            work->job);
        return json_array_size(work->failed) ? CTL_SOME_FAILED : CTL_DONE;
    }
    AUTO(sw_text) char *path = path_of("jobs", work->job, "");
    int r = http_get(work->ctl->http, path, &work->answer, &work->err);
    if (r)
        return say_failed(r, &work->err);
    report_job(work, CTL_DONE);
    return json_array_size(work->failed) ? CTL_SOME_FAILED : CTL_DONE;
}

/* Every input whose output could not be written, or fetched before r ended it all. */
static void leave_unfetched(struct work *work, int r)
{
    const char *rest = work->err.text[0] ? work->err.text : "not fetched";
    for (size_t i = 0; i < work->wanted.n; i++) {
        const struct wanted *item = &work->wanted.list[i];
        if (!item->written)
            report_note(work, item->input, strlen(item->input), item->error ? item->error : rest);
    }
    if (r != -EINTR)
        say("`shadowctl result %s -o ELSEWHERE` fetches the rest", work->job);
    else
        say("`shadowctl result %s -o DIR` fetches the rest", work->job);
}

/* No input at all, and none that failed: the one output of nothing is empty. */
static enum ctl_exit finish_nothing(struct work *work)
{
    say("nothing to do: no file to read");
    if (work->inputs.n_failed)
        return CTL_SOME_FAILED;
    if (!work->target)
        return CTL_DONE;
    int r = fetch_nothing(work->target, call_has(work->call, "force"), &work->err);
    work->one_written = !r;
    if (!r)
        say("%s is empty", work->target);
    return r ? say_failed(r, &work->err) : CTL_DONE;
}

static enum ctl_exit finish(struct work *work)
{
    const json_t *job = json_object_get(work->answer.json, "job");
    enum ctl_exit status = job_exit(job);
    if (status == CTL_CANCELLED)
        say("job %s was cancelled", work->job);
    int r = status == CTL_CANCELLED ? 0 : sort_out(work);
    if (!r && status != CTL_CANCELLED)
        r = fetch(work);
    progress_close();
    if (r)
        leave_unfetched(work, r);
    if (status == CTL_SOME_FAILED && !json_array_size(work->failed))
        say("job %s failed%s%s", work->job, show_text(job, "error")[0] ? ": " : "",
            show_text(job, "error"));
    if (work->ctl->json)
        report_job(work, CTL_DONE);
    if (r)
        return say_failed(r, &work->err);
    if (status != CTL_CANCELLED)
        report_summary(work);
    return status ? status : json_array_size(work->failed) ? CTL_SOME_FAILED : CTL_DONE;
}

enum ctl_exit verb_work(struct ctl *ctl, const struct call *call)
{
    struct work work = {.ctl = ctl, .call = call, .failed = json_array(), .begun_ms = sw_boot_ms()};
    size_t first;
    enum ctl_exit status;
    order_read(call, &work.order, &work.values, &first);
    int r = prepare(&work, first);
    if (!r && !work.inputs.n) {
        status = finish_nothing(&work);
        if (ctl->json)
            report_job(&work, status);
    } else {
        r = r ? r : send_and_wait(&work);
        if (r)
            progress_close();
        status = r                          ? say_failed(r, &work.err)
                 : call_has(call, "detach") ? detach(&work)
                                            : finish(&work);
    }
    http_answer_done(&work.answer);
    json_decref(work.failed);
    wanted_done(&work.wanted);
    inputs_done(&work.inputs);
    sw_release(work.target);
    sw_release(work.job);
    return status;
}
