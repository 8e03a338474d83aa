/* What goes to agents, gathered: many leases travel in one ASSIGN, REVOKE or TAKEN. A batch is sent
 * when the next thing is of another sort, when it is large, and at the end of the loop's turn, so
 * the order is always kept. */
#include "broker/broker.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

int outbox_send(struct broker *broker,
                struct device *device,
                enum sw_message_type type,
                void *message)
{
    uint64_t numbers[2] = {device->session, ++device->serial_out};
    memcpy(message, numbers,
           sizeof numbers); /* every message to an agent begins with session and serial */
    sw_buf_clear(&broker->scratch);
    sw_encode(type, message, &broker->scratch);
    int r = sw_link_send(broker->control, device->route, device->route_size, &broker->scratch,
                         device->out.payload.data,
                         type == SW_MSG_ASSIGN ? device->out.payload.size : 0);
    if (r < 0 && !device->broken) {
        device->broken = true; /* EV_UNREACHABLE follows when the current actions are carried out */
        sw_log(SW_LOG_NOTICE, "agent unreachable device=%s error=%s", device->id, strerror(-r));
    }
    return r;
}

void outbox_flush(struct broker *broker, struct device *device)
{
    struct outbox *out = &device->out;
    struct card *card = out->type == SW_MSG_ASSIGN ? card_find(broker, out->job) : NULL;
    union {
        struct sw_msg_assign assign;
        struct sw_msg_revoke revoke;
        struct sw_msg_taken taken;
    } message = {0};
    if (out->type == SW_MSG_ASSIGN && card) {
        message.assign = (struct sw_msg_assign){.job = out->job,
                                                .type = card->row->type,
                                                .rev = card->row->rev,
                                                .params = card->row->params,
                                                .n_params = card->row->n_params,
                                                .leases = out->grants,
                                                .n_leases = out->n};
        outbox_send(broker, device, SW_MSG_ASSIGN, &message);
    } else if (out->type != SW_MSG_NONE && out->type != SW_MSG_ASSIGN) {
        message.revoke.leases = out->leases; /* TAKEN has the same shape */
        message.revoke.n_leases = out->n;
        outbox_send(broker, device, out->type, &message);
    }
    out->type = SW_MSG_NONE;
    out->n = 0;
    sw_buf_clear(&out->payload);
}

void outbox_flush_all(struct broker *broker)
{
    for (size_t i = 0; i < broker->devices.n; i++)
        if (broker->devices.by_index[i]->out.type != SW_MSG_NONE)
            outbox_flush(broker, broker->devices.by_index[i]);
}

static struct device *batch_for(struct broker *broker,
                                const struct core_action *action,
                                enum sw_message_type type,
                                size_t bytes)
{
    struct device *device = broker->devices.by_index[action->agent];
    struct outbox *out = &device->out;
    bool other = out->type != type || (type == SW_MSG_ASSIGN && out->job != action->job);
    bool large = out->n >= BROKER_BATCH_LEASES ||
                 out->payload.size + bytes + out->n * 64 > BROKER_BATCH_BYTES;
    if (out->type != SW_MSG_NONE && (other || large))
        outbox_flush(broker, device);
    out->type = type;
    out->job = action->job;
    return device;
}

/* The chunk's input stream when it is small enough to travel along; 0 = the agent fetches it. That
 * of inline inputs always is (inputs.c). */
static size_t
small_stream(struct broker *broker, const struct card *card, uint32_t chunk, uint64_t bytes)
{
    struct sw_err err;
    size_t got = 0;
    sw_buf_clear(&broker->body);
    if (bytes > SW_INLINE_BYTES_MAX)
        return 0;
    if (card_stream(card, chunk, &broker->body))
        return broker->body.size;
    uint8_t *room = sw_buf_reserve(&broker->body, SW_INLINE_BYTES_MAX + 1);
    if (source_read(broker->source, card->job, chunk, 0, room, SW_INLINE_BYTES_MAX + 1, &got, NULL,
                    &err) < 0)
        return 0; /* data says what is wrong when the agent asks */
    return got <= SW_INLINE_BYTES_MAX ? got : 0;
}

void outbox_assign(struct broker *broker, const struct core_action *action)
{
    struct card *card = card_find(broker, action->job);
    struct core_chunk_view view;
    if (!card || !core_chunk(broker->core, action->job, action->chunk, &view))
        return;
    size_t inline_bytes = small_stream(broker, card, action->chunk, view.bytes);
    struct device *device = batch_for(broker, action, SW_MSG_ASSIGN, inline_bytes);
    struct outbox *out = &device->out;
    sw_grow(&out->grants, &out->grant_room, out->n + 1, sizeof *out->grants);
    out->grants[out->n++] = (struct sw_msg_grant){
        .chunk = action->chunk,
        .n = action->n,
        .token = sw_lease_token(broker->token_key, card->row->nonce, action->chunk, action->n,
                                device->key),
        .attempt = action->attempts + 1,
        .isolate = action->isolate,
        .bytes = view.bytes,
        .inline_bytes = inline_bytes,
        .charge_bytes = SW_MIN(view.bytes, device->bytes_limit),
    };
    sw_buf_put(&out->payload, broker->body.data, inline_bytes);
    sw_log(SW_LOG_DEBUG, "chunk given job=%ju chunk=%u device=%s attempt=%u",
           (uintmax_t)action->job, action->chunk, device->id, action->attempts + 1);
}

void outbox_lease(struct broker *broker,
                  const struct core_action *action,
                  enum sw_message_type type)
{
    struct outbox *out = &batch_for(broker, action, type, 0)->out;
    sw_grow(&out->leases, &out->lease_room, out->n + 1, sizeof *out->leases);
    out->leases[out->n++] =
        (struct sw_msg_lease){.job = action->job, .chunk = action->chunk, .n = action->n};
}
