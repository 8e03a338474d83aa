/* Owns libwebsockets' context and all WebSockets. Called by arrivals.c with descriptors and by
 * events.c and mirror.c with what is to be sent; knows no event.
 *
 * permessage-deflate stays off: in the version of Debian 12 several clients at once make it abort.
 * libwebsockets has no limit on a message's size: it is here.
 */
#include "live/queue.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

#include "live/socket_io.h"

#include <libwebsockets.h>
#include <string.h>

#define TICK_MS 500

struct sockets {
    struct gateway *gateway;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct socket *first;
    unsigned n;
    uv_timer_t tick;
    uint64_t callers; /* their version at the last tick */
    void *loop;       /* for libwebsockets, which wants a pointer to it */
};

static const lws_retry_bo_t quiet = {
    .secs_since_valid_ping = 20,   /* a dead peer is noticed ... */
    .secs_since_valid_hangup = 30, /* ... and one that stopped reading cut */
};

/* ---- in ---- */

static int on_receive(struct socket *s, const char *data, size_t size)
{
    size_t most = s->caller.role == ROLE_NONE ? SOCKET_IN_FIRST : SOCKET_IN_MAX;
    if (s->close_status)
        return 0;
    if (lws_frame_is_binary(s->wsi)) {
        socket_close(s, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, "text frames only");
        return 0;
    }
    if (s->in.size + size > most) {
        socket_close(s, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "the message is too large");
        return 0;
    }
    sw_buf_put(&s->in, data, size);
    if (lws_remaining_packet_payload(s->wsi) || !lws_is_final_fragment(s->wsi))
        return 0;
    (s->io ? io_text : event_text)(s, s->in.size ? (const char *)s->in.data : "", s->in.size);
    if (s->in.room > SOCKET_IN_FIRST)
        sw_buf_done(&s->in);
    else
        sw_buf_clear(&s->in);
    return 0;
}

static void free_socket(struct socket *s)
{
    struct sockets *sockets = s->gateway->sockets;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    sockets->n--;
    event_gone(s);
    queue_drop(s);
    sw_buf_done(&s->in);
    sw_release(s);
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    struct socket *s = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    (void)user;
    if (!s) /* only what came through arrivals, and never answered as HTTP here */
        return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION || reason == LWS_CALLBACK_HTTP ? -1
                                                                                                : 0;
    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
        s->open = true;
        s->io ? io_opened(s) : event_opened(s);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_receive(s, in, size);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return queue_write(s);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        queue_close_now(s, LWS_CLOSE_STATUS_NORMAL, "");
        return -1;
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(wsi, NULL);
        free_socket(s);
        return 0;
    case LWS_CALLBACK_HTTP: /* no upgrade after all */
        return -1;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "shadowwork", .callback = on_event, .rx_buffer_size = 16 << 10},
    {0},
};

/* ---- their life ---- */

static void on_tick(uv_timer_t *timer)
{
    struct sockets *sockets = timer->data;
    int64_t now_ms = sw_boot_ms();
    callers_look(sockets->gateway, &sockets->callers);
    for (struct socket *s = sockets->first, *next; s; s = next) {
        next = s->next;
        if (s->io && s->open)
            io_tick(s, now_ms);
        if (s->caller.role == ROLE_NONE && now_ms - s->since_ms >= SOCKET_LOGIN_MS)
            s->open
                ? socket_close(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, "no `authenticate` within 5 s")
                : queue_cut(s);
    }
}

void sockets_adopt(struct gateway *g,
                   int fd,
                   const struct upgrade *wanted,
                   const struct caller *caller)
{
    struct sockets *sockets = g->sockets;
    struct lws *wsi = lws_adopt_socket_vhost(sockets->vhost, fd);
    if (!wsi)
        return; /* it has closed the descriptor */
    struct socket *s = sw_alloc(1, sizeof *s);
    s->gateway = g;
    s->wsi = wsi;
    s->caller = *caller;
    s->io = wanted->socket_io;
    s->since_ms = sw_boot_ms();
    s->out_end = &s->out;
    s->next = sockets->first;
    s->link = &sockets->first;
    if (s->next)
        s->next->link = &s->next;
    sockets->first = s;
    sockets->n++;
    lws_set_opaque_user_data(wsi, s);
}

unsigned sockets_n(const struct gateway *g)
{
    return g->sockets ? g->sockets->n : 0;
}

struct socket *sockets_first(const struct gateway *g)
{
    return g->sockets ? g->sockets->first : NULL;
}

void sockets_close_all(struct gateway *g, const char *words)
{
    for (struct socket *s = g->sockets ? g->sockets->first : NULL; s; s = s->next)
        socket_close(s, LWS_CLOSE_STATUS_GOINGAWAY, words);
}

static void on_log(int level, const char *line)
{
    size_t n = strcspn(line, "\n");
    sw_log(level == LLL_ERR ? SW_LOG_WARNING : SW_LOG_DEBUG, "libwebsockets: %.*s",
           (int)SW_MIN(n, (size_t)200), line);
}

int sockets_open(struct gateway *g, struct sw_err *err)
{
    struct sockets *sockets = sw_alloc(1, sizeof *sockets);
    sockets->gateway = g;
    sockets->loop = g->loop;
    lws_set_log_level(LLL_ERR, on_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = &sockets->loop,
        .protocols = protocols,
        .retry_and_idle_policy = &quiet,
        .timeout_secs = 5,
        .max_http_header_data = UPGRADE_HEAD_MAX,
        .gid = -1,
        .uid = -1,
        .vhost_name = "gateway",
    };
    sockets->context = lws_create_context(&info);
    if (sockets->context)
        sockets->vhost = lws_create_vhost(sockets->context, &info);
    if (!sockets->vhost) {
        if (sockets->context)
            lws_context_destroy(sockets->context);
        sw_release(sockets);
        return sw_fail(err, ENOSYS,
                       "libwebsockets does not start; is libwebsockets-evlib-uv installed?");
    }
    uv_timer_init(g->loop, &sockets->tick);
    sockets->tick.data = sockets;
    uv_timer_start(&sockets->tick, on_tick, TICK_MS, TICK_MS);
    g->sockets = sockets;
    return 0;
}

void sockets_destroy(struct sockets **p)
{
    struct sockets *sockets = *p;
    if (!sockets)
        return;
    /* libwebsockets 4.1.6 keeps a context's memory on a loop of ours: the second call that would
     * free it ends in its event library, which the first has unloaded. It stays reachable, no leak.
     */
    static struct lws_context *volatile ended __attribute__((used));
    ended = sockets->context;
    uv_close((uv_handle_t *)&sockets->tick, NULL);
    lws_context_destroy(sockets->context);
    uv_run(sockets->gateway->loop, UV_RUN_NOWAIT);
    sw_release(sockets);
    *p = NULL;
}
