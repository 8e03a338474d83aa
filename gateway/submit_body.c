/* A whole job in one request: the query says what, the body is the input. Called by the table of
 * routes; the bytes go through the inlet into an upload that lives until the job has it. */
#include "base/clock.h"
#include "base/own.h"
#include "cursor.h"
#include "files/untar.h"
#include "handlers.h"
#include "inlet.h"
#include "reply.h"
#include "submit.h"
#include "uploads.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TAR_BLOCK 512

struct body_job {
    struct submission *s;
    struct inlet *inlet;
    struct sw_buf head; /* until it can be told whether it is a tar */
    bool decided, tar, maybe_tar;
    crypto_generichash_state hash; /* of the body, when a key asks for it */
};

struct reading {
    struct submission *s;
    struct submission_param params[SW_PARAMS_MAX + 1];
    size_t n_params;
    const char *type;
    struct sw_str file;
    int result;
    struct sw_err *err;
    crypto_generichash_state *hash;
};

static int as_number(const struct sw_str *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end = NULL;
    errno = 0;
    int64_t number = strtoll(text->p, &end, 10);
    if (errno || !text->n || end != text->p + text->n || number < min || number > max)
        return -EINVAL;
    *ret = number;
    return 0;
}

static int take_key(struct reading *reading, const char *key, struct sw_str value)
{
    struct submission *s = reading->s;
    int64_t number = 0;
    if (strcmp(key, "type") == 0) {
        reading->type = value.p;
    } else if (strcmp(key, "name") == 0) {
        if (value.n == 0 || value.n > SW_NAME_MAX || memchr(value.p, 0, value.n))
            return sw_fail(reading->err, EINVAL, "name: 1 to %d bytes without NUL", SW_NAME_MAX);
        reading->file = value;
    } else if (strcmp(key, "jobName") == 0) {
        return submission_set_name(s, value.p, value.n, reading->err);
    } else if (strcmp(key, "priority") == 0) {
        if (as_number(&value, -100, 100, &s->priority) < 0)
            return sw_fail(reading->err, EINVAL, "priority: a whole number from -100 to 100");
    } else if (strcmp(key, "chunkCount") == 0) {
        if (as_number(&value, 1, SUBMIT_CHUNKS_MAX, &number) < 0)
            return sw_fail(reading->err, EINVAL, "chunkCount: a whole number from 1 to %d",
                           SUBMIT_CHUNKS_MAX);
        s->chunk_count = (uint64_t)number;
    } else if (strcmp(key, "idempotencyKey") == 0) {
        return submission_set_key(s, value.p, value.n, reading->err);
    } else if (reading->n_params <= SW_PARAMS_MAX) {
        reading->params[reading->n_params++] = (struct submission_param){key, value};
    }
    return 0;
}

static enum MHD_Result take_pair(void *arg,
                                 enum MHD_ValueKind kind,
                                 const char *key,
                                 size_t key_size,
                                 const char *value,
                                 size_t value_size)
{
    struct reading *reading = arg;
    (void)kind;
    if (strcmp(key, "idempotencyKey") != 0) {
        crypto_generichash_update(reading->hash, (const uint8_t *)key, key_size + 1);
        crypto_generichash_update(reading->hash, (const uint8_t *)(value ? value : ""),
                                  value ? value_size + 1 : 1);
    }
    if (reading->result == 0)
        reading->result =
            take_key(reading, key, (struct sw_str){value ? value : "", value ? value_size : 0});
    return reading->result == 0 ? MHD_YES : MHD_NO;
}

static int
read_query(struct request *r, struct body_job *job, struct sw_str *ret_file, struct sw_err *err)
{
    const char *key = request_header(r, "Idempotency-Key");
    struct reading reading = {
        .s = job->s, .err = err, .file = sw_str_of("input"), .hash = &job->hash};
    MHD_get_connection_values_n(r->connection, MHD_GET_ARGUMENT_KIND, take_pair, &reading);
    if (reading.result == 0 && !reading.type)
        return sw_fail(
            err, EINVAL,
            "type is needed in the query; a JSON job needs `Content-Type: application/json`");
    if (reading.result == 0 && key)
        reading.result = submission_set_key(job->s, key, strlen(key), err);
    *ret_file = reading.file;
    if (reading.result < 0)
        return reading.result;
    return submission_check(job->s, reading.type, reading.params, reading.n_params, err);
}

static void body_job_free(void *arg)
{
    struct body_job *job = arg;
    submission_destroy(&job->s);
    if (job->inlet)
        inlet_abandon(job->inlet);
    sw_buf_done(&job->head);
    sw_release(job);
}

void submit_body_begin(struct request *r)
{
    static const struct inlet_plan plan = {.open = inlet_create, .settle = true};
    struct sw_err err = {""};
    struct sw_str file = {0};
    const char *type = request_header(r, "Content-Type");
    if (!r->streams)
        return; /* JSON */
    struct body_job *job = sw_alloc(1, sizeof *job);
    job->s = submission_new();
    crypto_generichash_init(&job->hash, NULL, 0, sizeof job->s->body_hash);
    request_keep(r, job, body_job_free);
    r->state = job;
    if (read_query(r, job, &file, &err) < 0) {
        reply_error(r, REPLY_BAD_REQUEST, "%s", err.text);
        return;
    }
    job->tar = type && strncasecmp(type, "application/x-tar", 17) == 0;
    job->maybe_tar = !type;
    job->inlet = inlet_new(r, &plan);
    struct sw_upload_info *info = &job->inlet->info;
    info->length = r->body_length;
    info->mode = 0644;
    info->created_ms = sw_wall_ms();
    info->mtime = info->created_ms / 1000;
    info->owner[0] = UPLOADS_OF_REQUEST;
    sw_buf_put(&info->name, file.p, file.n);
}

static void decide(struct body_job *job)
{
    job->decided = true;
    if (job->maybe_tar && job->head.size >= TAR_BLOCK)
        job->tar = sw_is_tar(job->head.data);
    job->inlet->info.unpack = job->tar;
    if (job->tar)
        sw_buf_clear(&job->inlet->info.name); /* nothing goes before the names in it */
    inlet_put(job->inlet, (const char *)job->head.data, job->head.size);
}

void submit_body_piece(struct request *r, const char *p, size_t n)
{
    struct body_job *job = r->state;
    if (job->s->key_given)
        crypto_generichash_update(&job->hash, (const uint8_t *)p, n);
    if (job->decided) {
        inlet_put(job->inlet, p, n);
        return;
    }
    sw_buf_put(&job->head, p, n);
    if (!job->maybe_tar || job->head.size >= TAR_BLOCK)
        decide(job);
}

static void stored(struct request *r, struct inlet *inlet)
{
    struct body_job *job = r->state;
    if (inlet->result < 0) {
        reply_errno(r, inlet->result, &inlet->err, "body");
        return;
    }
    crypto_generichash_final(&job->hash, (uint8_t *)&job->s->body_hash, sizeof job->s->body_hash);
    memcpy(job->s->made_upload, inlet->info.id, sizeof job->s->made_upload);
    submit_take(r, TAKE(job->s));
}

void submit_any(struct request *r)
{
    struct body_job *job = r->state;
    if (!r->streams) {
        submit_json(r);
        return;
    }
    if (!job->decided)
        decide(job);
    inlet_end(job->inlet, stored);
}
