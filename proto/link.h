/* The only network sockets of the project: ZeroMQ over TCP with CURVE, every option set on purpose,
 * and the ZAP handler that decides who gets in. No unencrypted mode exists. */
#ifndef SW_LINK_H
#define SW_LINK_H

#include "base/buf.h"
#include "base/err.h"

#include <czmq.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- keys ---- */

#define SW_KEY_TEXT 41 /* Z85 and NUL */

struct sw_keys { /* a key file: three lines `public KEY`, `secret KEY`, `server KEY` (the broker's,
                    for peers) */
    char public_key[SW_KEY_TEXT];
    char secret_key[SW_KEY_TEXT];
    char server_key[SW_KEY_TEXT]; /* "" in the broker's own file */
};
int sw_keys_make(struct sw_keys *ret); /* a fresh pair; server_key "" */
int sw_keys_read(const char *path, struct sw_keys *ret, struct sw_err *err);
int sw_keys_write(const char *path,
                  const struct sw_keys *keys,
                  struct sw_err *err); /* 0600, atomic */

#define SW_DEVICE_ID_TEXT 18 /* "d-" and 15 characters */
void sw_device_id(const char *public_key, char ret_id[SW_DEVICE_ID_TEXT]);

/* The lease token: SipHash-2-4 (libsodium) over the job's nonce, chunk, n and the agent's public
 * key. */
uint64_t sw_lease_token(
    const uint8_t key[16], uint64_t nonce, uint32_t chunk, uint64_t n, const char *agent_key);

/* A new random number, never 0 (libsodium). */
uint64_t sw_random_u64(void);

/* ---- sockets ---- */

/* Limits of one message, all frames together (design.md section 4). */
#define SW_FRAMES_MAX        64
#define SW_CONTROL_BYTES_MAX ((size_t)256 << 10)
#define SW_SLICE_BYTES_MAX   ((size_t)256 << 10)
#define SW_DATA_BYTES_MAX    (SW_SLICE_BYTES_MAX + 4096) /* a slice and its header */
#define SW_INLINE_BYTES_MAX  ((size_t)16 << 10) /* an input or output that rides in a message */
/* Messages queued to one peer before it counts as dead: credit bounds the real number. */
#define SW_PEER_QUEUE 100000
/* Messages of one peer that wait to be read; then its connection is left alone until there is room.
 */
#define SW_CONTROL_QUEUE_IN 1000
/* On data, both ways: four times what the smallest slices need to fill a window; a peer that asks
 * and never reads costs 32 MiB. */
#define SW_DATA_QUEUE 128

/* I/O threads, the socket limit, and what the allocator keeps of freed messages; before the first
 * socket, once a process. */
void sw_link_start(int io_threads);

/* A ROUTER with CURVE (server side), ZAP domain `domain`, MANDATORY, no HANDOVER. affinity: I/O
 * thread bit mask. max_bytes says which of the two it is, and so how much may wait in its queues.
 */
zsock_t *sw_link_bind(const char *endpoint,
                      const struct sw_keys *keys,
                      const char *domain,
                      uint64_t affinity,
                      size_t max_bytes,
                      struct sw_err *err);
/* A DEALER with CURVE (client side); connects in the background, reconnects by itself with
 * back-off. */
zsock_t *sw_link_connect(const char *endpoint,
                         const struct sw_keys *keys,
                         size_t max_bytes,
                         struct sw_err *err);

/* The same, and from the start *ret_watch (a socket to poll) tells when the link stands, when it
 * broke, and when a try to connect failed. Both are closed by sw_link_close. */
zsock_t *sw_link_connect_watched(const char *endpoint,
                                 const struct sw_keys *keys,
                                 size_t max_bytes,
                                 zsock_t **ret_watch,
                                 struct sw_err *err);
enum sw_link_event { SW_LINK_NONE, SW_LINK_UP, SW_LINK_DOWN, SW_LINK_FAILED };
enum sw_link_event sw_link_event(zsock_t *watch); /* the next one; NONE: no more */
/* What waits to be sent still gets linger_ms. NULLs are fine. */
void sw_link_close(zsock_t **socket, zsock_t **watch, int linger_ms);

/* One received message: frames stay owned by it until sw_frames_done. */
struct sw_frames {
    zmq_msg_t route; /* ROUTER only: routing id */
    zmq_msg_t frame[SW_FRAMES_MAX];
    size_t n;
    bool has_route;
    const char *user_id; /* ROUTER only: the peer's public key; points into frame[0]; NULL = not
                            authenticated */
    int fd;              /* the peer's descriptor, for cutting a revoked key; -1 unknown */
};
/* Never blocks. 0: a message; -EAGAIN: none; -EMSGSIZE or -EBADMSG: one came that is over a limit
 * or, on a ROUTER, without User-Id; it was dropped whole (ret still names route and user where
 * known). */
int sw_link_recv(zsock_t *socket, bool router, size_t max_bytes, struct sw_frames *ret);
void sw_frames_done(struct sw_frames *frames);
static inline const void *sw_frame_data(const struct sw_frames *f, size_t i)
{
    return zmq_msg_data((zmq_msg_t *)&f->frame[i]);
}
static inline size_t sw_frame_size(const struct sw_frames *f, size_t i)
{
    return zmq_msg_size((zmq_msg_t *)&f->frame[i]);
}

/* Sends [route] header [payload] without blocking; empty payload = no frame. -EHOSTUNREACH: no such
 * peer (ROUTER); -EAGAIN: its queue is full. route is NULL for a DEALER. */
int sw_link_send(zsock_t *socket,
                 const void *route,
                 size_t route_size,
                 const struct sw_buf *header,
                 const void *payload,
                 size_t payload_size);
/* The same with a payload that was made in its message: not copied. Closes it, sent or not. */
int sw_link_send_take(zsock_t *socket,
                      const void *route,
                      size_t route_size,
                      const struct sw_buf *header,
                      zmq_msg_t *payload);

/* ---- ZAP ---- */

/* 200 = let in; 300 = not yet (the peer tries again by itself); 400 = never (it gives up). */
typedef int sw_zap_fn(void *arg, const char *public_key, const char *domain);
/* Binds the process's ZAP handler: before any sw_link_bind, or nobody is asked (and everything
 * refused). */
zsock_t *sw_zap_bind(struct sw_err *err);
void sw_zap_serve(zsock_t *zap, sw_zap_fn *decide, void *arg); /* answers all requests that wait */

#endif
