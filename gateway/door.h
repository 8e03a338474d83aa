/* The door: own listening socket, accepted connections handed to libmicrohttpd, which is driven by
 * the one loop; caps and absolute deadlines of connections. */
#ifndef GATEWAY_DOOR_H
#define GATEWAY_DOOR_H

#include "gateway.h"

#include <microhttpd.h>
#include <netinet/in.h>

/* What each connection may take before it has shown a token: its memory pool. Body pieces come in
 * half of it. */
#define DOOR_POOL_BYTES ((size_t)64 << 10)

#define DOOR_CONNECTIONS_MAX 1024 /* pools of 64 KiB: 64 MiB at most */
#define DOOR_PER_ADDRESS_MAX 768  /* one address cannot take them all */

struct request;

struct from { /* where a connection comes from */
    struct sockaddr_storage address;
    socklen_t size;
    bool secure; /* it came by TLS: what is handed on is the pump's inner end ... */
    int tcp_fd;  /* ... and this a descriptor of the connection itself, -1 when not secure */
};

enum visitor_phase {
    VISITOR_HEAD, /* between requests, or in a head */
    VISITOR_BODY,
    VISITOR_WORK, /* waits for us */
    VISITOR_SEND,
};

struct visitor { /* one connection */
    struct visitor *next, **link;
    struct gateway *gateway;
    struct request *request; /* the current one; NULL between requests */
    int fd;                  /* libmicrohttpd's; only ever shut down here */
    bool secure;             /* by TLS: cookies need `Secure` */
    int tcp_fd;              /* what is counted: fd, or if secure one of its own */
    struct in6_addr address;
    bool marked; /* mark_received is of this phase */
    bool cut;    /* shut down; libmicrohttpd has yet to see it */
    enum visitor_phase phase;
    int64_t phase_ms, head_ms, slow_ms;
    uint64_t mark_received, mark_acked;
};

int door_open(struct gateway *, struct sw_err *err); /* listens; sets g->door */
/* A connection that speaks HTTP; takes the descriptors. */
void door_adopt(struct gateway *, int fd, const struct from *);
void door_kick(struct gateway *); /* something was resumed: libmicrohttpd runs soon */
void door_stop_listening(struct gateway *);
void door_cut_all(struct gateway *); /* at the end of patience */
void door_destroy(struct door **);   /* no request may be left */
unsigned door_connections(const struct gateway *);

/* watch.c: absolute deadlines, once a second */
void watch_visit(struct visitor *, int64_t now_ms);
void watch_start(struct visitor *, int64_t now_ms); /* connected */
void watch_idle(struct visitor *, int64_t now_ms);  /* a request ended, another may come */
void visitor_cut(struct visitor *); /* shuts the socket down; libmicrohttpd cleans up */

#endif
