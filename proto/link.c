/* Opens the network sockets and moves messages through them. Called by broker, agent and gateway;
 * decides nothing about their content. */
#include "proto/link.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <string.h>

#define ZAP_ENFORCE_DOMAIN                                                                         \
    93 /* ZMQ_ZAP_ENFORCE_DOMAIN: hidden without the draft API, honoured by Debian's library */

/* Messages of 256 KiB come and go thousands of times a second, and by default each of them would be
 * given back to the system when it ends a heap, and faulted in again, page by page. */
#define KEEP_FREE_BYTES (8 << 20)

void sw_link_start(int io_threads)
{
    int r = sodium_init();
    assert(r >= 0);
    mallopt(M_MMAP_THRESHOLD, KEEP_FREE_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
    zsys_handler_set(NULL); /* signals are the program's own */
    zsys_set_io_threads((size_t)io_threads);
    zsys_set_max_sockets(65535);
    zsys_set_linger(1000); /* what was sent last still gets a second to leave */
    zsys_init();
    zsys_handler_set(NULL);
}

static void set_int(void *socket, int option, int value)
{
    int r = zmq_setsockopt(socket, option, &value, sizeof value);
    assert(r == 0); /* only ever an option this library does not know: our own bug */
    (void)r;
}

/* Common to both ends. Heartbeats find a dead peer's connection in 6 s (the transport's: they say
 * nothing of the process behind it); queues are bounded in messages here and in bytes by credit and
 * windows. */
static void set_common(void *socket, size_t max_bytes, int queue_in, int queue_out)
{
    int64_t max = (int64_t)max_bytes;
    int r = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max);
    assert(r == 0);
    (void)r;
    set_int(socket, ZMQ_LINGER, 1000);
    set_int(socket, ZMQ_SNDHWM, queue_out);
    set_int(socket, ZMQ_RCVHWM, queue_in);
    set_int(socket, ZMQ_HANDSHAKE_IVL, 3000);
    set_int(socket, ZMQ_HEARTBEAT_IVL, 2000);
    set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 6000);
    set_int(socket, ZMQ_HEARTBEAT_TTL, 8000);
    set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
    set_int(socket, ZMQ_IPV6, 1);
}

zsock_t *sw_link_bind(const char *endpoint,
                      const struct sw_keys *keys,
                      const char *domain,
                      uint64_t affinity,
                      size_t max_bytes,
                      struct sw_err *err)
{
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    if (!socket) {
        sw_fail(err, errno, "socket for %s: %s", endpoint, zmq_strerror(errno));
        return NULL;
    }
    void *handle = zsock_resolve(socket);
    bool is_data = max_bytes == SW_DATA_BYTES_MAX;
    set_common(handle, max_bytes, is_data ? SW_DATA_QUEUE : SW_CONTROL_QUEUE_IN,
               is_data ? SW_DATA_QUEUE : SW_PEER_QUEUE);
    set_int(handle, ZMQ_ROUTER_MANDATORY, 1); /* an unknown peer is an error, not silence */
    set_int(handle, ZMQ_BACKLOG, 1024);
    set_int(handle, ZMQ_CURVE_SERVER, 1);
    set_int(handle, ZAP_ENFORCE_DOMAIN, 1);
    zmq_setsockopt(handle, ZMQ_AFFINITY, &affinity, sizeof affinity);
    zmq_setsockopt(handle, ZMQ_ZAP_DOMAIN, domain, strlen(domain));
    if (zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, keys->secret_key, SW_KEY_TEXT) < 0 ||
        zmq_bind(handle, endpoint) < 0) {
        sw_fail(err, errno, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
        zsock_destroy(&socket);
    }
    return socket;
}

/* Before the socket connects, or the first event may be missed. */
static int watch(void *handle, zsock_t **ret_watch)
{
    char endpoint[48];
    snprintf(endpoint, sizeof endpoint, "inproc://watch-%jx", (uintmax_t)sw_random_u64());
    if (zmq_socket_monitor(handle, endpoint,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                               ZMQ_EVENT_CONNECT_RETRIED) < 0)
        return -errno;
    *ret_watch = zsock_new(ZMQ_PAIR);
    if (*ret_watch && zmq_connect(zsock_resolve(*ret_watch), endpoint) == 0)
        return 0;
    int r = -errno;
    zsock_destroy(ret_watch);
    return r;
}

enum sw_link_event sw_link_event(zsock_t *watch)
{
    uint8_t frame[6];
    char endpoint[256];
    void *handle = zsock_resolve(watch);
    int n = zmq_recv(handle, frame, sizeof frame, ZMQ_DONTWAIT);
    if (n < 0)
        return SW_LINK_NONE;
    zmq_recv(handle, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    unsigned event = (unsigned)frame[0] | (unsigned)frame[1] << 8;
    if (event == ZMQ_EVENT_CONNECT_RETRIED) /* nobody listens there, or the link broke before */
        return SW_LINK_FAILED;
    return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? SW_LINK_UP : SW_LINK_DOWN;
}

void sw_link_close(zsock_t **socket, zsock_t **watch, int linger_ms)
{
    if (*socket) {
        zmq_socket_monitor(zsock_resolve(*socket), NULL, 0);
        set_int(zsock_resolve(*socket), ZMQ_LINGER, linger_ms);
    }
    zsock_destroy(watch);
    zsock_destroy(socket);
}

zsock_t *sw_link_connect(const char *endpoint,
                         const struct sw_keys *keys,
                         size_t max_bytes,
                         struct sw_err *err)
{
    return sw_link_connect_watched(endpoint, keys, max_bytes, NULL, err);
}

zsock_t *sw_link_connect_watched(const char *endpoint,
                                 const struct sw_keys *keys,
                                 size_t max_bytes,
                                 zsock_t **ret_watch,
                                 struct sw_err *err)
{
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    if (!socket) {
        sw_fail(err, errno, "socket for %s: %s", endpoint, zmq_strerror(errno));
        return NULL;
    }
    void *handle = zsock_resolve(socket);
    set_common(handle, max_bytes, SW_PEER_QUEUE, SW_PEER_QUEUE);
    set_int(handle, ZMQ_RECONNECT_IVL, 200); /* libzmq adds jitter of the same size */
    set_int(handle, ZMQ_RECONNECT_IVL_MAX, 10000);
    set_int(handle, ZMQ_CONNECT_TIMEOUT, 5000);
    if (zmq_setsockopt(handle, ZMQ_CURVE_SERVERKEY, keys->server_key, SW_KEY_TEXT) < 0 ||
        zmq_setsockopt(handle, ZMQ_CURVE_PUBLICKEY, keys->public_key, SW_KEY_TEXT) < 0 ||
        zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, keys->secret_key, SW_KEY_TEXT) < 0 ||
        (ret_watch && watch(handle, ret_watch) < 0) || zmq_connect(handle, endpoint) < 0) {
        sw_fail(err, errno, "cannot connect to %s: %s", endpoint, zmq_strerror(errno));
        if (ret_watch)
            zsock_destroy(ret_watch);
        zsock_destroy(&socket);
    }
    return socket;
}

/* Reads the frames of one message; those beyond a limit are read and thrown away. */
static int take_frames(void *socket, bool router, size_t max_bytes, struct sw_frames *ret)
{
    size_t total = 0;
    bool over = false, more = true;
    for (bool first = true; more; first = false) {
        zmq_msg_t msg;
        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return first ? -EAGAIN : -EBADMSG;
        }
        more = zmq_msg_more(&msg);
        if (router && first) {
            ret->route = msg;
            ret->has_route = true;
            continue;
        }
        total += zmq_msg_size(&msg);
        if (ret->n == SW_FRAMES_MAX || total > max_bytes) {
            over = true;
            zmq_msg_close(&msg);
        } else {
            ret->frame[ret->n++] = msg;
        }
    }
    return over ? -EMSGSIZE : 0;
}

int sw_link_recv(zsock_t *socket, bool router, size_t max_bytes, struct sw_frames *ret)
{
    ret->n = 0;
    ret->has_route = false;
    ret->user_id = NULL;
    ret->fd = -1;
    int r = take_frames(zsock_resolve(socket), router, max_bytes, ret);
    if (r == -EAGAIN)
        return r;
    if (router && ret->n) { /* the payload frame's metadata: the routing-id frame loses its own
                               after a poll */
        ret->user_id = zmq_msg_gets(&ret->frame[0], "User-Id");
        ret->fd = zmq_msg_get(&ret->frame[0], ZMQ_SRCFD);
        if (ret->user_id && strlen(ret->user_id) != SW_KEY_TEXT - 1)
            ret->user_id = NULL;
    }
    if (r == 0 && (ret->n == 0 || (router && !ret->user_id)))
        return -EBADMSG;
    return r;
}

void sw_frames_done(struct sw_frames *frames)
{
    if (frames->has_route)
        zmq_msg_close(&frames->route);
    for (size_t i = 0; i < frames->n; i++)
        zmq_msg_close(&frames->frame[i]);
    frames->has_route = false;
    frames->n = 0;
}

int sw_link_send_take(zsock_t *socket,
                      const void *route,
                      size_t route_size,
                      const struct sw_buf *header,
                      zmq_msg_t *payload)
{
    void *handle = zsock_resolve(socket);
    int more = zmq_msg_size(payload) ? ZMQ_SNDMORE : 0, r = 0;
    if (route && zmq_send(handle, route, route_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        r = -errno;
    if (r == 0 && zmq_send(handle, header->data, header->size, ZMQ_DONTWAIT | more) < 0)
        r = -errno;
    if (r == 0 && more && zmq_msg_send(payload, handle, ZMQ_DONTWAIT) < 0)
        r = -errno;
    zmq_msg_close(payload); /* empty once it is sent */
    return r;
}

int sw_link_send(zsock_t *socket,
                 const void *route,
                 size_t route_size,
                 const struct sw_buf *header,
                 const void *payload,
                 size_t payload_size)
{
    zmq_msg_t msg;
    int r = zmq_msg_init_size(&msg, payload_size);
    assert(r == 0); /* at most a slice */
    (void)r;
    if (payload_size)
        memcpy(zmq_msg_data(&msg), payload, payload_size);
    return sw_link_send_take(socket, route, route_size, header, &msg);
}
