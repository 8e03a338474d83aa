/* Tells HTTP from WebSockets by a connection's first bytes, without taking them: they are peeked
 * at, then libmicrohttpd or libwebsockets reads them itself. Called by the door with what it
 * accepted.
 *
 * An epoll of its own, edge-triggered: bytes that are only peeked at stay, and a level would fire
 * for ever. Of a WebSocket the whole head is awaited and judged here. */
#include "arrivals.h"

#include "base/clock.h"
#include "base/own.h"
#include "host.h"
#include "live/socket.h"
#include "live/socket_io.h"
#include "redirect.h"
#include "tls/tls.h"
#include "upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define TICK_MS        1000
#define TLS_HANDSHAKE  0x16 /* the first byte of it; no method of HTTP begins so */

struct arrival {
    struct arrival *next, **link;
    int fd;
    int64_t since_ms;
    struct from from;
};

struct arrivals {
    struct gateway *gateway;
    int epoll_fd;
    uv_poll_t ready;
    uv_timer_t tick;
    struct arrival *oldest, **end; /* in the order they came */
    unsigned n;
};

/* The descriptor goes on somewhere else, or was closed. */
static void leave(struct arrivals *a, struct arrival *arrival)
{
    *arrival->link = arrival->next;
    if (arrival->next)
        arrival->next->link = arrival->link;
    else
        a->end = arrival->link;
    a->n--;
    sw_release(arrival);
}

/* Its descriptor, which goes on to whoever speaks what it speaks. */
static int take_out(struct arrivals *a, struct arrival *arrival, struct from *ret_from)
{
    int fd = arrival->fd;
    *ret_from = arrival->from;
    epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    leave(a, arrival);
    return fd;
}

static void cut(struct arrivals *a, struct arrival *arrival)
{
    close(arrival->fd); /* which takes it out of the epoll too */
    sw_fd_close(&arrival->from.tcp_fd);
    leave(a, arrival);
}

/* After an answer: a close with bytes unread would be a reset, which may overtake it. */
static void hang_up(struct arrivals *a, struct arrival *arrival)
{
    char rest[UPGRADE_HEAD_MAX];
    ssize_t ignored = recv(arrival->fd, rest, sizeof rest, MSG_DONTWAIT);
    (void)ignored;
    cut(a, arrival);
}

static void refuse_with(struct arrivals *a, struct arrival *arrival, int status, const char *body)
{
    char text[512];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d Refused\r\nConnection: close\r\n%sContent-Type: "
                     "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     status, status == 426 ? "Upgrade: websocket\r\n" : "", strlen(body), body);
    ssize_t ignored = send(arrival->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
    hang_up(a, arrival);
}

static void refuse(struct arrivals *a, struct arrival *arrival, int status, const char *words)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"success\":false,\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
             status == 401   ? "unauthorized"
             : status == 403 ? "forbidden"
             : status == 404 ? "not_found"
             : status == 421 ? "bad_host"
             : status == 503 ? "busy"
                             : "bad_request",
             words);
    metric_add(a->gateway, METRIC_REFUSED_HEADS, 1);
    refuse_with(a, arrival, status, body);
}

static void upgrade(struct arrivals *a, struct arrival *arrival, const char *head, size_t size)
{
    struct upgrade wanted;
    const char *words = "";
    int status = upgrade_parse(head, size, &wanted, &words);
    struct caller caller = {0};
    if (wanted.socket_io && !io_wanted(&wanted)) { /* polling, say */
        refuse_with(a, arrival, 400, "{\"code\":0,\"message\":\"Transport unknown\"}");
        return;
    }
    if (!status && !host_is_ours(a->gateway, wanted.host))
        status = 421, words = "this gateway does not answer to that name";
    else if (!status && wanted.origin[0] &&
             !origin_fits(wanted.origin, wanted.host, arrival->from.secure))
        status = 403, words = "pages of another origin may not ask here";
    else if (!status && a->gateway->stopping)
        status = 503, words = "the gateway is going down";
    else if (!status && sockets_n(a->gateway) >= SOCKETS_MAX)
        status = 503, words = "too many connections";
    else if (!status)
        status = caller_of_head(a->gateway, &wanted, &caller, &words);
    caller.secure = arrival->from.secure;
    if (status) {
        refuse(a, arrival, status, words);
        return;
    }
    struct from from;
    int fd = take_out(a, arrival, &from);
    sw_fd_close(&from.tcp_fd);
    sockets_adopt(a->gateway, fd, &wanted, &caller);
}

enum kind { NOT_YET, HTTP, WEBSOCKET };

static enum kind kind_of(const char *p, size_t n)
{
    static const char *const ours[] = {"GET /ws", "GET /socket.io/"};
    enum kind kind = HTTP;
    for (size_t i = 0; i < SW_COUNT(ours); i++) {
        size_t whole = strlen(ours[i]);
        if (memcmp(p, ours[i], SW_MIN(n, whole)) != 0)
            continue;
        if (n >= whole)
            return WEBSOCKET;
        kind = NOT_YET;
    }
    return kind;
}

static void look(struct arrivals *a, struct arrival *arrival)
{
    char head[UPGRADE_HEAD_MAX];
    struct from from;
    int fd;
    ssize_t n = recv(arrival->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        cut(a, arrival);
        return;
    }
    const char *end = memmem(head, (size_t)n, "\r\n\r\n", 4);
    if (head[0] == TLS_HANDSHAKE && !arrival->from.secure) {
        fd = take_out(a, arrival, &from);
        pumps_take(a->gateway, fd, &from);
        return;
    }
    if (redirect_is_due(&arrival->from)) {
        if (!end && (size_t)n < sizeof head)
            return;
        redirect_say(a->gateway, arrival->fd, head, (size_t)n);
        hang_up(a, arrival);
        return;
    }
    switch (kind_of(head, (size_t)n)) {
    case NOT_YET:
        break;
    case HTTP:
        fd = take_out(a, arrival, &from);
        door_adopt(a->gateway, fd, &from);
        break;
    case WEBSOCKET:
        if (end || (size_t)n == sizeof head)
            upgrade(a, arrival, head, end ? (size_t)(end + 4 - head) : (size_t)n);
        break;
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct arrivals *a = poll->data;
    struct epoll_event found[EVENTS_AT_ONCE];
    (void)status, (void)events;
    int n = epoll_wait(a->epoll_fd, found, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < n; i++)
        look(a, found[i].data.ptr);
}

static void on_tick(uv_timer_t *timer)
{
    struct arrivals *a = timer->data;
    while (a->oldest && sw_boot_ms() - a->oldest->since_ms >= ARRIVAL_MS) {
        metric_add(a->gateway, METRIC_CUT_SLOW, 1);
        cut(a, a->oldest);
    }
}

void arrivals_take(struct gateway *g, int fd, const struct from *from)
{
    struct arrivals *a = g->arrivals;
    if (a->n >= ARRIVALS_MAX)
        cut(a, a->oldest);
    struct arrival *arrival = sw_alloc(1, sizeof *arrival);
    *arrival = (struct arrival){.fd = fd, .since_ms = sw_boot_ms(), .from = *from, .link = a->end};
    *a->end = arrival;
    a->end = &arrival->next;
    a->n++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = arrival};
    if (epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        cut(a, arrival);
    else
        look(a, arrival); /* most have said it all already */
}

int arrivals_open(struct gateway *g, struct sw_err *err)
{
    AUTO_FD int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return sw_fail(err, errno, "epoll: %s", strerror(errno));
    struct arrivals *a = sw_alloc(1, sizeof *a);
    a->gateway = g;
    a->epoll_fd = TAKE_FD(fd);
    a->end = &a->oldest;
    uv_poll_init(g->loop, &a->ready, a->epoll_fd);
    uv_timer_init(g->loop, &a->tick);
    a->ready.data = a->tick.data = a;
    uv_poll_start(&a->ready, UV_READABLE, on_ready);
    uv_timer_start(&a->tick, on_tick, TICK_MS, TICK_MS);
    g->arrivals = a;
    return 0;
}

void arrivals_destroy(struct arrivals **p)
{
    struct arrivals *a = *p;
    if (!a)
        return;
    while (a->oldest)
        cut(a, a->oldest);
    uv_close((uv_handle_t *)&a->ready, NULL);
    uv_close((uv_handle_t *)&a->tick, NULL);
    uv_run(a->gateway->loop, UV_RUN_NOWAIT); /* the handles are gone before their memory */
    sw_fd_close(&a->epoll_fd);
    sw_release(a);
    *p = NULL;
}
