/* SUBMIT: a new job, or the one that its idempotency key already made. A key that is not known here
 * is looked up in the store first. */
#include "broker/broker.h"

#include "base/clock.h"

#include "base/log.h"

#include <sodium.h>
#include <string.h>

#define PROMISED_INPUTS 1U
#define PROMISED_SEAL   2U

static struct card *
new_card(struct broker *broker, const struct sw_msg_submit *submit, struct sw_str key)
{
    struct sw_msg_job_row row = {
        .type = submit->type,
        .rev = submit->rev,
        .params = submit->params,
        .n_params = submit->n_params,
        .name = submit->name,
        .owner = submit->owner,
        .key = key,
        .body_hash = submit->body_hash,
        .nonce = sw_random_u64(),
        .priority = submit->priority,
        .created_at = sw_wall_ms(),
        .chunk_count = submit->chunk_count,
        .expected_bytes = submit->expected_bytes,
        .input_data = submit->input_data,
        .promised = (submit->n_uploads || submit->n_inputs ? PROMISED_INPUTS : 0) |
                    (submit->open ? 0 : PROMISED_SEAL),
    };
    AUTO(sw_text) char *type = sw_copy_text(submit->type.p, submit->type.n);
    const struct sw_kernel *kernel = sw_kernel_find(type);
    if (row.rev == 0 && kernel)
        row.rev = kernel->rev;
    return card_new(sw_record_clone(&sw_record_job_row, &row), &broker->kinds);
}

static void key_hash(struct sw_str key, uint8_t ret_hash[16])
{
    crypto_generichash(ret_hash, 16, (const unsigned char *)key.p, key.n, NULL, 0);
}

/* The SUBMIT that made the key's job, if nothing was answered yet: its inputs may not be in. */
static struct request *
unanswered(struct broker *broker, const uint8_t key[16], const struct sw_msg_submit *submit)
{
    struct card *card = card_find(broker, core_key_job(broker->core, key));
    return card && card->row->body_hash == submit->body_hash ? request_find(broker, card->submit)
                                                             : NULL;
}

static void submit_now(struct broker *broker, struct request *request, struct sw_str key)
{
    const struct sw_msg_submit *submit = request->message;
    struct sw_err err;
    uint8_t hash[16];
    key_hash(key, hash);
    struct request *first = key.n ? unanswered(broker, hash, submit) : NULL;
    if (first) {
        request_append(&first->joined, request);
        return;
    }
    bool known = key.n && core_key_job(broker->core, hash);
    uint64_t size = SW_MAX(request->payload.size, submit->expected_bytes);
    struct refusal refusal;
    if (!known && holdings_refuse(broker, submit->owner, size, true, &refusal)) {
        client_error(broker, request, refusal.code, "%s", refusal.text);
        return;
    }
    struct card *card = new_card(broker, submit, key);
    if (card_check(card, &err) < 0) {
        card_destroy(&card);
        client_error(broker, request, "bad_request", "%s", err.text);
        return;
    }
    bool inputs = submit->n_uploads || submit->n_inputs;
    struct core_event event = {.type = EV_SUBMIT, .ref = request->id, .payload = card};
    event.of.submit.kind = card->kind;
    event.of.submit.priority = (int32_t)submit->priority;
    event.of.submit.has_key = key.n > 0;
    event.of.submit.body_hash = submit->body_hash;
    event.of.submit.more = inputs || !submit->open;
    memcpy(event.of.submit.key, hash, sizeof hash);
    broker_feed(broker, &event);
    if (card->job == 0) { /* refused, or the key's first job is the answer */
        card_destroy(&card);
        return;
    }
    request->job = card->job;
    card->submit = request->id;
    request->submit = true;
    request->seal = !submit->open;
    if (inputs) {
        inputs_queue(broker, card, request);
    } else if (!submit->open) {
        struct core_event seal = {.type = EV_SEAL, .ref = request->id, .job = card->job};
        broker_feed(broker, &seal);
    }
}

/* "OWNER:KEY"; the space of keys is one a token. */
static void full_key(const struct sw_msg_submit *submit, struct sw_buf *ret_key)
{
    if (submit->key.n == 0)
        return;
    sw_buf_put(ret_key, submit->owner.p, submit->owner.n);
    sw_buf_put(ret_key, ":", 1);
    sw_buf_put(ret_key, submit->key.p, submit->key.n);
}

static bool
is_bad(struct broker *broker, struct request *request, const struct sw_msg_submit *submit)
{
    if (submit->priority < CORE_PRIORITY_MIN || submit->priority > CORE_PRIORITY_MAX)
        client_error(broker, request, "bad_request", "priority: -100 to 100");
    else if (submit->key.n > 128 || memchr(submit->key.p ? submit->key.p : "", 0, submit->key.n))
        client_error(broker, request, "bad_request", "idempotency key: 1 to 128 bytes without NUL");
    else if (submit->chunk_count > CORE_JOB_CHUNKS_MAX)
        client_error(broker, request, "bad_request", "chunk count: 1 to 1,000,000");
    else if (submit->n_uploads && submit->n_inputs)
        client_error(broker, request, "bad_request", "inputs are uploads or inline, not both");
    else if (submit->n_inputs && broker->inline_bytes + request->payload.size > BROKER_ARENA_BYTES)
        client_error(broker, request, "spill", "no room for inline inputs: send an upload");
    else
        return false;
    return true;
}

void client_submit(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_submit *submit = message;
    struct request *request = client_remember(broker, SW_MSG_SUBMIT, submit->ref, 0, submit);
    if (!request)
        return;
    if (broker->frames->n > 1)
        sw_buf_put(&request->payload, sw_frame_data(broker->frames, 1),
                   sw_frame_size(broker->frames, 1));
    if (is_bad(broker, request, submit))
        return;
    AUTO_BUF struct sw_buf key = {0};
    uint8_t hash[16];
    full_key(submit, &key);
    key_hash((struct sw_str){(char *)key.data, key.size}, hash);
    if (key.size && !core_key_job(broker->core, hash))
        client_look_up(broker, request,
                       &(struct history_request){.kind = HISTORY_KEY, .key = (char *)key.data});
    else
        submit_now(broker, request, (struct sw_str){(char *)key.data, key.size});
}

void submit_looked_up(struct broker *broker,
                      struct request *request,
                      const struct history_reply *reply)
{
    const struct sw_msg_submit *submit = request->message;
    struct sw_msg_job_row row;
    AUTO_BUF struct sw_buf key = {0};
    uint8_t hash[16];
    full_key(submit, &key);
    key_hash((struct sw_str){(char *)key.data, key.size}, hash);
    const struct sw_job_row *found = reply->n ? &reply->rows[0].of.job : NULL;
    /* what is known here is newer; a live job whose key is not known is being forgotten */
    if (!found || core_key_job(broker->core, hash) || card_find(broker, found->job)) {
        submit_now(broker, request, (struct sw_str){(char *)key.data, key.size});
        return;
    }
    if (found->status < JOB_COMPLETED && request->rereads++ < REREADS_MAX) /* it ended since */
        client_look_up(broker, request,
                       &(struct history_request){.kind = HISTORY_KEY, .key = (char *)key.data});
    else if (sw_decode_record(&sw_record_job_row, found->body, found->body_size, &broker->row_arena,
                              false, &row) < 0)
        client_error(broker, request, "unavailable", "the store holds a row that cannot be read");
    else if (row.body_hash != submit->body_hash)
        client_error(broker, request, "conflict",
                     "this idempotency key was used with another request");
    else
        client_ok(broker, request, found->job, 0, true);
}

void submit_recover(struct broker *broker)
{
    struct card *card, *next_card;
    HASH_ITER(hh, broker->cards, card, next_card)
    {
        struct core_job_view view;
        struct core_event event = {.type = EV_SEAL, .job = card->job};
        if (!core_job(broker->core, card->job, &view) || view.row_status >= JOB_COMPLETED)
            continue;
        bool empty = (card->row->promised & PROMISED_INPUTS) && view.adds == 0;
        if (!empty && (view.sealed || !(card->row->promised & PROMISED_SEAL)))
            continue;
        if (empty)
            event.type = EV_FORGET;
        sw_log(SW_LOG_NOTICE, "submit cut short by a crash job=%ju %s", (uintmax_t)card->job,
               empty ? "forgotten=1" : "sealed=1");
        broker_feed(broker, &event);
    }
}
