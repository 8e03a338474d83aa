/* More inputs for an open job. Called by the table of routes; the uploads must be there before. */
#include "ask.h"
#include "base/own.h"
#include "handlers.h"
#include "job_show.h"
#include "proto/link.h"
#include "submit.h"
#include "work.h"

#include <sodium.h>
#include <string.h>

struct adding {
    struct request *request;
    struct submission *s; /* its uploads only */
    uint64_t job;
    int result;
    struct sw_err err;
};

static void adding_free(void *arg)
{
    struct adding *adding = arg;
    submission_destroy(&adding->s);
    sw_release(adding);
}

static void added(struct request *r, void *arg, const struct sw_message *answer)
{
    struct adding *adding = arg;
    (void)answer;
    job_show(r, MHD_HTTP_OK, adding->job, 0, 0);
}

static void check_in_pool(void *arg)
{
    struct adding *adding = arg;
    const struct request *r = adding->request;
    adding->result = submit_check_inputs(adding->s, r->gateway->uploads_fd, r->caller.owner,
                                         r->caller.role == ROLE_ADMIN, &adding->err);
}

/* The same Idempotency-Key is the same ADD: its repeat, after an answer that was lost, changes
 * nothing. */
static uint64_t key_of(const struct request *r)
{
    const char *key = request_header(r, "Idempotency-Key");
    uint64_t hash[2];
    if (!key || !key[0])
        return sw_random_u64();
    crypto_generichash((uint8_t *)hash, sizeof hash, (const uint8_t *)key, strlen(key), NULL, 0);
    return hash[0];
}

static void checked(void *arg)
{
    struct adding *adding = arg;
    struct request *r = adding->request;
    struct sw_msg_add_inputs add = {.job = adding->job,
                                    .key = key_of(r),
                                    .uploads = adding->s->uploads,
                                    .n_uploads = adding->s->n_uploads};
    if (adding->result < 0)
        reply_errno(r, adding->result, &adding->err, "inputs");
    else if (r->connection)
        ask_broker(r, SW_MSG_ADD, &add, SW_MSG_OK, added, adding);
    request_release(r);
}

static void add_own(struct request *r, uint64_t job)
{
    struct adding *adding = sw_alloc(1, sizeof *adding);
    *adding = (struct adding){.request = r, .s = submission_new(), .job = job};
    request_keep(r, adding, adding_free);
    json_t *uploads = json_object_get(r->json, "uploads");
    if (!uploads || json_object_size(r->json) != 1)
        reply_error(r, REPLY_BAD_REQUEST, "uploads is needed, and nothing else");
    else if (submission_take_uploads(adding->s, uploads, &adding->err) < 0)
        reply_error(r, REPLY_BAD_REQUEST, "%s", adding->err.text);
    if (r->reply)
        return;
    request_hold(r);
    work_start(r->gateway, adding, check_in_pool, checked);
}

void submit_add(struct request *r)
{
    job_own(r, add_own);
}
