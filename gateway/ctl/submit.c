/* From files to a job. A small one goes as a tar in one request; any other as an open job that
 * parts of whole files are added to, so that work starts while the rest still travels. Every
 * request carries a key or names its offset, so each can be repeated. Called by work.c; prints
 * nothing. */
#include "submit.h"

#include "http.h"
#include "parts.h"
#include "paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SMALL_BYTES ((uint64_t)512 << 10)
#define SMALL_FILES 512

bool job_cancel(struct ctl *ctl, const char *id)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = path_of("jobs", id, "/cancel");
    struct sw_err ignored;
    struct http_request request = {.method = "POST", .path = path, .steady = true};
    if (!interrupted()) /* otherwise the time runs since then */
        http_deadline(ctl->http, HTTP_LAST_MS);
    return http_call(ctl->http, &request, &answer, &ignored) == 0;
}

static char *id_of(const struct http_answer *answer)
{
    const char *id = show_text(json_object_get(answer->json, "job"), "jobId");
    return id[0] ? sw_copy_text(id, strlen(id)) : NULL;
}

static int take_id(const struct http_answer *answer, char **ret_id, struct sw_err *err)
{
    *ret_id = id_of(answer);
    return *ret_id ? 0 : sw_fail(err, EPROTO, "the gateway named no job");
}

/* ---- one request ---- */

static void query_number(struct sw_buf *path, const char *key, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%jd", (intmax_t)number);
    if (number)
        path_query(path, key, text);
}

static int send_small(struct ctl *ctl,
                      const struct order *order,
                      struct part *part,
                      char **ret_id,
                      struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO_BUF struct sw_buf path = {0};
    char key[33];
    submit_key_make(key);
    sw_buf_text(&path, "/api/jobs");
    path_query(&path, "type", order->kernel->name);
    for (size_t i = 0; i < order->n_params; i++)
        path_query(&path, order->params[i].name, order->params[i].value);
    path_query(&path, "jobName", order->name);
    query_number(&path, "priority", order->priority);
    query_number(&path, "chunkCount", order->chunk_count);
    path_query(&path, "idempotencyKey", key);
    struct http_source source = part_source(part);
    struct http_request request = {.method = "POST",
                                   .path = (const char *)path.data,
                                   .type = "application/x-tar",
                                   .source = &source,
                                   .source_size = source.size,
                                   .steady = true}; /* short; then there is an id to cancel */
    int r = http_call(ctl->http, &request, &answer, err);
    return r ? r : take_id(&answer, ret_id, err);
}

/* ---- an open job ---- */

static json_t *param_json(const struct sw_kernel *kernel, const struct sw_param_text *text)
{
    for (size_t i = 0; i < kernel->n_params; i++) {
        const struct sw_param *param = &kernel->params[i];
        if (strcmp(param->name, text->name) != 0)
            continue;
        if (param->type == SW_PARAM_INT)
            return json_integer(strtoll(text->value, NULL, 10));
        if (param->type == SW_PARAM_BOOL)
            return json_true();
    }
    return json_stringn(text->value, text->value_size);
}

static int open_job(
    struct ctl *ctl, const struct order *order, uint64_t bytes, char **ret_id, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    char key[33];
    json_t *params = json_object();
    submit_key_make(key);
    for (size_t i = 0; i < order->n_params; i++)
        json_object_set_new(params, order->params[i].name,
                            param_json(order->kernel, &order->params[i]));
    json_t *body =
        json_pack("{s:s, s:o, s:b, s:I, s:s}", "type", order->kernel->name, "params", params,
                  "open", 1, "expectedBytes", (json_int_t)bytes, "idempotencyKey", key);
    if (order->name)
        json_object_set_new(body, "name", json_string(order->name));
    if (order->priority)
        json_object_set_new(body, "priority", json_integer(order->priority));
    if (order->chunk_count)
        json_object_set_new(body, "chunkCount", json_integer(order->chunk_count));
    char *text = json_dumps(body, JSON_COMPACT);
    struct http_request request = {.method = "POST",
                                   .path = "/api/jobs",
                                   .type = "application/json",
                                   .body = text,
                                   .body_size = strlen(text),
                                   .steady = true};
    int r = http_call(ctl->http, &request, &answer, err);
    free(text);
    json_decref(body);
    return r ? r : take_id(&answer, ret_id, err);
}

static int send_open(struct ctl *ctl,
                     const struct order *order,
                     struct inputs *inputs,
                     char **ret_id,
                     struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    int r = open_job(ctl, order, inputs->bytes, ret_id, err);
    if (r)
        return r;
    size_t n_added = 0;
    r = parts_send(ctl, inputs, *ret_id, &n_added, err);
    if (!r && !n_added)
        r = sw_fail(err, ESTALE, "no input could be read to its end");
    if (r)
        return r;
    AUTO(sw_text) char *path = path_of("jobs", *ret_id, "/seal");
    return http_json(ctl->http, "POST", path, NULL, &answer, err);
}

int submit(struct ctl *ctl,
           const struct order *order,
           struct inputs *inputs,
           char **ret_id,
           struct sw_err *err)
{
    while (inputs->bytes <= SMALL_BYTES && inputs->n <= SMALL_FILES) {
        struct part part;
        part_next(&part, inputs, 0);
        bool is_whole = part.is_tar && part.n && !part.prefix && part.first + part.n == inputs->n;
        int r = is_whole ? send_small(ctl, order, &part, ret_id, err) : 0;
        bool is_broken = r && part.broken != SIZE_MAX;
        if (is_broken)
            r = parts_drop_broken(inputs, &part, r);
        part_done(&part);
        if (is_whole && !is_broken)
            return r;
        if (!is_whole)
            break;
    }
    return send_open(ctl, order, inputs, ret_id, err);
}
