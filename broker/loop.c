/* The one loop: sockets first, then the tick, then what was gathered goes out. It waits for a disk
 * only to read small inputs from files for ASSIGN (outbox.c). */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PEERS_LOOK_MS 1000 /* a revoked key is noticed within a second */

void broker_act(struct broker *broker)
{
    struct core_action action;
    while (core_next(broker->core, &action))
        apply_action(broker, &action);
}

void broker_feed(struct broker *broker, const struct core_event *event)
{
    core_feed(broker->core, event, sw_boot_ms());
    broker_act(broker);
}

static int zap_decide(void *arg, const char *public_key, const char *domain)
{
    struct broker *broker = arg;
    (void)domain;
    if (peers_find(&broker->peers, public_key))
        return 200;
    peers_reload(&broker->peers); /* a peer that was just added need not wait for the next look */
    return peers_find(&broker->peers, public_key) ? 200 : 300;
}

/* Sessions whose messages could not be delivered are over. */
static void drop_broken(struct broker *broker)
{
    for (size_t i = 0; i < broker->devices.n; i++) {
        struct device *device = broker->devices.by_index[i];
        if (!device->broken)
            continue;
        device->broken = false;
        struct core_event event = {
            .type = EV_UNREACHABLE, .agent = device->index, .session = device->session};
        broker_feed(broker, &event);
    }
}

/* Devices whose key is no longer listed lose their session at once, and data serves them no more.
 */
static void look_at_peers(struct broker *broker)
{
    peers_reload(&broker->peers);
    if (!broker->peers.changed)
        return;
    broker->peers.changed = false;
    for (size_t i = 0; i < broker->devices.n; i++) {
        struct device *device = broker->devices.by_index[i];
        bool revoked = !peers_find(&broker->peers, device->key);
        if (revoked != device->revoked)
            data_revoke(broker->data, device->key, revoked);
        device->revoked = revoked;
        if (!revoked || !device->session)
            continue;
        sw_log(SW_LOG_NOTICE, "key revoked device=%s", device->id);
        struct core_event event = {
            .type = EV_UNREACHABLE, .agent = device->index, .session = device->session};
        broker_feed(broker, &event);
    }
}

static void take_committed(struct broker *broker)
{
    struct sw_err err = {0};
    uint64_t seq = broker->committed_seq;
    int r = journal_committed(broker->journal, &seq, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "store failed error=%s", err.text);
        broker->failure = r; /* recovery, not retry */
        broker->stop = true;
        return;
    }
    if (seq == broker->committed_seq)
        return;
    broker->committed_seq = seq;
    struct core_event event = {.type = EV_COMMITTED, .of.committed = seq};
    broker_feed(broker, &event);
    for (size_t i = 0; i < broker->devices.n; i++)
        if (broker->devices.by_index[i]->unsaved)
            device_save(broker, broker->devices.by_index[i]);
}

static void take_history(struct broker *broker)
{
    for (struct history_reply *reply; (reply = history_next(broker->history));) {
        struct request *request = request_find(broker, reply->ref);
        if (reply->ref == RETENTION_REF)
            retention_answered(broker, reply);
        if (request)
            client_looked_up(broker, request, reply);
        history_reply_destroy(&reply);
    }
}

static void take_data(struct broker *broker)
{
    for (struct data_prepared *prepared; (prepared = data_next(broker->data));) {
        inputs_prepared(broker, prepared);
        data_prepared_destroy(&prepared);
    }
}

static void turn(struct broker *broker, const zmq_pollitem_t *items)
{
    sw_zap_serve(broker->zap, zap_decide, broker);
    if (items[1].revents) {
        struct signalfd_siginfo info;
        broker->stop |= read(items[1].fd, &info, sizeof info) == sizeof info;
    }
    take_committed(broker);
    take_data(broker);
    take_history(broker);
    control_drain(broker);
    drop_broken(broker);
    int64_t now = sw_boot_ms();
    if (now >= core_wake(broker->core)) {
        struct core_event tick = {.type = EV_TICK};
        broker_feed(broker, &tick);
        sd_notify(0, "WATCHDOG=1");
    }
    static int64_t next_look;
    if (now >= next_look) {
        look_at_peers(broker);
        disk_words(broker); /* for the log, if nobody asks */
        stall_words(broker);
        retention_tick(broker);
        next_look = now + PEERS_LOOK_MS;
    }
    outbox_flush_all(broker);
    drop_broken(broker);
    feed_flush(broker, now);
    journal_flush(broker->journal);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A standby said so before, with more time for what comes in between. */
static void tell_ready(void)
{
    uint64_t usec = 0;
    sd_notify(0, "READY=1\nSTATUS=works");
    if (sd_watchdog_enabled(0, &usec) > 0)
        sd_notifyf(0, "WATCHDOG_USEC=%" PRIu64, usec);
}

int broker_run(struct broker *broker)
{
    AUTO_FD int signals = open_signals();
    zmq_pollitem_t items[] = {
        {.socket = zsock_resolve(broker->zap), .events = ZMQ_POLLIN},
        {.fd = signals, .events = ZMQ_POLLIN},
        {.socket = zsock_resolve(journal_socket(broker->journal)), .events = ZMQ_POLLIN},
        {.socket = zsock_resolve(data_socket(broker->data)), .events = ZMQ_POLLIN},
        {.socket = zsock_resolve(history_socket(broker->history)), .events = ZMQ_POLLIN},
        {.socket = zsock_resolve(broker->control), .events = ZMQ_POLLIN},
    };
    tell_ready();
    while (!broker->stop) {
        int64_t wait = SW_MIN(core_wake(broker->core), feed_wake(broker)) - sw_boot_ms();
        if (zmq_poll(items, (int)SW_COUNT(items), SW_MAX(wait, 0)) < 0 && errno != EINTR)
            return -errno;
        turn(broker, items);
    }
    sd_notify(0, "STOPPING=1");
    return broker->failure;
}
