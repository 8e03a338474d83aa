/* Reads the JSON body of a submission: every key known, every value of its type and within bounds.
 * Called by submit.c, on the loop or off it; keeps nothing of the JSON. */
#include "submission.h"

#include "base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const known_keys[] = {"type",           "params",        "inputData", "uploads",
                                         "chunkCount",     "expectedBytes", "priority",  "name",
                                         "idempotencyKey", "open"};

static int check_keys(json_t *body, struct sw_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < SW_COUNT(known_keys); i++)
            known |= strcmp(key, known_keys[i]) == 0;
        if (!known)
            return sw_fail(err, EINVAL,
                           "%.30s: no such key; type, params, inputData, uploads, chunkCount, "
                           "expectedBytes, priority, name, idempotencyKey, open",
                           key);
    }
    return 0;
}

/* JSON has one kind of number: 3.0 is 3. */
static bool as_integer(const json_t *value, int64_t *ret)
{
    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return true;
    }
    double real = json_real_value(value);
    if (!json_is_real(value) || fabs(real) > 9007199254740992.0 || trunc(real) < real ||
        trunc(real) > real)
        return false;
    *ret = (int64_t)real;
    return true;
}

int json_number(
    json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret, struct sw_err *err)
{
    json_t *value = json_object_get(object, key);
    int64_t number;
    if (!value)
        return 0;
    if (!as_integer(value, &number) || number < min || number > max)
        return sw_fail(err, EINVAL, "%s: a whole number from %" PRId64 " to %" PRId64, key, min,
                       max);
    *ret = number;
    return 0;
}

static const struct sw_param *param_find(const char *type, const char *name)
{
    const struct sw_kernel *kernel = sw_kernel_find(type);
    for (size_t i = 0; kernel && i < kernel->n_params; i++) {
        if (strcmp(kernel->params[i].name, name) == 0)
            return &kernel->params[i];
    }
    return NULL;
}

/* A parameter's JSON value as the text that a query or an option would have. */
static int param_text(
    const char *type, const char *name, json_t *value, struct sw_buf *ret, struct sw_err *err)
{
    const struct sw_param *param = param_find(type, name);
    int64_t number;
    if (!param) /* submission_check says which there are */
        return 0;
    switch (param->type) {
    case SW_PARAM_INT:
        if (!as_integer(value, &number))
            return sw_fail(err, EINVAL, "params.%s: a whole number from %" PRId64 " to %" PRId64,
                           name, param->min, param->max);
        sw_buf_printf(ret, "%" PRId64, number);
        return 0;
    case SW_PARAM_BOOL:
        if (!json_is_boolean(value))
            return sw_fail(err, EINVAL, "params.%s: true or false", name);
        sw_buf_text(ret, json_is_true(value) ? "true" : "false");
        return 0;
    case SW_PARAM_TEXT:
    case SW_PARAM_CHOICE:
        if (!json_is_string(value))
            return sw_fail(err, EINVAL, "params.%s: a string", name);
        sw_buf_put(ret, json_string_value(value), json_string_length(value));
        return 0;
    }
    return 0;
}

static int read_params(struct submission *s, const char *type, json_t *params, struct sw_err *err)
{
    struct submission_param list[SW_PARAMS_MAX];
    struct sw_buf texts[SW_PARAMS_MAX] = {0};
    const char *key;
    json_t *value;
    size_t n = 0;
    int r = 0;
    if (params && !json_is_object(params))
        return sw_fail(err, EINVAL, "params: an object");
    if (json_object_size(params) > SW_PARAMS_MAX)
        return sw_fail(err, EINVAL, "params: more than %.40s has", type);
    json_object_foreach(params, key, value)
    {
        if (r == 0)
            r = param_text(type, key, value, &texts[n], err);
        list[n] = (struct submission_param){
            key, {texts[n].data ? (char *)texts[n].data : "", texts[n].size}};
        n++;
    }
    if (r == 0)
        r = submission_check(s, type, list, n, err);
    for (size_t i = 0; i < n; i++)
        sw_buf_done(&texts[i]);
    return r;
}

int submission_take_uploads(struct submission *s, json_t *list, struct sw_err *err)
{
    size_t n = json_array_size(list), i;
    json_t *id;
    if (!json_is_array(list) || n == 0 || n > SUBMIT_UPLOADS_MAX)
        return sw_fail(err, EINVAL, "uploads: an array of 1 to %d ids", SUBMIT_UPLOADS_MAX);
    s->uploads = sw_alloc(n, sizeof *s->uploads);
    s->upload_ids = sw_alloc(n, sizeof *s->upload_ids);
    json_array_foreach(list, i, id)
    {
        const char *text = json_string_value(id);
        if (!text || strlen(text) != SW_UPLOAD_ID_SIZE ||
            strspn(text, "0123456789abcdef") != SW_UPLOAD_ID_SIZE)
            return sw_fail(err, EINVAL, "uploads[%zu]: an upload's id, %d hex digits", i,
                           SW_UPLOAD_ID_SIZE);
        memcpy(s->upload_ids[i], text, SW_UPLOAD_ID_SIZE + 1);
        s->uploads[i].id = (struct sw_str){s->upload_ids[i], SW_UPLOAD_ID_SIZE};
    }
    s->n_uploads = n;
    return 0;
}

/* Two bodies are the same when they say the same: keys sorted, and the key itself left out. */
static void hash_body(struct submission *s, json_t *body)
{
    json_t *copy = json_copy(body);
    json_object_del(copy, "idempotencyKey");
    char *text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    crypto_generichash((unsigned char *)&s->body_hash, sizeof s->body_hash,
                       (const unsigned char *)text, strlen(text), NULL, 0);
    free(text);
    json_decref(copy);
}

static int read_texts(struct submission *s, json_t *body, struct sw_err *err)
{
    json_t *name = json_object_get(body, "name"), *key = json_object_get(body, "idempotencyKey"),
           *open = json_object_get(body, "open");
    if (name && !json_is_string(name))
        return sw_fail(err, EINVAL, "name: a string");
    if (key && !json_is_string(key))
        return sw_fail(err, EINVAL, "idempotencyKey: a string");
    if (open && !json_is_boolean(open))
        return sw_fail(err, EINVAL, "open: true or false");
    s->open = json_is_true(open);
    int r = 0;
    if (name)
        r = submission_set_name(s, json_string_value(name), json_string_length(name), err);
    if (r == 0 && key)
        r = submission_set_key(s, json_string_value(key), json_string_length(key), err);
    return r;
}

static int read_numbers(struct submission *s, json_t *body, struct sw_err *err)
{
    int64_t chunk_count = 0, expected_bytes = 0;
    int r = json_number(body, "priority", -100, 100, &s->priority, err);
    if (r == 0)
        r = json_number(body, "chunkCount", 1, SUBMIT_CHUNKS_MAX, &chunk_count, err);
    if (r == 0)
        r = json_number(body, "expectedBytes", 0, INT64_C(1) << 53, &expected_bytes, err);
    s->chunk_count = (uint64_t)chunk_count;
    s->expected_bytes = (uint64_t)expected_bytes;
    return r;
}

int submission_from_json(struct submission *s, json_t *body, struct sw_err *err)
{
    json_t *type = json_object_get(body, "type"), *data = json_object_get(body, "inputData"),
           *uploads = json_object_get(body, "uploads");
    int r = check_keys(body, err);
    if (r == 0 &&
        (!json_is_string(type) || strlen(json_string_value(type)) != json_string_length(type)))
        return sw_fail(err, EINVAL, "type: a kernel's name, as GET /api/types lists them");
    if (r == 0)
        r = read_params(s, json_string_value(type), json_object_get(body, "params"), err);
    if (r == 0)
        r = read_texts(s, body, err);
    if (r == 0)
        r = read_numbers(s, body, err);
    if (r < 0)
        return r;
    if (data && uploads)
        return sw_fail(err, EINVAL, "either inputData or uploads, not both");
    if (!data && !uploads && !s->open)
        return sw_fail(err, EINVAL, "inputData or uploads is needed, or open: true");
    if (data)
        r = submission_take_inputs(s, data, err);
    if (r == 0 && uploads)
        r = submission_take_uploads(s, uploads, err);
    if (r == 0)
        hash_body(s, body);
    return r;
}
