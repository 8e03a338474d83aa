/* The control session: one DEALER, one random number, serials both ways. A DEALER reconnects
 * silently and loses what was under way, so every doubt ends the session: new socket, new HELLO
 * with all that is held. Called by the loop; what messages mean is inbox.c's and hello.c's.
 *
 * ZeroMQ's monitor tells when the link stands and when it broke; HELLO is said only over a link
 * that stands, so that no old one waits in a queue. */
#include "agent.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DELAY_MIN_MS 50
#define DELAY_MAX_MS 5000
#define STEADY_MS    5000  /* a session that lasted so long starts the back-off anew */
#define WOKEN_MS     1000  /* a jump of boot time against running time: the machine slept */
#define STUCK_MS     30000 /* no link for so long: a socket may have given up (ZAP status 400) */

static int64_t slept_ms(void)
{
    struct timespec boot, running;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &running);
    return (boot.tv_sec - running.tv_sec) * 1000 + (boot.tv_nsec - running.tv_nsec) / 1000000;
}

static void close_sockets(struct agent *agent, int linger_ms)
{
    struct session *session = &agent->session;
    data_close(agent);
    if (session->control) {
        void *handle = zsock_resolve(session->control);
        zmq_socket_monitor(handle, NULL, 0);
        zmq_setsockopt(handle, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    }
    zsock_destroy(&session->monitor);
    zsock_destroy(&session->control);
}

void session_close(struct agent *agent)
{
    close_sockets(agent, 1000); /* DONE, RETURN and BYE still leave */
}

static int open_monitor(struct agent *agent)
{
    struct session *session = &agent->session;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://control-%jx", (uintmax_t)session->id);
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(zsock_resolve(session->control), endpoint, events) < 0)
        return -errno;
    session->monitor = zsock_new(ZMQ_PAIR);
    if (!session->monitor || zmq_connect(zsock_resolve(session->monitor), endpoint) < 0)
        return -errno;
    return 0;
}

static void open_sockets(struct agent *agent)
{
    struct session *session = &agent->session;
    struct sw_err err = {"no monitor"};
    session->id = sw_random_u64();
    session->serial_out = session->serial_in = 0;
    session->connected = session->welcomed = false;
    session->beats_open = 0;
    session->opened_ms = agent->now_ms;
    session->slept_ms = slept_ms();
    session->control =
        sw_link_connect(agent->control_endpoint, &agent->keys, SW_CONTROL_BYTES_MAX, &err);
    int r = session->control ? open_monitor(agent) : -EIO;
    if (r == 0)
        r = data_open(agent, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "cannot reach the broker error=%s", err.text);
        session_lost(agent, "no socket", DELAY_MAX_MS);
    }
}

void session_lost(struct agent *agent, const char *why, int64_t delay_ms)
{
    struct session *session = &agent->session;
    if (session->welcomed)
        sw_log(SW_LOG_NOTICE, "session over reason=%s", why);
    else
        sw_log(SW_LOG_DEBUG, "no session reason=%s", why);
    if (agent->now_ms - session->opened_ms > STEADY_MS)
        session->delay_ms = 0;
    session->delay_ms =
        SW_MIN(SW_MAX(session->delay_ms * 2, (int64_t)DELAY_MIN_MS), (int64_t)DELAY_MAX_MS);
    int64_t jitter = (int64_t)(sw_random_u64() % (uint64_t)session->delay_ms);
    session->open_ms = agent->now_ms + (delay_ms ? delay_ms : session->delay_ms / 2 + jitter);
    session->connected = session->welcomed = false;
    close_sockets(agent, 0); /* what still waits in them belongs to a session that is over */
}

bool session_send(struct agent *agent,
                  enum sw_message_type type,
                  void *message,
                  const void *payload,
                  size_t payload_size)
{
    struct session *session = &agent->session;
    uint64_t numbers[2] = {session->id, ++session->serial_out};
    memcpy(message, numbers, sizeof numbers);
    sw_buf_clear(&agent->header);
    sw_encode(type, message, &agent->header);
    int r = sw_link_send(session->control, NULL, 0, &agent->header, payload, payload_size);
    if (r < 0) {
        sw_log(SW_LOG_WARNING, "message not sent error=%s", strerror(-r));
        session_lost(agent, "send failed", 0);
    }
    return r == 0;
}

static void take_event(struct agent *agent, unsigned event)
{
    struct session *session = &agent->session;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        session->connected = true;
        session->told_refused = false;
        hello_send(agent);
    } else if (event == ZMQ_EVENT_DISCONNECTED && session->connected) {
        session_lost(agent, "link broken", 0);
    } else if (event != ZMQ_EVENT_DISCONNECTED && !session->told_refused) {
        session->told_refused = true;
        sw_log(SW_LOG_WARNING, "the broker does not know this key yet, or is not the one of the "
                               "key file: trying on");
    }
}

static void drain_monitor(struct agent *agent)
{
    while (agent->session.monitor) {
        uint8_t frame[6];
        char endpoint[256];
        void *handle = zsock_resolve(agent->session.monitor);
        int n = zmq_recv(handle, frame, sizeof frame, ZMQ_DONTWAIT);
        if (n < 0)
            return;
        zmq_recv(handle, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
        if (n == sizeof frame)
            take_event(agent, (unsigned)frame[0] | (unsigned)frame[1] << 8);
    }
}

void session_drain(struct agent *agent)
{
    struct session *session = &agent->session;
    for (int i = 0; session->control && i < AGENT_TURN_MESSAGES; i++) {
        struct sw_frames frames;
        int r = sw_link_recv(session->control, false, SW_CONTROL_BYTES_MAX, &frames);
        if (r == -EAGAIN)
            break;
        if (r == 0)
            inbox_take(agent, &frames);
        else
            session_lost(agent, "message over the limits", 0);
        sw_frames_done(&frames);
    }
    drain_monitor(agent); /* after what came over the link before it broke */
}

static void tell_credit(struct agent *agent)
{
    struct sw_msg_credit credit = {0};
    credit_tell(&agent->credit, agent->now_ms, &credit.chunks, &credit.bytes);
    session_send(agent, SW_MSG_CREDIT, &credit, NULL, 0);
}

void session_tick(struct agent *agent)
{
    struct session *session = &agent->session;
    int64_t now = agent->now_ms;
    if (!session->control) {
        if (now >= session->open_ms)
            open_sockets(agent);
        return;
    }
    if (!session->connected) {
        if (now - session->opened_ms > STUCK_MS)
            session_lost(agent, "no link", 0);
        return;
    }
    if (slept_ms() - session->slept_ms > WOKEN_MS) {
        session_lost(agent, "the machine slept", 0);
    } else if (!session->welcomed) {
        if (now - session->hello_ms >= AGENT_HELLO_MS)
            hello_send(agent);
    } else if (now - session->heard_ms > AGENT_SILENT_MS) {
        session_lost(agent, "no answer to heartbeats", 0);
    } else if (now - session->beat_ms >= AGENT_BEAT_MS) {
        beat_send(agent);
    }
    if (session->welcomed && credit_wake(&agent->credit, now) <= now)
        tell_credit(agent);
}

int64_t session_wake(const struct agent *agent)
{
    const struct session *session = &agent->session;
    if (!session->control)
        return session->open_ms;
    if (!session->connected)
        return session->opened_ms + STUCK_MS + 1;
    if (!session->welcomed)
        return session->hello_ms + AGENT_HELLO_MS;
    return SW_MIN(session->beat_ms + AGENT_BEAT_MS, credit_wake(&agent->credit, agent->now_ms));
}
