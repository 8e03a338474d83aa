/* inputData: a string, an array of strings, or an array of {name, data, encoding}. Called by the
 * JSON reader; small inputs ride in the message, others become an upload of several files. */
#include "submission.h"

#include "base/clock.h"
#include "base/own.h"
#include "uploads.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int append_data(
    struct submission *s, size_t i, const char *text, size_t n, bool base64, struct sw_err *err)
{
    size_t size = n;
    if (!base64) {
        sw_buf_put(&s->payload, text, n);
    } else {
        uint8_t *room = sw_buf_reserve(&s->payload, n + 1);
        if (sodium_base642bin(room, n + 1, text, n, "\r\n ", &size, NULL,
                              sodium_base64_VARIANT_ORIGINAL) != 0)
            return sw_fail(err, EINVAL, "inputData[%zu].data: not base64 (padded, as in RFC 4648)",
                           i);
        s->payload.size += size;
    }
    s->inputs[i].size = size;
    return 0;
}

static int
append_name(struct submission *s, size_t i, const char *name, size_t n, struct sw_err *err)
{
    if (n == 0 || n > SW_NAME_MAX || memchr(name, 0, n))
        return sw_fail(err, EINVAL, "inputData[%zu].name: 1 to %d bytes without NUL", i,
                       SW_NAME_MAX);
    s->inputs[i].name.n = n; /* its pointer is set once all names are there */
    sw_buf_put(&s->input_names, name, n);
    return 0;
}

static int append_object(struct submission *s, size_t i, json_t *object, struct sw_err *err)
{
    static const char *const keys[] = {"name", "data", "encoding"};
    json_t *name = json_object_get(object, "name"), *data = json_object_get(object, "data"),
           *encoding = json_object_get(object, "encoding");
    const char *how = encoding ? json_string_value(encoding) : "utf8";
    char unnamed[32];
    size_t known = 0;
    for (size_t k = 0; k < SW_COUNT(keys); k++)
        known += json_object_get(object, keys[k]) != NULL;
    if (known != json_object_size(object))
        return sw_fail(err, EINVAL, "inputData[%zu]: only name, data and encoding", i);
    if (!json_is_string(data))
        return sw_fail(err, EINVAL, "inputData[%zu].data: a string", i);
    if (!how || (strcmp(how, "utf8") != 0 && strcmp(how, "base64") != 0))
        return sw_fail(err, EINVAL, "inputData[%zu].encoding: utf8 or base64", i);
    if (name && !json_is_string(name))
        return sw_fail(err, EINVAL, "inputData[%zu].name: a string", i);
    int n = snprintf(unnamed, sizeof unnamed, "input-%zu", i + 1);
    int r = name ? append_name(s, i, json_string_value(name), json_string_length(name), err)
                 : append_name(s, i, unnamed, (size_t)n, err);
    return r < 0 ? r
                 : append_data(s, i, json_string_value(data), json_string_length(data),
                               strcmp(how, "base64") == 0, err);
}

static int append(struct submission *s, size_t i, json_t *item, bool alone, struct sw_err *err)
{
    char name[32];
    if (json_is_object(item))
        return append_object(s, i, item, err);
    if (!json_is_string(item))
        return sw_fail(err, EINVAL, "inputData[%zu]: a string or {name, data, encoding}", i);
    int n = alone ? snprintf(name, sizeof name, "input")
                  : snprintf(name, sizeof name, "input-%zu", i + 1);
    int r = append_name(s, i, name, (size_t)n, err);
    return r < 0 ? r
                 : append_data(s, i, json_string_value(item), json_string_length(item), false, err);
}

/* Kept to be shown as it was sent, when it is small. */
static void keep_shown(struct submission *s, json_t *data)
{
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text && strlen(text) <= SUBMIT_INLINE_BYTES)
        s->input_data = sw_copy_text(text, strlen(text));
    free(text);
}

int submission_take_inputs(struct submission *s, json_t *data, struct sw_err *err)
{
    bool alone = json_is_string(data);
    size_t n = alone ? 1 : json_array_size(data);
    int64_t now_s = sw_wall_ms() / 1000;
    if (!alone && (!json_is_array(data) || n == 0 || n > SUBMIT_INPUTS_MAX))
        return sw_fail(err, EINVAL,
                       "inputData: a string, or an array of 1 to %d strings or {name, data, "
                       "encoding}",
                       SUBMIT_INPUTS_MAX);
    s->inputs = sw_alloc(n, sizeof *s->inputs);
    for (size_t i = 0; i < n; i++) {
        json_t *item = alone ? data : json_array_get(data, i);
        if (json_typeof(item) != json_typeof(alone ? data : json_array_get(data, 0)))
            return sw_fail(err, EINVAL, "inputData: strings or objects, not both");
        int r = append(s, i, item, alone, err);
        if (r < 0)
            return r;
        s->inputs[i].mode = 0644;
        s->inputs[i].mtime = now_s;
    }
    const char *at = (const char *)s->input_names.data;
    for (size_t i = 0; i < n; i++) {
        s->inputs[i].name.p = at;
        at += s->inputs[i].name.n;
    }
    s->n_inputs = n;
    keep_shown(s, data);
    return 0;
}

bool submission_fits_message(const struct submission *s)
{
    return s->payload.size <= SUBMIT_INLINE_BYTES &&
           s->input_names.size + s->n_inputs * 24 <= SUBMIT_INLINE_HEAD;
}

static int write_entries(struct submission *s, struct sw_upload *upload, struct sw_err *err)
{
    const uint8_t *at = s->payload.data;
    int r = 0;
    for (size_t i = 0; i < s->n_inputs && r == 0; i++) {
        struct sw_entry entry = {.name = s->inputs[i].name.p,
                                 .name_size = s->inputs[i].name.n,
                                 .mode = (uint32_t)s->inputs[i].mode,
                                 .mtime = s->inputs[i].mtime,
                                 .size = s->inputs[i].size,
                                 .reason = ""};
        r = sw_upload_entry(upload, &entry);
    }
    if (r == 0 && s->payload.size)
        r = sw_upload_append(upload, at, s->payload.size);
    if (r < 0)
        return sw_fail(err, -r, "the inputs cannot be stored: %s", strerror(-r));
    return sw_upload_finish(upload, 0, err);
}

int submission_spill(struct submission *s, int uploads_fd, struct sw_err *err)
{
    struct sw_upload_info info = {.length = s->payload.size,
                                  .mode = 0644,
                                  .created_ms = sw_wall_ms(),
                                  .mtime = sw_wall_ms() / 1000};
    struct sw_upload *upload = NULL;
    info.owner[0] = UPLOADS_OF_REQUEST;
    sw_buf_text(&info.name, "inputs");
    int r = sw_upload_create(uploads_fd, &info, &upload);
    if (r < 0)
        sw_fail(err, -r, "the inputs cannot be stored: %s", strerror(-r));
    else
        r = write_entries(s, upload, err);
    sw_upload_close(&upload);
    if (r == 0)
        memcpy(s->made_upload, info.id, sizeof s->made_upload);
    else if (info.id[0])
        sw_upload_remove(uploads_fd, info.id);
    sw_upload_info_done(&info);
    return r;
}
