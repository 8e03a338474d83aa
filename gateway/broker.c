/* Owns the questions to the broker that are under way. Called by ask.c and by the status page;
 * knows nothing of HTTP.
 *
 * A DEALER loses what was in flight when its peer dies, without an error, and keeps what was sent
 * while nobody was there: so a broker that is silent or whose link broke is only probed, and
 * everybody else's questions wait here until the probe is answered, by it or by the one that took
 * its place. */
#include "broker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "broker_keys.h"
#include "broker_link.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <uthash.h>

#define RESEND_MS 3000 /* longer than a commit on a slow disk */
#define PROBE_MS  1000
#define TICK_MS   250
#define ASKS_MAX  4096 /* some for each connection; more would be a leak */

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
    struct broker_link link;
    uv_prepare_t before_wait;
    uv_timer_t tick;
    struct ask *asks; /* by ref, oldest first */
    uint64_t next_ref;
    struct sw_arena arena;
    bool there, draining;
    int64_t heard_ms, probed_ms;
    void (*first)(void *arg);
    void *first_arg;
    void (*hear)(void *arg, const struct sw_message *message);
    void *hear_arg;
};

static void look(void *arg);

static void on_before_wait(uv_prepare_t *prepare)
{
    look(prepare->data);
}

static void send_ask(struct broker *broker, struct ask *ask, int64_t now_ms)
{
    if (!broker->link.socket)
        return;
    int r = sw_link_send(broker->link.socket, NULL, 0, &ask->header, ask->payload.data,
                         ask->payload.size);
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
    broker_link_answers(&broker->link);
    sw_log(SW_LOG_INFO, "broker answers endpoint=%s", broker_link_place(&broker->link));
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
    if (broker->hear && (message.type == SW_MSG_SNAPSHOT || message.type == SW_MSG_CHANGES))
        broker->hear(broker->hear_arg, &message);
    HASH_FIND(hh, broker->asks, &ref, sizeof ref, ask);
    if (ask)
        end_ask(broker, ask, &message);
}

static void drain(struct broker *broker)
{
    if (broker->draining || !broker->link.socket)
        return;
    broker->draining = true;
    while (broker->link.socket && (zsock_events(broker->link.socket) & ZMQ_POLLIN)) {
        struct sw_frames frames;
        int r = sw_link_recv(broker->link.socket, false, SW_CONTROL_BYTES_MAX * 2, &frames);
        if (r == -EAGAIN)
            break;
        if (r == 0)
            take_answer(broker, &frames);
        sw_frames_done(&frames);
    }
    broker->draining = false;
}

static void
say_once(struct broker *broker, enum sw_message_type type, const void *message, int64_t now_ms)
{
    struct ask once = {0};
    sw_encode(type, message, &once.header);
    send_ask(broker, &once, now_ms);
    sw_buf_done(&once.header);
}

static void probe(struct broker *broker, int64_t now_ms)
{
    struct sw_msg_get_stats question = {0};
    if (!broker_link_search(&broker->link) && now_ms - broker->probed_ms < PROBE_MS)
        return;
    broker->probed_ms = now_ms;
    question.ref = ++broker->next_ref;
    say_once(broker, SW_MSG_GET_STATS, &question, now_ms); /* any word of the broker's counts */
}

static void lost(struct broker *broker, const char *how)
{
    broker->there = false;
    sw_log(SW_LOG_WARNING, "broker %s endpoint=%s", how, broker_link_place(&broker->link));
}

static void look(void *arg)
{
    struct broker *broker = arg;
    drain(broker);
    if (broker_link_broke(&broker->link) && broker->there)
        lost(broker, "broke the link");
    if (!broker->there && broker->link.next_ms)
        probe(broker, sw_boot_ms());
}

static void on_tick(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    struct ask *ask, *next;
    int64_t now_ms = sw_boot_ms();
    look(broker);
    HASH_ITER(hh, broker->asks, ask, next)
    {
        if (now_ms - ask->asked_ms >= ask->patience_ms) {
            metric_add(broker->gateway, METRIC_BROKER_SILENT, 1);
            end_ask(broker, ask, NULL);
        } else if (broker->there && now_ms - ask->sent_ms >= RESEND_MS) {
            if (broker->heard_ms < ask->sent_ms && ask->sent_ms) {
                lost(broker, "is silent");
                broker_link_doubt(&broker->link);
            } else
                send_ask(broker, ask, now_ms);
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
    broker->link = (struct broker_link){.loop = g->loop, .look = look, .arg = broker};
    int r = sw_brokers_parse(g->options->broker, &broker->link.brokers, err);
    if (r == 0)
        r = broker_keys_read(g->options, &broker->link.keys, err);
    if (r == 0)
        r = broker_link_open(&broker->link, err);
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
    broker_link_close(&broker->link);
    uv_close((uv_handle_t *)&broker->before_wait, NULL);
    uv_close((uv_handle_t *)&broker->tick, NULL);
    uv_run(broker->gateway->loop, UV_RUN_NOWAIT);
    sw_arena_done(&broker->arena);
    sodium_memzero(&broker->link.keys, sizeof broker->link.keys);
    sw_release(broker);
    *p = NULL;
}

void broker_listen(struct broker *broker,
                   void (*hear)(void *arg, const struct sw_message *message),
                   void *arg)
{
    broker->hear = hear;
    broker->hear_arg = arg;
}

void broker_say(struct broker *broker, enum sw_message_type type, const void *message)
{
    if (broker->there)
        say_once(broker, type, message, sw_boot_ms());
}

bool broker_is_there(const struct broker *broker)
{
    return broker->there;
}

const char *broker_place(const struct broker *broker)
{
    return broker_link_place(&broker->link);
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
