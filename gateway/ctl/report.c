/* What a work verb tells at its end: the inputs that failed, the object of --json, one line for a
 * person. Called by work.c; decides nothing. */
#include "work.h"

#include "base/clock.h"
#include "progress.h"

#include <string.h>
#include <unistd.h>

void report_note(struct work *work, const char *name, size_t size, const char *error)
{
    json_t *entry = json_object();
    text_json_name(entry, "input", name, size);
    json_object_set_new(entry, "error", json_string(error));
    json_array_append_new(work->failed, entry);
}

void report_failed(struct work *work, const char *name, size_t size, const char *error)
{
    AUTO_BUF struct sw_buf shown = {0};
    text_escape(&shown, name, size);
    say("%s: %s", (const char *)shown.data, error);
    report_note(work, name, size, error);
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

void report_job(struct work *work, enum ctl_exit status)
{
    bool has_job = work->answer.json || !status;
    json_t *object = json_pack("{s:b}", "success", has_job);
    if (!has_job)
        json_object_set_new(
            object, "error",
            json_pack("{s:s, s:s}", "code", "no_input", "message", "no file to read"));
    json_object_update(object, json_object_get(work->answer.json, "job"));
    json_object_set_new(object, "outputs", outputs_json(work));
    json_object_set(object, "failed", work->failed);
    show_json(object);
    json_decref(object);
}

/* "50 files, 4.1 GB -> 1.2 GB in 38 s", for a person only. */
void report_summary(const struct work *work)
{
    AUTO_BUF struct sw_buf line = {0};
    uint64_t bytes = work->one_size;
    if (work->ctl->json || !isatty(STDERR_FILENO))
        return;
    for (size_t i = 0; i < work->wanted.n; i++)
        bytes += work->wanted.list[i].size;
    size_t n = work_is_concat(work) ? work->inputs.n : work->wanted.n;
    sw_buf_printf(&line, "%zu %s, ", n, n == 1 ? "file" : "files");
    text_bytes(&line, work->inputs.bytes);
    sw_buf_text(&line, " -> ");
    text_bytes(&line, bytes);
    sw_buf_text(&line, " in ");
    text_span(&line, (sw_boot_ms() - work->begun_ms + 999) / 1000);
    say("%s", (const char *)line.data);
}
