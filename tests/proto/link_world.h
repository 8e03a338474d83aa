/* A ROUTER as the broker has it, with its ZAP handler, and peers on loopback: all pumped by one
 * thread. */
#ifndef LINK_WORLD_H
#define LINK_WORLD_H

#include "proto/link.h"

#define WORLD_MS INT64_C(10000) /* what takes longer never comes */

struct world {
    zsock_t *zap, *router;
    struct sw_keys server, client; /* client has the server's key */
    char endpoint[64];
    char allowed[SW_KEY_TEXT]; /* who is let in */
    unsigned asked;            /* how often ZAP was */
    char domain[32];           /* of the last one */
};

/* With or without a ZAP handler; max_bytes says which of the broker's sockets it is. */
struct world *world_new(bool with_zap, size_t max_bytes);
void world_destroy(struct world **world);
int world_end(void **state); /* after the last one */

/* A DEALER that connects to the router with these keys. */
zsock_t *world_connect(struct world *world, const struct sw_keys *keys);
/* One without any limit of ours, not yet connected; NULL: without CURVE. */
zsock_t *world_raw(const struct sw_keys *keys);

/* Pumps until the router has it: sw_link_recv's answer, -ETIMEDOUT after
 * WORLD_MS. */
int world_receive(struct world *world, struct sw_frames *ret);
/* The same for a DEALER. */
int world_answer(struct world *world, zsock_t *dealer, struct sw_frames *ret);

/* Watches a socket's handshakes. */
zsock_t *world_watch(zsock_t *socket);
void world_unwatch(zsock_t *socket, zsock_t **monitor);
/* Pumps until one of these events (ZMQ_EVENT_…) comes: that one, its value in *ret_value; 0 when
 * none did. */
int world_event(struct world *world, zsock_t *monitor, int events, unsigned *ret_value);

#endif
