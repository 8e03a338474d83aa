/* The control session: one DEALER, one random number, serials both ways. A DEALER reconnects
 * silently and loses what was under way, so every doubt ends the session: new socket, new HELLO
 * with all that is held. Called by the loop; what messages mean is inbox.c's and hello.c's.
 *
 * ZeroMQ's monitor tells when the link stands and when it broke; HELLO is said only over a link
 * that stands, so that no old one waits in a queue.
 *
 * Where there are several brokers, one of them works and the others have no port open. A broker
 * that refuses the connection, lets the link break, is silent or does not welcome is left for the
 * next one; a round over all of them is quick, the pauses are between rounds. */
#include "agent.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define DELAY_MIN_MS 50
#define DELAY_MAX_MS 5000
#define SOON_MS      30000 /* since the last session: a standby is about to take over */
#define SOON_MAX_MS  300   /* so long it is looked for at short intervals: the broker that begins */
                           /* waits a second and a half for those that it knew */
#define LINK_MS    2000    /* no link, or no WELCOME, for so long: another broker may have one; */
#define ROUNDS_MAX 5       /* each round gives them more time, up to so many times that */
#define WOKEN_MS   1000    /* a jump of boot time against running time: the machine slept */
#define TOLD_MS    5000    /* no link for so long: somebody should know */
#define STUCK_MS   30000   /* no link for so long: a socket may have given up (ZAP status 400) */

static int64_t slept_ms(void)
{
    struct timespec boot, running;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &running);
    return (boot.tv_sec - running.tv_sec) * 1000 + (boot.tv_nsec - running.tv_nsec) / 1000000;
}

static void close_sockets(struct agent *agent, int linger_ms)
{
    data_close(agent);
    sw_link_close(&agent->session.control, &agent->session.watch, linger_ms);
}

void session_close(struct agent *agent)
{
    close_sockets(agent, 1000); /* DONE, RETURN and BYE still leave */
}

static void open_sockets(struct agent *agent)
{
    struct session *session = &agent->session;
    struct sw_err err;
    session->id = sw_random_u64();
    session->serial_out = session->serial_in = 0;
    session->connected = session->welcomed = false;
    session->beats_open = 0;
    session->opened_ms = agent->now_ms;
    if (!session->linked_ms)
        session->linked_ms = session->welcomed_ms = agent->now_ms;
    session->slept_ms = slept_ms();
    session->control =
        sw_link_connect_watched(agent->brokers.at[session->broker].control, &agent->keys,
                                SW_CONTROL_BYTES_MAX, &session->watch, &err);
    if (!session->control || data_open(agent, &err) < 0) {
        sw_log(SW_LOG_ERROR, "cannot reach the broker error=%s", err.text);
        session_lost(agent, "no socket", DELAY_MAX_MS);
    }
}

/* With jitter. Within a round over all brokers short, between rounds growing. */
static int64_t back_off(struct agent *agent)
{
    struct session *session = &agent->session;
    bool is_soon = agent->brokers.n > 1 && agent->now_ms - session->welcomed_ms < SOON_MS;
    if (++session->tries % agent->brokers.n)
        return (int64_t)(sw_random_u64() % DELAY_MIN_MS);
    session->delay_ms = SW_MIN(SW_MAX(session->delay_ms * 2, (int64_t)DELAY_MIN_MS),
                               (int64_t)(is_soon ? SOON_MAX_MS : DELAY_MAX_MS));
    return session->delay_ms / 2 + (int64_t)(sw_random_u64() % (uint64_t)session->delay_ms);
}

void session_lost(struct agent *agent, const char *why, int64_t delay_ms)
{
    struct session *session = &agent->session;
    if (session->welcomed)
        sw_log(SW_LOG_NOTICE, "session over reason=%s", why);
    else
        sw_log(SW_LOG_DEBUG, "no session reason=%s", why);
    if (session->connected)
        session->linked_ms = agent->now_ms;
    if (session->welcomed) {
        session->welcomed_ms = agent->now_ms;
        session->delay_ms = 0;
        session->tries = 0;
    }
    session->open_ms = agent->now_ms + (delay_ms ? delay_ms : back_off(agent));
    session->connected = session->welcomed = false;
    close_sockets(agent, 0); /* what still waits in them belongs to a session that is over */
}

/* It is this broker that is in doubt, not only this session. */
static void try_next(struct agent *agent, const char *why)
{
    struct session *session = &agent->session;
    session->broker = (session->broker + 1) % agent->brokers.n;
    session_lost(agent, why, 0);
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

static void drain_events(struct agent *agent)
{
    struct session *session = &agent->session;
    for (enum sw_link_event event; session->watch && (event = sw_link_event(session->watch));) {
        if (event == SW_LINK_UP) {
            session->connected = true;
            session->told_unlinked = false;
            hello_send(agent);
        } else if (session->connected) {
            try_next(agent, "link broken");
        } else if (event == SW_LINK_FAILED && agent->brokers.n > 1) {
            try_next(agent, "cannot connect"); /* with one, the socket tries by itself */
        }
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
    drain_events(agent); /* after what came over the link before it broke */
}

static void tell_credit(struct agent *agent)
{
    struct sw_msg_credit credit = {0};
    credit_tell(&agent->credit, agent->now_ms, &credit.chunks, &credit.bytes);
    session_send(agent, SW_MSG_CREDIT, &credit, NULL, 0);
}

/* A broker that is away and one that does not know this key look the same from here. */
static void tell_unlinked(struct agent *agent)
{
    struct session *session = &agent->session;
    if (session->told_unlinked || agent->now_ms - session->linked_ms < TOLD_MS)
        return;
    session->told_unlinked = true;
    sw_log(SW_LOG_WARNING,
           "no link to the broker: is it running, does it know this key, and is the key file's "
           "server key its own? trying on. broker=%s",
           agent->config.broker);
    sd_notify(0, "STATUS=Waiting for the broker");
}

/* One that is slow to link or to welcome may be busy with a thousand others that also just came: if
 * each gave up and began again at the same pace, none would ever be through. */
static int64_t patience_ms(const struct agent *agent)
{
    uint64_t rounds = 1 + agent->session.tries / agent->brokers.n;
    return LINK_MS * (int64_t)SW_MIN(rounds, (uint64_t)ROUNDS_MAX);
}

static int64_t link_deadline(const struct agent *agent)
{
    return agent->session.opened_ms + (agent->brokers.n > 1 ? patience_ms(agent) : STUCK_MS);
}

static int64_t welcome_deadline(const struct agent *agent)
{
    return agent->brokers.n > 1 ? agent->session.opened_ms + patience_ms(agent) : INT64_MAX;
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
        tell_unlinked(agent);
        if (now >= link_deadline(agent))
            try_next(agent, "no link");
        return;
    }
    if (slept_ms() - session->slept_ms > WOKEN_MS) {
        session_lost(agent, "the machine slept", 0);
    } else if (!session->welcomed) {
        if (now >= welcome_deadline(agent))
            try_next(agent, "not welcomed");
        else if (now - session->hello_ms >= AGENT_HELLO_MS)
            hello_send(agent);
    } else if (now - session->heard_ms > AGENT_SILENT_MS) {
        try_next(agent, "no answer to heartbeats");
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
        return SW_MIN(session->told_unlinked ? INT64_MAX : session->linked_ms + TOLD_MS,
                      link_deadline(agent));
    if (!session->welcomed)
        return SW_MIN(session->hello_ms + AGENT_HELLO_MS, welcome_deadline(agent));
    return SW_MIN(session->beat_ms + AGENT_BEAT_MS, credit_wake(&agent->credit, agent->now_ms));
}
