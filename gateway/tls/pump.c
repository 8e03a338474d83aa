/* Moves bytes between connections that speak TLS and libraries that do not: the outer end is the
 * connection, the inner one half of a socketpair whose other half is handed on as if it were the
 * connection. Called by arrivals.c with the former; judges no content.
 *
 * Each way holds one record at most, and reads no more until it has gone on: so a client that does
 * not read stops the library that writes, as without TLS. What moves is counted at the outer end by
 * the kernel (watch.c); only what has no library behind it any more is judged here: handshakes, and
 * the rest of an answer whose library is done. */
#include "arrivals.h"
#include "base/clock.h"
#include "base/own.h"
#include "tcp.h"
#include "tls/flow.h"
#include "tls/tls.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS     1000
#define LAST_MS     1000  /* at the end of the gateway */
#define LINGER_MS   5000  /* for the client to close, once all was said */
#define DRAIN_MS    30000 /* over each such stretch what is left must move by ... */
#define DRAIN_LEAST ((uint64_t)30 << 10)

struct pump {
    struct pump *next, **link;
    struct pumps *pumps;
    struct flow flow;
    struct from from;
    uv_poll_t outer, inner;
    bool open;     /* the handshake is done */
    bool draining; /* the library said its last */
    unsigned closing;
    int64_t since_ms; /* of what it does now */
    uint64_t mark;    /* bytes out, then */
};

struct pumps {
    struct gateway *gateway;
    struct pump *first; /* newest first */
    unsigned n, n_handshakes;
    uv_timer_t tick;
};

static void on_closed(uv_handle_t *handle)
{
    struct pump *pump = handle->data;
    if (--pump->closing)
        return;
    pump->pumps->n--;
    sw_release(pump);
}

/* Ends it on both sides, whatever is still unsaid. */
static void end_pump(struct pump *pump)
{
    assert(pump);
    *pump->link = pump->next;
    if (pump->next)
        pump->next->link = pump->link;
    if (!pump->open)
        pump->pumps->n_handshakes--;
    pump->closing = pump->open ? 2 : 1;
    uv_close((uv_handle_t *)&pump->outer, on_closed);
    if (pump->open)
        uv_close((uv_handle_t *)&pump->inner, on_closed);
    flow_done(&pump->flow);
}

static void turn(struct pump *pump);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    turn(poll->data);
}

static void listen_to(uv_poll_t *poll, int events)
{
    if (events)
        uv_poll_start(poll, events, on_ready);
    else
        uv_poll_stop(poll);
}

/* The other half goes to whoever may read it now. False: no descriptors left. */
static bool hand_on(struct pump *pump)
{
    int fds[2];
    struct gateway *g = pump->pumps->gateway;
    AUTO_FD int counted = fcntl(pump->flow.outer_fd, F_DUPFD_CLOEXEC, 0);
    if (counted < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return false;
    pump->flow.inner_fd = fds[0];
    uv_poll_init(g->loop, &pump->inner, fds[0]);
    pump->inner.data = pump;
    pump->open = true;
    pump->pumps->n_handshakes--;
    struct from from = pump->from;
    from.secure = true;
    from.tcp_fd = TAKE_FD(counted);
    arrivals_take(g, fds[1], &from);
    return true;
}

static void start_draining(struct pump *pump, int64_t now_ms)
{
    pump->draining = true;
    pump->since_ms = now_ms;
    pump->mark = pump->flow.bytes_out;
}

static void turn(struct pump *pump)
{
    if (!pump->open) {
        int wants = flow_accept(&pump->flow);
        if (wants > 0) {
            listen_to(&pump->outer, wants);
            return;
        }
        if (wants < 0 || !hand_on(pump)) {
            end_pump(pump);
            return;
        }
    }
    if (!flow_move(&pump->flow, PUMP_BYTES_AT_ONCE)) {
        end_pump(pump);
        return;
    }
    if (pump->flow.out.ended && !pump->draining)
        start_draining(pump, sw_boot_ms());
    listen_to(&pump->outer, pump->flow.wants_outer);
    listen_to(&pump->inner, pump->flow.wants_inner);
}

static bool is_too_slow(struct pump *pump, int64_t now_ms)
{
    int64_t passed_ms = now_ms - pump->since_ms;
    if (!pump->open)
        return passed_ms >= HANDSHAKE_MS;
    if (!pump->draining)
        return false;
    if (pump->flow.out.told)
        return passed_ms >= LINGER_MS;
    if (passed_ms < DRAIN_MS)
        return false;
    if (pump->flow.bytes_out - pump->mark < DRAIN_LEAST)
        return true;
    start_draining(pump, now_ms);
    return false;
}

static void on_tick(uv_timer_t *timer)
{
    struct pumps *pumps = timer->data;
    int64_t now_ms = sw_boot_ms();
    for (struct pump *pump = pumps->first, *next; pump; pump = next) {
        next = pump->next;
        if (!is_too_slow(pump, now_ms))
            continue;
        if (!pump->flow.out.told) {
            metric_add(pumps->gateway, METRIC_CUT_SLOW, 1);
            tcp_reset(pump->flow.outer_fd);
        }
        end_pump(pump);
    }
}

static void make_room(struct pumps *pumps)
{
    struct pump *oldest = NULL;
    if (pumps->n_handshakes < HANDSHAKES_MAX)
        return;
    for (struct pump *pump = pumps->first; pump; pump = pump->next)
        if (!pump->open)
            oldest = pump;
    end_pump(oldest);
}

void pumps_take(struct gateway *g, int fd, const struct from *from)
{
    struct pumps *pumps = g->pumps;
    struct pump *pump = sw_alloc(1, sizeof *pump);
    make_room(pumps);
    if (!flow_init(&pump->flow, tls_context(g), fd)) {
        sw_release(pump);
        return;
    }
    pump->pumps = pumps;
    pump->from = *from;
    pump->since_ms = sw_boot_ms();
    pump->next = pumps->first;
    pump->link = &pumps->first;
    if (pump->next)
        pump->next->link = &pump->next;
    pumps->first = pump;
    pumps->n++;
    pumps->n_handshakes++;
    uv_poll_init(g->loop, &pump->outer, fd);
    pump->outer.data = pump;
    turn(pump);
}

unsigned pumps_n(const struct gateway *g)
{
    return g->pumps->n;
}

void pumps_open(struct gateway *g)
{
    struct pumps *pumps = sw_alloc(1, sizeof *pumps);
    pumps->gateway = g;
    uv_timer_init(g->loop, &pumps->tick);
    pumps->tick.data = pumps;
    uv_timer_start(&pumps->tick, on_tick, TICK_MS, TICK_MS);
    g->pumps = pumps;
}

static bool has_unsaid(const struct pumps *pumps)
{
    for (const struct pump *pump = pumps->first; pump; pump = pump->next)
        if (pump->open && !pump->flow.out.told)
            return true;
    return false;
}

void pumps_destroy(struct pumps **p)
{
    struct pumps *pumps = *p;
    if (!pumps)
        return;
    int64_t end_ms = sw_boot_ms() + LAST_MS;
    uv_loop_t *loop = pumps->gateway->loop;
    for (struct pump *pump = pumps->first, *next; pump; pump = next) {
        next = pump->next;
        if (!pump->open) /* nobody is left who would take it */
            end_pump(pump);
    }
    uv_timer_start(&pumps->tick, on_tick, 50, 50);
    while (has_unsaid(pumps) && sw_boot_ms() < end_ms)
        uv_run(loop, UV_RUN_ONCE);
    while (pumps->first)
        end_pump(pumps->first);
    uv_close((uv_handle_t *)&pumps->tick, NULL);
    while (pumps->n)
        uv_run(loop, UV_RUN_NOWAIT);
    uv_run(loop, UV_RUN_NOWAIT); /* the timer's handle is gone before its memory */
    sw_release(pumps);
    *p = NULL;
}
