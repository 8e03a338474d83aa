/* Owns the listening socket, libmicrohttpd's daemon and the list of connections. Called by main
 * and, through door_kick, by whoever answers a request; knows nothing of routes.
 *
 * libmicrohttpd never accepts: connections come by MHD_add_connection, so that another protocol can
 * be told apart here before it is handed over. Its own caps and timeouts stay off: they count
 * inactivity only and refuse the new instead of dropping the idle. */
#include "door.h"

#include "arrivals.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "listen.h"
#include "request.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS        250
#define ACCEPT_AT_ONCE 64 /* then the others get their turn */

struct door {
    struct gateway *gateway;
    struct MHD_Daemon *daemon;
    int listen_fd;
    uv_poll_t listening, daemon_ready;
    uv_timer_t tick;
    uv_prepare_t before_wait;
    struct visitor *visitors;
    unsigned n_visitors;
    bool kicked, running;
    int64_t watched_ms;
    struct from *arriving; /* of the connection being added */
};

static struct in6_addr address_of(const struct sockaddr_storage *from)
{
    if (from->ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)from)->sin6_addr;
    struct in6_addr mapped = {.s6_addr[10] = 0xff, .s6_addr[11] = 0xff};
    memcpy(&mapped.s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
    return mapped;
}

static void run_daemon(struct door *door)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (door->running)
        return;
    door->running = true;
    do {
        door->kicked = false;
        MHD_run(door->daemon);
    } while (door->kicked || (MHD_get_timeout(door->daemon, &wait_ms) == MHD_YES && wait_ms == 0));
    door->running = false;
}

static void on_daemon_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    run_daemon(poll->data);
}

static void on_before_wait(uv_prepare_t *prepare)
{
    struct door *door = prepare->data;
    if (door->kicked)
        run_daemon(door);
}

static void on_tick(uv_timer_t *timer)
{
    struct door *door = timer->data;
    int64_t now_ms = sw_boot_ms();
    if (now_ms - door->watched_ms >= 1000) {
        door->watched_ms = now_ms;
        for (struct visitor *v = door->visitors, *next; v; v = next) {
            next = v->next;
            watch_visit(v, now_ms);
        }
    }
    run_daemon(door);
}

static void on_connection(void *arg,
                          struct MHD_Connection *connection,
                          void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct door *door = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct visitor *v = sw_alloc(1, sizeof *v);
        v->gateway = door->gateway;
        v->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        v->address = address_of(&door->arriving->address);
        v->secure = door->arriving->secure;
        v->tcp_fd = v->secure ? TAKE_FD(door->arriving->tcp_fd) : v->fd;
        v->next = door->visitors;
        v->link = &door->visitors;
        if (v->next)
            v->next->link = &v->next;
        door->visitors = v;
        door->n_visitors++;
        watch_start(v, sw_boot_ms());
        *context = v;
    } else {
        struct visitor *v = *context;
        *v->link = v->next;
        if (v->next)
            v->next->link = v->link;
        door->n_visitors--;
        if (v->secure)
            sw_fd_close(&v->tcp_fd);
        sw_release(v);
        *context = NULL;
    }
}

/* Makes room for one more: drops the connection that has been without a request for longest. */
static bool make_room(struct door *door, const struct in6_addr *address)
{
    unsigned same = 0, cut = 0;
    struct visitor *idlest = NULL;
    for (struct visitor *v = door->visitors; v; v = v->next)
        same += memcmp(&v->address, address, sizeof *address) == 0;
    bool crowded = same >= DOOR_PER_ADDRESS_MAX;
    if (!crowded && door->n_visitors < DOOR_CONNECTIONS_MAX)
        return true;
    for (struct visitor *v = door->visitors; v; v = v->next) {
        cut += v->cut;
        if (v->phase == VISITOR_HEAD && !v->cut &&
            (!crowded || memcmp(&v->address, address, sizeof *address) == 0) &&
            (!idlest || v->phase_ms < idlest->phase_ms))
            idlest = v;
    }
    if (!idlest)
        return false;
    visitor_cut(idlest);
    return cut < ACCEPT_AT_ONCE; /* those cut are still being cleaned up */
}

static void refuse_busy(int fd)
{
    static const char words[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\n"
        "Content-Type: application/json\r\nContent-Length: 74\r\n\r\n"
        "{\"success\":false,\"error\":{\"code\":\"busy\",\"message\":\"too many connections\"}}";
    ssize_t ignored = send(fd, words, sizeof words - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
    close(fd);
}

static void on_listening(uv_poll_t *poll, int status, int events)
{
    struct door *door = poll->data;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct from from = {.size = sizeof from.address, .tcp_fd = -1};
        int fd = accept4(door->listen_fd, (struct sockaddr *)&from.address, &from.size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            break; /* none left, or out of descriptors: the next round tries again */
        struct in6_addr address = address_of(&from.address);
        if (!make_room(door, &address)) {
            refuse_busy(fd);
            continue;
        }
        metric_add(door->gateway, METRIC_CONNECTIONS, 1);
        arrivals_take(door->gateway, fd, &from);
    }
}

void door_adopt(struct gateway *g, int fd, const struct from *from)
{
    struct door *door = g->door;
    struct from arriving = *from;
    door->arriving = &arriving;
    MHD_add_connection(door->daemon, fd, (const struct sockaddr *)&from->address, from->size);
    sw_fd_close(&arriving.tcp_fd); /* libmicrohttpd did not want it */
    run_daemon(door);
}

int door_open(struct gateway *g, struct sw_err *err)
{
    AUTO_FD int fd = -1;
    int r = listen_open(g->options, &fd, err);
    if (r < 0)
        return r;
    struct door *door = sw_alloc(1, sizeof *door);
    door->gateway = g;
    door->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        request_handle, g, MHD_OPTION_CONNECTION_MEMORY_LIMIT, DOOR_POOL_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, DOOR_CONNECTIONS_MAX + ACCEPT_AT_ONCE,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, request_begin, g,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, door, MHD_OPTION_END);
    if (!door->daemon) {
        sw_release(door);
        return sw_fail(err, ENOMEM, "libmicrohttpd does not start");
    }
    door->listen_fd = TAKE_FD(fd);
    int daemon_fd = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    uv_poll_init(g->loop, &door->listening, door->listen_fd);
    uv_poll_init(g->loop, &door->daemon_ready, daemon_fd);
    uv_timer_init(g->loop, &door->tick);
    uv_prepare_init(g->loop, &door->before_wait);
    door->listening.data = door->daemon_ready.data = door->tick.data = door->before_wait.data =
        door;
    uv_poll_start(&door->listening, UV_READABLE, on_listening);
    uv_poll_start(&door->daemon_ready, UV_READABLE, on_daemon_ready);
    uv_timer_start(&door->tick, on_tick, TICK_MS, TICK_MS);
    uv_prepare_start(&door->before_wait, on_before_wait);
    g->door = door;
    return 0;
}

void door_kick(struct gateway *g)
{
    g->door->kicked = true;
}

unsigned door_connections(const struct gateway *g)
{
    return g->door->n_visitors;
}

void door_stop_listening(struct gateway *g)
{
    struct door *door = g->door;
    if (door->listen_fd < 0)
        return;
    uv_close((uv_handle_t *)&door->listening, NULL);
    sw_fd_close(&door->listen_fd);
}

void door_cut_all(struct gateway *g)
{
    for (struct visitor *v = g->door->visitors; v; v = v->next)
        visitor_cut(v);
    door_kick(g);
}

void door_destroy(struct door **p)
{
    struct door *door = *p;
    if (!door)
        return;
    door_stop_listening(door->gateway);
    uv_close((uv_handle_t *)&door->daemon_ready, NULL);
    uv_close((uv_handle_t *)&door->tick, NULL);
    uv_close((uv_handle_t *)&door->before_wait, NULL);
    MHD_stop_daemon(door->daemon);
    uv_run(door->gateway->loop, UV_RUN_NOWAIT); /* the handles are gone before their memory */
    assert(!door->visitors);
    sw_release(door);
    *p = NULL;
}
