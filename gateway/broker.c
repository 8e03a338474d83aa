/* Owns the DEALER to the broker and the questions under way. Called by ask.c and by the status
 * page; knows nothing of HTTP.
 *
 * A DEALER loses what was in flight when its peer dies, without an error, and keeps what was sent
 * while nobody was there: so a silent broker is only probed, with a fresh socket now and then, and
 * everybody else's questions wait here until the probe is answered. */
#include "broker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "broker_keys.h"
#include "proto/link.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define RESEND_MS  3000 /* longer than a commit on a slow disk */
#define PROBE_MS   1000
#define REBUILD_MS 5000 /* what a dead socket has queued is thrown away */
#define TICK_MS    250
#define ASKS_MAX   4096 /* some for each connection; more would be a leak */

struct ask {
    uint64_t ref;
    int64_t asked_ms, sent_ms, patience_ms; /* sent_ms 0: not yet */
    bool repeated;
    struct sw_buf header, payload;
    broker_done *done;
    void *arg;
    UT_hash_handle hh;
};

struct broker {
    struct gateway *gateway;
    struct sw_keys keys;
    char endpoint[256];
    zsock_t *socket;
    uv_poll_t *readable; /* of this socket; goes with it */
    uv_prepare_t before_wait;
    uv_timer_t tick;
    struct ask *asks; /* by ref, oldest first */
    uint64_t next_ref;
    struct sw_arena arena;
    bool there, draining;
    int64_t heard_ms, probed_ms, built_ms;
    void (*first)(void *arg);
    void *first_arg;
};

static void drain(struct broker *broker);

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    drain(poll->data);
}

static void on_before_wait(uv_prepare_t *prepare)
{
    drain(prepare->data);
}

static int build_socket(struct broker *broker, struct sw_err *err)
{
    broker->socket =
        sw_link_connect(broker->endpoint, &broker->keys, SW_CONTROL_BYTES_MAX * 2, err);
    if (!broker->socket)
        return -ENOTCONN;
    broker->built_ms = sw_boot_ms();
    broker->readable = sw_alloc(1, sizeof *broker->readable);
    uv_poll_init(broker->gateway->loop, broker->readable, (int)zsock_fd(broker->socket));
    broker->readable->data = broker;
    uv_poll_start(broker->readable, UV_READABLE, on_readable);
    return 0;
}

static void free_handle(uv_handle_t *handle)
{
    sw_release(handle);
}

static void drop_socket(struct broker *broker)
{
    if (broker->readable)
        uv_close((uv_handle_t *)TAKE(broker->readable), free_handle);
    zsock_destroy(&broker->socket);
}

static void send_ask(struct broker *broker, struct ask *ask, int64_t now_ms)
{
    if (!broker->socket)
        return;
    int r =
        sw_link_send(broker->socket, NULL, 0, &ask->header, ask->payload.data, ask->payload.size);
    if (r < 0)
        return; /* its queue is full: the next tick tries again */
    ask->repeated = ask->sent_ms != 0;
    ask->sent_ms = now_ms;
    metric_add(broker->gateway, ask->repeated ? METRIC_BROKER_RESENDS : METRIC_BROKER_ASKS, 1);
}

static void end_ask(struct broker *broker, struct ask *ask, const struct sw_message *answer)
{
    HASH_DEL(broker->asks, ask);
    if (ask->done)
        ask->done(ask->arg, answer, ask->repeated);
    sw_buf_done(&ask->header);
    sw_buf_done(&ask->payload);
    sw_release(ask);
}

static void heard(struct broker *broker)
{
    struct ask *ask, *next;
    int64_t now_ms = sw_boot_ms();
    broker->heard_ms = now_ms;
    if (broker->there)
        return;
    broker->there = true;
    sw_log(SW_LOG_INFO, "broker answers endpoint=%s", broker->endpoint);
    HASH_ITER(hh, broker->asks, ask, next)
    send_ask(broker, ask, now_ms);
    if (broker->first)
        broker->first(broker->first_arg);
    broker->first = NULL;
}

static void take_answer(struct broker *broker, const struct sw_frames *frames)
{
    struct sw_message message;
    struct ask *ask;
    struct sw_err err = {""};
    int r = sw_decode(sw_frame_data(frames, 0), sw_frame_size(frames, 0), &broker->arena, &message,
                      &err);
    if (r < 0) {
        sw_log(SW_LOG_WARNING, "broker message dropped error=\"%s\"", err.text);
        return;
    }
    /* ref is the second field of ERROR and the first of every other answer */
    uint64_t ref = message.type == SW_MSG_ERROR ? message.of.error.ref : message.of.ok.ref;
    heard(broker);
    HASH_FIND(hh, broker->asks, &ref, sizeof ref, ask);
    if (ask)
        end_ask(broker, ask, &message);
}

static void drain(struct broker *broker)
{
    if (broker->draining || !broker->socket)
        return;
    broker->draining = true;
    while (broker->socket && (zsock_events(broker->socket) & ZMQ_POLLIN)) {
        struct sw_frames frames;
        int r = sw_link_recv(broker->socket, false, SW_CONTROL_BYTES_MAX * 2, &frames);
        if (r == -EAGAIN)
            break;
        if (r == 0)
            take_answer(broker, &frames);
        sw_frames_done(&frames);
    }
    broker->draining = false;
}

static void probe(struct broker *broker, int64_t now_ms)
{
    struct sw_msg_get_stats question = {0};
    if (now_ms - broker->probed_ms < PROBE_MS)
        return;
    broker->probed_ms = now_ms;
    if (now_ms - broker->built_ms >= REBUILD_MS) {
        drop_socket(broker);
        build_socket(broker, NULL);
    }
    struct ask once = {0}; /* its answer needs no waiting: any word of the broker's counts */
    question.ref = ++broker->next_ref;
    sw_encode(SW_MSG_GET_STATS, &question, &once.header);
    send_ask(broker, &once, now_ms);
    sw_buf_done(&once.header);
}

static void on_tick(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    struct ask *ask, *next;
    int64_t now_ms = sw_boot_ms();
    drain(broker);
    HASH_ITER(hh, broker->asks, ask, next)
    {
        if (now_ms - ask->asked_ms >= ask->patience_ms) {
            metric_add(broker->gateway, METRIC_BROKER_SILENT, 1);
            end_ask(broker, ask, NULL);
        } else if (broker->there && now_ms - ask->sent_ms >= RESEND_MS) {
            if (broker->heard_ms < ask->sent_ms && ask->sent_ms) {
                broker->there = false;
                sw_log(SW_LOG_WARNING, "broker is silent endpoint=%s", broker->endpoint);
            } else {
                send_ask(broker, ask, now_ms);
            }
        }
    }
    if (!broker->there)
        probe(broker, now_ms);
}

int broker_open(struct gateway *g, void (*there)(void *arg), void *arg, struct sw_err *err)
{
    struct broker *broker = sw_alloc(1, sizeof *broker);
    broker->gateway = g;
    broker->first = there;
    broker->first_arg = arg;
    broker->next_ref = sw_random_u64() >> 16;
    snprintf(broker->endpoint, sizeof broker->endpoint, "tcp://%s", g->options->broker);
    int r = broker_keys_read(g->options, &broker->keys, err);
    if (r == 0)
        r = build_socket(broker, err);
    if (r < 0) {
        sw_release(broker);
        return r;
    }
    uv_prepare_init(g->loop, &broker->before_wait);
    uv_timer_init(g->loop, &broker->tick);
    broker->before_wait.data = broker->tick.data = broker;
    uv_prepare_start(&broker->before_wait, on_before_wait);
    uv_timer_start(&broker->tick, on_tick, 0, TICK_MS);
    g->broker = broker;
    return 0;
}

void broker_destroy(struct broker **p)
{
    struct broker *broker = *p;
    if (!broker)
        return;
    broker_give_up(broker);
    drop_socket(broker);
    uv_close((uv_handle_t *)&broker->before_wait, NULL);
    uv_close((uv_handle_t *)&broker->tick, NULL);
    uv_run(broker->gateway->loop, UV_RUN_NOWAIT);
    sw_arena_done(&broker->arena);
    sodium_memzero(&broker->keys, sizeof broker->keys);
    sw_release(broker);
    *p = NULL;
}

bool broker_is_there(const struct broker *broker)
{
    return broker->there;
}

unsigned broker_waiting(const struct broker *broker)
{
    return HASH_COUNT(broker->asks);
}

void broker_give_up(struct broker *broker)
{
    struct ask *ask, *next;
    HASH_ITER(hh, broker->asks, ask, next)
    end_ask(broker, ask, NULL);
}

void broker_ask(struct broker *broker,
                enum sw_message_type type,
                void *message,
                const void *payload,
                size_t payload_size,
                int64_t patience_ms,
                broker_done *done,
                void *arg)
{
    assert(strcmp(sw_record_of(type)->fields[0].name, "ref") == 0);
    if (HASH_COUNT(broker->asks) >= ASKS_MAX) {
        done(arg, NULL, false);
        return;
    }
    struct ask *ask = sw_alloc(1, sizeof *ask);
    ask->ref = ++broker->next_ref;
    ask->asked_ms = sw_boot_ms();
    ask->patience_ms = patience_ms;
    ask->done = done;
    ask->arg = arg;
    memcpy(message, &ask->ref, sizeof ask->ref);
    sw_encode(type, message, &ask->header);
    sw_buf_put(&ask->payload, payload, payload_size);
    HASH_ADD(hh, broker->asks, ref, sizeof ask->ref, ask);
    if (broker->there)
        send_ask(broker, ask, ask->asked_ms);
}
