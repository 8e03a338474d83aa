/* The verb `result`: what a job made, fetched without the inputs at hand. Names come from the
 * gateway, so they are made relative and stay below one folder. */
#include "fetch.h"
#include "files.h"
#include "http.h"
#include "output.h"
#include "paths.h"
#include "progress.h"
#include "verbs.h"
#include "wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct result {
    struct ctl *ctl;
    const char *id, *folder; /* NULL: not given */
    bool force;
    json_t *files;
    struct wanted_list wanted;
    size_t n_failed;
};

/* Decides where a file's output goes. -EPERM with words when something stands in the way. */
static int take_file(struct result *result, const json_t *file, struct sw_err *err)
{
    AUTO_BUF struct sw_buf name = {0};
    AUTO_BUF struct sw_buf safe = {0};
    AUTO_BUF struct sw_buf path = {0};
    struct stat st;
    if (strcmp(show_text(file, "status"), "completed") != 0) {
        bool failed = !strcmp(show_text(file, "status"), "failed");
        result->n_failed += failed;
        if (failed)
            say("%s: %s", show_text(file, "name"), show_text(file, "error"));
        return 0;
    }
    if (!text_from_json(file, "outputName", &name))
        return sw_fail(err, EPROTO, "the gateway told no output name");
    output_relative(&safe, (const char *)name.data, name.size);
    if (!safe.size || memchr(safe.data, 0, safe.size))
        return sw_fail(err, CTL_ERR_REFUSED, "the name of an output is none that a file can have");
    if (result->folder)
        sw_buf_printf(&path, "%s/", result->folder);
    sw_buf_put(&path, safe.data, safe.size);
    int r = output_check((const char *)path.data, result->force, &st, err);
    if (r)
        return r;
    struct wanted *item = wanted_add(&result->wanted);
    item->name_size = name.size;
    item->name = sw_buf_take_text(&name);
    item->path = sw_buf_take_text(&path);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    const struct wanted *x = *(struct wanted *const *)a, *y = *(struct wanted *const *)b;
    return strcmp(x->path, y->path);
}

static int check_clashes(const struct wanted_list *wanted, struct sw_err *err)
{
    const struct wanted **sorted = sw_alloc(wanted->n + 1, sizeof(void *));
    int r = 0;
    for (size_t i = 0; i < wanted->n; i++)
        sorted[i] = &wanted->list[i];
    qsort(sorted, wanted->n, sizeof(void *), by_path);
    for (size_t i = 1; i < wanted->n && !r; i++)
        if (!strcmp(sorted[i]->path, sorted[i - 1]->path))
            r = sw_fail(err, CTL_ERR_REFUSED, "two outputs would be %s",
                        text_short(sorted[i]->path, CTL_NAME_BYTES).text);
    sw_release(sorted);
    return r;
}

static int fetch_many(struct result *result, struct sw_err *err)
{
    const json_t *file;
    size_t i;
    int r = job_files(result->ctl, result->id, NULL, &result->files, err);
    if (r)
        return r;
    json_array_foreach(result->files, i, file)
    {
        r = take_file(result, file, err);
        if (r)
            return r;
    }
    r = check_clashes(&result->wanted, err);
    return r ? r : fetch_files(result->ctl, result->id, &result->wanted, err);
}

/* The one output of all: to standard output, or under its own name into the folder. */
static int fetch_single(struct result *result, const json_t *job, struct sw_err *err)
{
    const json_t *files = json_object_get(json_object_get(job, "result"), "files");
    AUTO_BUF struct sw_buf name = {0};
    AUTO_BUF struct sw_buf safe = {0};
    AUTO_BUF struct sw_buf path = {0};
    struct stat st;
    uint64_t size;
    if (!result->folder)
        return fetch_one(result->ctl, result->id, NULL, false, &size, err);
    if (!text_from_json(json_array_get(files, 0), "name", &name))
        sw_buf_text(&name, "result");
    output_relative(&safe, (const char *)name.data, name.size);
    sw_buf_printf(&path, "%s/%s", result->folder, safe.size ? (const char *)safe.data : "result");
    struct wanted *item = wanted_add(&result->wanted);
    item->path = sw_buf_take_text(&path);
    int r = output_check(item->path, result->force, &st, err);
    if (r)
        return r;
    r = fetch_one(result->ctl, result->id, item->path, result->force, &item->size, err);
    item->written = !r;
    return r;
}

static void print_outputs(const struct result *result, const json_t *answer)
{
    json_t *object = json_pack("{s:b}", "success", 1), *outputs = json_array();
    for (size_t i = 0; i < result->wanted.n; i++) {
        const struct wanted *item = &result->wanted.list[i];
        if (!item->written)
            continue;
        json_t *entry = json_object();
        text_json_name(entry, "path", item->path, strlen(item->path));
        json_object_set_new(entry, "size", json_integer((json_int_t)item->size));
        json_array_append_new(outputs, entry);
    }
    json_object_update(object, json_object_get(answer, "job"));
    json_object_set_new(object, "outputs", outputs);
    show_json(object);
    json_decref(object);
}

static bool has_result(const json_t *job)
{
    const char *status = show_text(job, "status");
    return !strcmp(status, "completed") || !strcmp(status, "failed");
}

enum ctl_exit verb_result(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = path_of("jobs", call->args[0], "");
    struct sw_err err = {0};
    struct result result = {.ctl = ctl,
                            .id = call->args[0],
                            .folder = call_option(call, "output"),
                            .force = call_has(call, "force")};
    result.wanted.force = result.force;
    int r = http_get(ctl->http, path, &answer, &err);
    if (r)
        return say_failed(r, &err);
    const json_t *job = json_object_get(answer.json, "job");
    const struct sw_kernel *kernel = sw_kernel_find(show_text(job, "type"));
    bool is_one = kernel && kernel->shape == SW_CONCAT;
    if (is_one && ctl->json && !result.folder)
        options_usage(call->verb, "with --json the result needs a place: -o DIR");
    progress_open(!ctl->json, 0);
    http_be_patient(ctl->http);
    /* Without a result fetching is refused with the gateway's own words. */
    r = is_one || !has_result(job) ? fetch_single(&result, job, &err) : fetch_many(&result, &err);
    progress_close();
    enum ctl_exit status = r ? say_failed(r, &err) : job_exit(job);
    if (ctl->json && (!r || result.wanted.n))
        print_outputs(&result, answer.json);
    json_decref(result.files);
    wanted_done(&result.wanted);
    return status;
}
