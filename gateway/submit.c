/* Brings a submission to the broker. Called by the JSON route and by jobs that come as a body. The
 * question may be repeated without harm: it has a key, the user's or a random one. */
#include "submit.h"

#include "ask.h"
#include "base/log.h"
#include "base/own.h"
#include "handlers.h"
#include "job_show.h"
#include "work.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define READ_HERE_MAX ((size_t)64 << 10) /* larger bodies are read off the loop */

struct submit {
    struct request *request;
    struct submission *s;
    json_t *body; /* to be read first; borrowed from the request */
    struct sw_msg_param params[SW_PARAMS_MAX];
    char numbers[SW_PARAMS_MAX][24];
    size_t n_params;
    int result;
    struct sw_err err;
};

static void submit_free(void *arg)
{
    struct submit *submit = arg;
    if (submit->s->made_upload[0])
        submit_drop_upload(submit->request->gateway, submit->s->made_upload);
    submission_destroy(&submit->s);
    sw_release(submit);
}

struct drop {
    struct gateway *gateway;
    char id[SW_UPLOAD_ID_SIZE + 1];
};

static void drop_in_pool(void *arg)
{
    struct drop *drop = arg;
    sw_upload_remove(drop->gateway->uploads_fd, drop->id);
}

static void dropped(void *arg)
{
    struct drop *drop = arg;
    drop->gateway->requests--;
    sw_release(drop);
}

void submit_drop_upload(struct gateway *g, const char *id)
{
    struct drop *drop = sw_alloc(1, sizeof *drop);
    drop->gateway = g;
    memcpy(drop->id, id, sizeof drop->id);
    g->requests++; /* the gateway does not end before it */
    work_start(g, drop, drop_in_pool, dropped);
}

/* All of them, the defaults too, in the kernel's order and in one spelling: they are shown, hashed
 * and checked again from this. */
static void write_params(struct submit *submit)
{
    const struct sw_kernel *kernel = submit->s->kernel;
    submit->n_params = 0;
    for (size_t i = 0; i < kernel->n_params; i++) {
        const struct sw_value *value = &submit->s->values.v[i];
        struct sw_msg_param *param = &submit->params[submit->n_params];
        if (!value->present)
            continue;
        param->name = sw_str_of(kernel->params[i].name);
        param->kind = 0;
        if (kernel->params[i].type == SW_PARAM_INT) {
            snprintf(submit->numbers[i], sizeof submit->numbers[i], "%" PRId64, value->number);
            param->value = sw_str_of(submit->numbers[i]);
            param->kind = 1;
        } else if (kernel->params[i].type == SW_PARAM_BOOL) {
            param->value = sw_str_of(value->number ? "true" : "false");
            param->kind = 2;
        } else {
            param->value = (struct sw_str){value->text, value->size};
        }
        submit->n_params++;
    }
}

static void prepare(struct submit *submit);

static void send_failed(struct submit *submit, const struct sw_message *answer)
{
    struct submission *s = submit->s;
    if (answer && answer->type == SW_MSG_ERROR && s->n_inputs && !s->made_upload[0] &&
        sw_str_is(answer->of.error.code, "spill")) {
        s->payload_must_spill = true; /* no room there: the same bytes as an upload */
        prepare(submit);
        return;
    }
    ask_failed(submit->request, answer);
}

static void sent(void *arg, const struct sw_message *answer, bool repeated)
{
    struct submit *submit = arg;
    struct request *r = submit->request;
    (void)repeated;
    if (!answer || answer->type != SW_MSG_OK)
        send_failed(submit, answer);
    else if (r->connection)
        job_show(r, answer->of.ok.existing && submit->s->key_given ? MHD_HTTP_OK : MHD_HTTP_CREATED,
                 answer->of.ok.job, 0, CHUNKS_A_PAGE);
    request_release(r);
}

static void send_it(struct submit *submit)
{
    struct submission *s = submit->s;
    struct request *r = submit->request;
    struct sw_msg_upload made = {.id = sw_str_of(s->made_upload)};
    bool as_inputs = s->n_inputs && !s->made_upload[0];
    write_params(submit);
    struct sw_msg_submit message = {
        .type = sw_str_of(s->kernel->name),
        .rev = s->kernel->rev,
        .params = submit->params,
        .n_params = submit->n_params,
        .priority = s->priority,
        .name = sw_str_of(s->name),
        .owner = sw_str_of(r->caller.owner),
        .key = sw_str_of(s->key),
        .body_hash = s->body_hash,
        .input_data = s->input_data ? sw_str_of(s->input_data) : (struct sw_str){0},
        .chunk_count = s->chunk_count,
        .expected_bytes = s->expected_bytes,
        .open = s->open,
        .uploads = s->made_upload[0] ? &made : s->uploads,
        .n_uploads = s->made_upload[0] ? 1 : s->n_uploads,
        .inputs = as_inputs ? s->inputs : NULL,
        .n_inputs = as_inputs ? s->n_inputs : 0,
    };
    request_hold(r);
    broker_ask(r->gateway->broker, SW_MSG_SUBMIT, &message, as_inputs ? s->payload.data : NULL,
               as_inputs ? s->payload.size : 0, BROKER_PATIENCE_MS, sent, submit);
}

static void prepare_in_pool(void *arg)
{
    struct submit *submit = arg;
    struct submission *s = submit->s;
    const struct request *r = submit->request;
    int uploads_fd = r->gateway->uploads_fd;
    submit->result = 0;
    if (submit->body)
        submit->result = submission_from_json(s, submit->body, &submit->err);
    submit->body = NULL;
    if (submit->result == 0 && !s->made_upload[0] && !s->payload_must_spill)
        submit->result = submit_check_inputs(s, uploads_fd, r->caller.owner,
                                             r->caller.role == ROLE_ADMIN, &submit->err);
    if (submit->result == 0 && s->n_inputs &&
        (s->payload_must_spill || !submission_fits_message(s)))
        submit->result = submission_spill(s, uploads_fd, &submit->err);
}

static void prepared(void *arg)
{
    struct submit *submit = arg;
    struct request *r = submit->request;
    if (submit->result < 0)
        reply_errno(r, submit->result, &submit->err, "job");
    else if (r->connection)
        send_it(submit);
    request_release(r);
}

/* Off the loop when there is a disk to touch or much to read. */
static void prepare(struct submit *submit)
{
    struct submission *s = submit->s;
    request_hold(submit->request);
    if (submit->body && submit->request->body.size <= READ_HERE_MAX) {
        submit->result = submission_from_json(s, submit->body, &submit->err);
        submit->body = NULL;
        if (submit->result < 0 || (!s->n_uploads && submission_fits_message(s) &&
                                   (s->n_inputs <= 1 || s->kernel->shape == SW_CONCAT))) {
            prepared(submit);
            return;
        }
    }
    work_start(submit->request->gateway, submit, prepare_in_pool, prepared);
}

static struct submit *submit_new(struct request *r, struct submission *s)
{
    struct submit *submit = sw_alloc(1, sizeof *submit);
    *submit = (struct submit){.request = r, .s = s};
    request_keep(r, submit, submit_free);
    return submit;
}

void submit_take(struct request *r, struct submission *s)
{
    prepare(submit_new(r, s));
}

void submit_json(struct request *r)
{
    struct submission *s = submission_new();
    struct submit *submit = submit_new(r, s);
    const char *key = request_header(r, "Idempotency-Key");
    if (key && submission_set_key(s, key, strlen(key), &submit->err) < 0) {
        reply_error(r, REPLY_BAD_REQUEST, "%s", submit->err.text);
        return;
    }
    submit->body = r->json;
    prepare(submit);
}
