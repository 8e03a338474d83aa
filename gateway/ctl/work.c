/* The work verbs, one for each kernel: take the files, decide every output, send, wait, write,
 * report. */
#include "base/clock.h"
#include "files.h"
#include "http.h"
#include "leave.h"
#include "output.h"
#include "paths.h"
#include "plan.h"
#include "progress.h"
#include "verbs.h"
#include "wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct work {
    struct ctl *ctl;
    const struct call *call;
    struct order order;
    struct sw_values values;
    struct inputs inputs;
    struct wanted_list wanted;
    char *target;              /* of a CONCAT job; NULL: standard output */
    char *job;                 /* its id */
    struct http_answer answer; /* the final job */
    json_t *failed;            /* [{input, error}] */
    uint64_t one_size;         /* of the CONCAT output */
    bool one_written;
    int64_t begun_ms;
    struct sw_err err;
};

static bool is_concat(const struct work *work)
{
    return work->order.kernel->shape == SW_CONCAT;
}

static void fail_input(struct work *work, const char *name, size_t size, const char *error)
{
    AUTO_BUF struct sw_buf shown = {0};
    text_escape(&shown, name, size);
    say("%s: %s", (const char *)shown.data, error);
    json_t *entry = json_object();
    text_json_name(entry, "input", name, size);
    json_object_set_new(entry, "error", json_string(error));
    json_array_append_new(work->failed, entry);
}

/* ---- before anything is sent ---- */

static void say_left(struct work *work, size_t from)
{
    for (size_t i = from; i < work->inputs.n_left; i++) {
        const struct left *left = &work->inputs.left[i];
        if (left->skipped)
            say("%s: skipped, %s", left->name, left->reason);
        else
            fail_input(work, left->name, strlen(left->name), left->reason);
    }
}

static int plan_one(struct work *work)
{
    const char *path = call_option(work->call, "output");
    AUTO_BUF struct sw_buf name = {0};
    struct stat st;
    if (!path)
        return 0;
    work->order.kernel->output_name(&work->values, "", 0, &name);
    work->target = fetch_target(path, (const char *)name.data);
    int r = output_check(work->target, call_has(work->call, "force"), &st, &work->err);
    for (size_t i = 0; !r && st.st_ino && i < work->inputs.n; i++)
        if (work->inputs.list[i].inode == st.st_ino && work->inputs.list[i].device == st.st_dev)
            r = sw_fail(&work->err, CTL_ERR_REFUSED, "%s is an input; inputs are never touched",
                        work->target);
    return r;
}

static int prepare(struct work *work, size_t first)
{
    for (size_t i = first; i < work->call->n_args; i++)
        inputs_take(&work->inputs, work->call->args[i]);
    inputs_mark_repeated(&work->inputs);
    say_left(work, 0);
    if (is_concat(work))
        return plan_one(work);
    return outputs_plan(work->order.kernel, &work->values, &work->inputs,
                        call_option(work->call, "output"), call_has(work->call, "force"),
                        &work->err);
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
            fail_input(work, input->name, strlen(input->name), error[0] ? error : "failed");
        else if (!is_concat(work))
            want(work, input);
    }
    json_decref(files);
    return 0;
}

static int fetch(struct work *work)
{
    bool force = call_has(work->call, "force");
    work->wanted.force = force;
    if (!is_concat(work))
        return fetch_files(work->ctl, work->job, &work->wanted, &work->err);
    if (work->ctl->json && !work->target) /* standard output is for the object alone */
        return 0;
    int r = fetch_one(work->ctl, work->job, work->target, force, &work->one_size, &work->err);
    work->one_written = !r;
    return r;
}

static json_t *outputs_json(const struct work *work)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < work->wanted.n; i++) {
        const struct wanted *item = &work->wanted.list[i];
        if (!item->written)
            continue;
        json_t *entry = json_object();
        text_json_name(entry, "input", item->input, strlen(item->input));
        text_json_name(entry, "path", item->path, strlen(item->path));
        json_object_set_new(entry, "size", json_integer((json_int_t)item->size));
        json_array_append_new(outputs, entry);
    }
    if (work->one_written && work->target) {
        json_t *entry = json_object();
        text_json_name(entry, "path", work->target, strlen(work->target));
        json_object_set_new(entry, "size", json_integer((json_int_t)work->one_size));
        json_array_append_new(outputs, entry);
    }
    return outputs;
}

static void print_job(struct work *work)
{
    json_t *object = json_pack("{s:b}", "success", 1);
    json_object_update(object, json_object_get(work->answer.json, "job"));
    json_object_set_new(object, "outputs", outputs_json(work));
    json_object_set(object, "failed", work->failed);
    show_json(object);
    json_decref(object);
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
        say("`shadowctl wait %s` follows it, `shadowctl result %s` fetches", work->job, work->job);
        return json_array_size(work->failed) ? CTL_SOME_FAILED : CTL_DONE;
    }
    AUTO(sw_text) char *path = path_of("jobs", work->job, "");
    int r = http_get(work->ctl->http, path, &work->answer, &work->err);
    if (r)
        return say_failed(r, &work->err);
    print_job(work);
    return json_array_size(work->failed) ? CTL_SOME_FAILED : CTL_DONE;
}

/* "50 files, 4.1 GB -> 1.2 GB in 38 s", for a person only. */
static void say_summary(const struct work *work)
{
    AUTO_BUF struct sw_buf line = {0};
    uint64_t bytes = work->one_size;
    if (work->ctl->json || !isatty(STDERR_FILENO))
        return;
    for (size_t i = 0; i < work->wanted.n; i++)
        bytes += work->wanted.list[i].size;
    size_t n = is_concat(work) ? work->inputs.n : work->wanted.n;
    sw_buf_printf(&line, "%zu %s, ", n, n == 1 ? "file" : "files");
    text_bytes(&line, work->inputs.bytes);
    sw_buf_text(&line, " -> ");
    text_bytes(&line, bytes);
    sw_buf_text(&line, " in ");
    text_span(&line, (sw_boot_ms() - work->begun_ms + 999) / 1000);
    say("%s", (const char *)line.data);
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
        say("`shadowctl result %s -o ELSEWHERE` fetches the rest", work->job);
    if (status == CTL_SOME_FAILED && !json_array_size(work->failed))
        say("job %s failed%s%s", work->job, show_text(job, "error")[0] ? ": " : "",
            show_text(job, "error"));
    if (work->ctl->json)
        print_job(work);
    if (r)
        return say_failed(r, &work->err);
    if (status != CTL_CANCELLED)
        say_summary(work);
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
        say("nothing to do: no file to read");
        status = work.inputs.n_failed ? CTL_SOME_FAILED : CTL_DONE;
        if (ctl->json)
            print_job(&work);
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
