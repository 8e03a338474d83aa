/* The agent's one loop: sockets, slots, signals, then what is due. Nothing in it waits for anything
 * but the poll.
 *
 * The transfers live in it too, not in an actor as the design has it: a slice costs one copy into a
 * memfd (tens of microseconds; encryption is done by ZeroMQ's own threads), and so no lease has
 * state in two threads. */
#include "agent.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define WATCHDOG_MS 2000
#define LOOK_MS     500 /* how often unanswered FETCHes and STOREs are looked at */
#define WAIT_MS     2000

#define OTHER_ITEMS 4 /* besides the lanes: signals, control, its watch, data */

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a slot that ends early closes its pipe */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void *handle_of(zsock_t *socket)
{
    return socket ? zsock_resolve(socket) : NULL;
}

/* What is polled changes with the session: filled anew each turn. */
static size_t fill_items(struct agent *agent, zmq_pollitem_t *items, int signals)
{
    size_t n = 0;
    items[n++] = (zmq_pollitem_t){.fd = signals, .events = ZMQ_POLLIN};
    for (size_t i = 0; i < agent->n_lanes; i++)
        items[n++] = (zmq_pollitem_t){.fd = slot_fd(agent->lanes[i].slot), .events = ZMQ_POLLIN};
    for (size_t i = 0; i < agent->n_lanes; i++) {
        const struct work *work = agent->lanes[i].first;
        if (work && work->in.piped && work->in.fd >= 0 && work->in.out.size > work->in.out_at)
            items[n++] = (zmq_pollitem_t){.fd = work->in.fd, .events = ZMQ_POLLOUT};
    }
    if (agent->session.control) {
        items[n++] =
            (zmq_pollitem_t){.socket = handle_of(agent->session.control), .events = ZMQ_POLLIN};
        items[n++] =
            (zmq_pollitem_t){.socket = handle_of(agent->session.watch), .events = ZMQ_POLLIN};
        items[n++] =
            (zmq_pollitem_t){.socket = handle_of(agent->data.socket), .events = ZMQ_POLLIN};
    }
    return n;
}

static void take_signal(struct agent *agent, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info) {
        if (agent->stopping)
            agent->stop = true; /* the second one does not wait */
        else
            stop_begin(agent);
    }
}

static void feed_pipes(struct agent *agent)
{
    for (size_t i = 0; i < agent->n_lanes; i++)
        for (struct work *work = agent->lanes[i].first; work; work = work->lane_next)
            if (work->in.piped)
                fetch_feed(agent, work);
}

static void look(struct agent *agent)
{
    int64_t now = agent->now_ms;
    if (now - agent->look_ms >= LOOK_MS) {
        agent->look_ms = now;
        data_look(agent);
    }
    if (now - agent->watchdog_ms >= WATCHDOG_MS) {
        agent->watchdog_ms = now;
        sd_notify(0, "WATCHDOG=1");
    }
    if (agent->credit.closed && !agent->stopping && now >= agent->paused_until) {
        agent->credit.closed = false;
        agent->lane_free = true; /* work may wait since then */
    }
}

static void turn(struct agent *agent, const zmq_pollitem_t *items, int signals)
{
    agent->now_ms = sw_boot_ms();
    if (items[0].revents)
        take_signal(agent, signals);
    session_drain(agent);
    data_drain(agent);
    for (size_t i = 0; i < agent->n_lanes; i++)
        if (items[1 + i].revents || slot_wake(agent->lanes[i].slot) <= agent->now_ms)
            run_pump(agent, &agent->lanes[i]);
    feed_pipes(agent);
    look(agent);
    run_fill(agent);
    data_pump(agent);
    report_flush(agent);
    session_tick(agent);
    stop_look(agent);
}

static int64_t wake(const struct agent *agent)
{
    int64_t at = agent->now_ms + WAIT_MS;
    at = SW_MIN(at, session_wake(agent));
    at = SW_MIN(at, run_wake(agent));
    if (agent->fetching || agent->storing)
        at = SW_MIN(at, agent->look_ms + LOOK_MS);
    if (agent->stopping)
        at = SW_MIN(at, agent->stop_ms);
    else if (agent->credit.closed)
        at = SW_MIN(at, agent->paused_until);
    return at;
}

/* Where a unit watches the loop it does so from READY=1 on; and a machine that starts must not wait
 * for a broker elsewhere. Without one READY=1 means welcomed. */
static void tell_watcher(void)
{
    if (sd_watchdog_enabled(0, NULL) > 0)
        sd_notify(0, "READY=1\nSTATUS=Waiting for the broker");
}

int agent_run(struct agent *agent)
{
    AUTO_FD int signals = open_signals();
    zmq_pollitem_t *items = sw_alloc(OTHER_ITEMS + 2 * agent->n_lanes, sizeof *items);
    int r = signals < 0 ? -errno : 0;
    agent->now_ms = sw_boot_ms();
    tell_watcher();
    while (r == 0 && !agent->stop) {
        size_t n = fill_items(agent, items, signals);
        int64_t wait = wake(agent) - sw_boot_ms();
        if (zmq_poll(items, (int)n, SW_MAX(wait, 0)) < 0 && errno != EINTR)
            r = -errno;
        else
            turn(agent, items, signals);
    }
    sw_release(items);
    return r;
}
