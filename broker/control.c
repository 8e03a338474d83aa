/* The control socket: takes messages off it, finds out who sent them, and hands each to its handler
 * by one table of message x role. What is not in the table does not happen. */
#include "broker/broker.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

#define AGENTS  (1U << ROLE_AGENT | 1U << ROLE_BROWSER)
#define CLIENTS (1U << ROLE_GATEWAY | 1U << ROLE_ADMIN)

static const struct {
    enum sw_message_type type;
    unsigned roles;
    control_fn *handle;
} table[] = {
    {SW_MSG_HELLO, AGENTS, agent_hello},
    {SW_MSG_CREDIT, AGENTS, agent_credit},
    {SW_MSG_BEAT, AGENTS, agent_beat},
    {SW_MSG_DONE, AGENTS, agent_done},
    {SW_MSG_FAIL, AGENTS, agent_fail},
    {SW_MSG_RETURN, AGENTS, agent_return},
    {SW_MSG_BYE, AGENTS, agent_bye},
    {SW_MSG_SUBMIT, CLIENTS, client_submit},
    {SW_MSG_ADD, CLIENTS, client_add},
    {SW_MSG_SEAL, CLIENTS, client_seal},
    {SW_MSG_CANCEL, CLIENTS, client_cancel},
    {SW_MSG_RETRY, CLIENTS, client_retry},
    {SW_MSG_SET, CLIENTS, client_set},
    {SW_MSG_FORGET, CLIENTS, client_forget},
    {SW_MSG_GET_JOBS, CLIENTS, client_get_jobs},
    {SW_MSG_GET_CHUNKS, CLIENTS, client_get_chunks},
    {SW_MSG_GET_ADDS, CLIENTS, client_get_adds},
    {SW_MSG_GET_AGENTS, CLIENTS, client_get_agents},
    {SW_MSG_GET_WHY, CLIENTS, client_get_why},
    {SW_MSG_GET_STATS, CLIENTS, client_get_stats},
    {SW_MSG_DRAIN, CLIENTS, client_drain},
    {SW_MSG_RESUME, CLIENTS, client_resume},
    {SW_MSG_SUBSCRIBE, CLIENTS, client_subscribe},
};

static void refuse(struct broker *broker, uint64_t ref, const char *code, const char *text)
{
    struct sw_msg_error error = {.ref = ref, .code = sw_str_of(code), .message = sw_str_of(text)};
    zmq_msg_t *route = (zmq_msg_t *)&broker->frames->route;
    sw_buf_clear(&broker->scratch);
    sw_encode(SW_MSG_ERROR, &error, &broker->scratch);
    sw_link_send(broker->control, zmq_msg_data(route), zmq_msg_size(route), &broker->scratch, NULL,
                 0);
}

/* The first field of every message is its ref (clients) or its session (agents). */
static uint64_t first_field(const struct sw_message *message)
{
    uint64_t number;
    memcpy(&number, &message->of, sizeof number);
    return number;
}

static void handle(struct broker *broker)
{
    struct sw_err err;
    const struct peer *peer = peers_find(&broker->peers, broker->frames->user_id);
    if (!peer)
        return; /* revoked: ZAP keeps it out from the next connection on */
    int r = sw_decode(sw_frame_data(broker->frames, 0), sw_frame_size(broker->frames, 0),
                      &broker->arena, &broker->message, &err);
    if (r < 0) {
        sw_log(SW_LOG_WARNING, "bad message peer=%s error=%s", peer->name, err.text);
        refuse(broker, 0, "bad-message", err.text);
        return;
    }
    for (size_t i = 0; i < SW_COUNT(table); i++) {
        if (table[i].type != broker->message.type)
            continue;
        if (table[i].roles & 1U << peer->role)
            table[i].handle(broker, peer, &broker->message.of);
        else
            refuse(broker, first_field(&broker->message), "forbidden", "this key may not say that");
        return;
    }
    refuse(broker, first_field(&broker->message), "bad-message",
           "this message is not for the broker");
}

void control_drain(struct broker *broker)
{
    for (int i = 0; i < BROKER_TURN_MESSAGES; i++) {
        struct sw_frames frames;
        int r = sw_link_recv(broker->control, true, SW_CONTROL_BYTES_MAX, &frames);
        if (r == -EAGAIN)
            return;
        broker->frames = &frames;
        if (r == 0)
            handle(broker);
        else if (frames.user_id)
            refuse(broker, 0, "bad-message", "more than 256 KiB or 64 frames");
        broker->frames = NULL;
        sw_frames_done(&frames);
    }
}
