/* Renders composed results. Called by the routes that show jobs, chunks and files; reads no file.
 */
#include "result_json.h"

#include "base/own.h"
#include "proto/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void result_json_name(json_t *object, const char *key, const char *name, size_t size)
{
    bool escaped;
    char exact[32];
    struct sw_str text = {name, size};
    json_object_set_new(object, key, sw_json_name(text, &escaped));
    if (escaped) {
        snprintf(exact, sizeof exact, "%sBytes", key);
        json_object_set_new(object, exact, sw_json_base64(text));
    }
}

static void put_data(json_t *object, const uint8_t *p, size_t n)
{
    json_t *text = json_stringn((const char *)p, n);
    json_object_set_new(object, "encoding", json_string(text ? "utf8" : "base64"));
    json_object_set_new(object, "data",
                        text ? text : sw_json_base64((struct sw_str){(const char *)p, n}));
}

static json_t *
entry_of(const char *name, size_t name_size, uint64_t size, const char *error, const uint8_t *data)
{
    json_t *object = json_object();
    result_json_name(object, "name", name, name_size);
    json_object_set_new(object, "size", json_integer((json_int_t)size));
    json_object_set_new(object, "error", *error ? sw_json_text(sw_str_of(error)) : json_null());
    if (data && !*error)
        put_data(object, data, size);
    return object;
}

static json_t *wrap(json_t *files, bool more, uint64_t job)
{
    char url[64];
    snprintf(url, sizeof url, "/api/jobs/%" PRIu64 "/result", job);
    return json_pack("{s:o, s:b, s:s}", "files", files, "more", more, "url", url);
}

json_t *result_json_job(const struct composed *composed, const uint8_t *data)
{
    size_t n, at = 0;
    const struct layout *layout = composed->layout;
    const struct sw_result_file *files = sw_result_files(composed->result, &n);
    json_t *list = json_array();
    if (layout->kernel->shape == SW_CONCAT) {
        AUTO_BUF struct sw_buf name = {0};
        layout_output_name(layout, "", 0, &name);
        json_array_append_new(list, entry_of((char *)name.data, name.size,
                                             sw_result_size(composed->result, SW_RESULT_CONCAT), "",
                                             data));
        return wrap(list, false, layout->job);
    }
    for (size_t i = 0; i < n && i < RESULT_FILES_SHOWN; i++) {
        json_array_append_new(list, entry_of(files[i].output_name, files[i].output_name_size,
                                             files[i].output_size, files[i].error,
                                             data ? data + at : NULL));
        at += files[i].output_size;
    }
    return wrap(list, n > RESULT_FILES_SHOWN, layout->job);
}

json_t *
result_json_chunk(const struct layout *layout, const struct sw_msg_chunk *chunk, bool with_data)
{
    const struct layout_add *add = NULL;
    size_t n = 0;
    uint64_t at = 0, total = 0;
    const struct sw_plan_piece *pieces = layout_pieces(layout, chunk->index, &add, &n);
    bool concat = layout->kernel->shape == SW_CONCAT;
    if (!pieces || n != chunk->n_pieces)
        return NULL;
    for (size_t i = 0; i < n; i++)
        total += chunk->pieces[i].length;
    const uint8_t *data =
        with_data && chunk->n == 0 && total <= SW_MIN(RESULT_DATA_MAX, chunk->output.n)
            ? (const uint8_t *)(chunk->output.p ? chunk->output.p : "")
            : NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < n && i < (concat ? 1 : RESULT_FILES_SHOWN); i++) {
        const struct sw_entry *entry = &add->manifest.entries[pieces[i].entry];
        AUTO_BUF struct sw_buf name = {0};
        char error[SW_REASON_MAX] = "";
        if (!concat)
            snprintf(error, sizeof error, "%.*s", (int)chunk->pieces[i].error.n,
                     chunk->pieces[i].error.n ? chunk->pieces[i].error.p : "");
        layout_output_name(layout, entry->name, entry->name_size, &name);
        uint64_t size = concat ? total : chunk->pieces[i].length;
        json_array_append_new(
            list, entry_of((char *)name.data, name.size, size, error, data ? data + at : NULL));
        at += chunk->pieces[i].length;
    }
    return wrap(list, !concat && n > RESULT_FILES_SHOWN, layout->job);
}

const char *
result_json_status(const struct composed *composed, const struct sw_result_file *file, size_t index)
{
    if (file->skipped)
        return "skipped";
    if (composed->file_open[index])
        return "pending";
    return *file->error ? "failed" : "completed";
}

json_t *result_json_file(const struct composed *composed,
                         const struct sw_result_file *file,
                         size_t index,
                         bool cancelled)
{
    char chunk[64];
    const char *status = result_json_status(composed, file, index);
    bool open = strcmp(status, "pending") == 0, done = strcmp(status, "completed") == 0;
    json_t *object = json_object();
    result_json_name(object, "name", file->name, file->name_size);
    json_object_set_new(object, "size", json_integer((json_int_t)file->size));
    if (done)
        result_json_name(object, "outputName", file->output_name, file->output_name_size);
    else
        json_object_set_new(object, "outputName", json_null());
    json_object_set_new(object, "outputSize",
                        done ? json_integer((json_int_t)file->output_size) : json_null());
    json_object_set_new(object, "status", json_string(open && cancelled ? "cancelled" : status));
    json_object_set_new(object, "error",
                        !open && *file->error ? sw_json_text(sw_str_of(file->error)) : json_null());
    snprintf(chunk, sizeof chunk, "%" PRIu64 "-%" PRIu32, composed->layout->job,
             composed->file_chunk[index]);
    json_object_set_new(object, "chunkId",
                        composed->file_chunk[index] == UINT32_MAX ? json_null()
                                                                  : json_string(chunk));
    return object;
}
