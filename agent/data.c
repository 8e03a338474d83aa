/* The data socket: FETCH and STORE out, SLICE and STORED in, within the window that WELCOME
 * granted. It lives and dies with the session. Called by session.c and the loop; which slice is
 * next is fetch.c's and store.c's. */
#include "agent.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

int data_open(struct agent *agent, struct sw_err *err)
{
    agent->data = (struct data_link){0};
    agent->data.socket = sw_link_connect(agent->brokers.at[agent->session.broker].data,
                                         &agent->keys, SW_DATA_BYTES_MAX, err);
    return agent->data.socket ? 0 : -EIO;
}

void data_close(struct agent *agent)
{
    struct work *work;
    int linger_ms = 0;
    if (!agent->data.socket)
        return;
    zmq_setsockopt(zsock_resolve(agent->data.socket), ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zsock_destroy(&agent->data.socket);
    DL_FOREACH2(agent->fetching, work, fetch_next)
    {
        fetch_again(agent, work);
    }
    DL_FOREACH2(agent->storing, work, store_next)
    {
        store_again(agent, work);
    }
}

bool data_send(struct agent *agent,
               enum sw_message_type type,
               const void *message,
               const void *payload,
               size_t size)
{
    sw_buf_clear(&agent->header);
    sw_encode(type, message, &agent->header);
    int r = sw_link_send(agent->data.socket, NULL, 0, &agent->header, payload, size);
    if (r < 0)
        sw_log(SW_LOG_WARNING, "slice not sent error=%s", strerror(-r));
    if (r == 0)
        agent->data.stuck_ms = 0;
    else if (!agent->data.stuck_ms)
        agent->data.stuck_ms = agent->now_ms;
    return r == 0;
}

static void take(struct agent *agent, struct sw_frames *frames)
{
    const void *bytes = frames->n > 1 ? sw_frame_data(frames, 1) : NULL;
    size_t size = frames->n > 1 ? sw_frame_size(frames, 1) : 0;
    struct sw_err err;
    if (sw_decode(sw_frame_data(frames, 0), sw_frame_size(frames, 0), &agent->arena,
                  &agent->message, &err) < 0) {
        sw_log(SW_LOG_WARNING, "bad data message error=%s", err.text);
        return;
    }
    if (agent->message.type == SW_MSG_SLICE)
        fetch_slice(agent, &agent->message.of.slice, bytes, size);
    else if (agent->message.type == SW_MSG_STORED)
        store_stored(agent, &agent->message.of.stored);
}

void data_drain(struct agent *agent)
{
    for (int i = 0; agent->data.socket && i < AGENT_TURN_MESSAGES; i++) {
        struct sw_frames frames;
        int r = sw_link_recv(agent->data.socket, false, SW_DATA_BYTES_MAX, &frames);
        if (r == -EAGAIN)
            return;
        if (r == 0)
            take(agent, &frames);
        sw_frames_done(&frames);
    }
}

/* Fetching and storing take turns, so that neither waits for the other's whole queue. */
void data_pump(struct agent *agent)
{
    struct data_link *data = &agent->data;
    while (agent->session.welcomed && data->open_bytes + SW_SLICE_BYTES_MAX <= data->window) {
        data->store_turn = !data->store_turn;
        bool sent = data->store_turn ? store_next(agent) || fetch_next(agent)
                                     : fetch_next(agent) || store_next(agent);
        if (!sent)
            return;
    }
}

/* ZeroMQ makes a link that broke anew, but not one whose handshake was damaged. */
static void renew(struct agent *agent)
{
    struct sw_err err = {""};
    uint64_t window = agent->data.window;
    sw_log(SW_LOG_NOTICE, "data link made anew reason=nothing can be sent");
    data_close(agent);
    if (data_open(agent, &err) < 0)
        session_lost(agent, err.text, 0);
    else
        agent->data.window = window;
}

void data_look(struct agent *agent)
{
    struct work *work;
    if (agent->data.stuck_ms && agent->now_ms - agent->data.stuck_ms >= AGENT_SILENT_MS)
        renew(agent);
    int64_t late = agent->now_ms - AGENT_ASK_AGAIN_MS;
    DL_FOREACH2(agent->fetching, work, fetch_next)
    {
        if (work->in.asks && work->in.asked_ms <= late)
            fetch_again(agent, work);
    }
    DL_FOREACH2(agent->storing, work, store_next)
    {
        if (work->out.asks && work->out.asked_ms <= late)
            store_again(agent, work);
    }
}
