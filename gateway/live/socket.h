/* WebSockets: connections that stay, text frames `{event, data, seq?}` both ways. libwebsockets
 * speaks the protocol on the gateway's own loop; what the events mean is in events.c. */
#ifndef GATEWAY_LIVE_SOCKET_H
#define GATEWAY_LIVE_SOCKET_H

#include "base/buf.h"
#include "caller.h"
#include "gateway.h"
#include "upgrade.h"

#include <jansson.h>

#define SOCKETS_MAX        1024 /* as many as HTTP connections: some 30 KiB each when idle */
#define SOCKET_LOGIN_MS    5000 /* then who has not shown a token is closed */
#define SOCKET_IN_FIRST    ((size_t)4 << 10)   /* of a message, before that */
#define SOCKET_IN_MAX      ((size_t)256 << 10) /* 1,024 files with a text each, 16 KiB in base64 */
#define SOCKET_OUT_MAX     ((size_t)8 << 20)   /* unsent: a snapshot of all there may be, twice */
#define SOCKET_WATCHED_MAX 16                  /* jobs whose chunks one page looks at */

struct lws;
struct frame;
struct socket {
    struct socket *next, **link;
    struct gateway *gateway;
    struct lws *wsi;
    struct caller caller;
    int64_t since_ms;
    struct sw_buf in; /* a message as it comes */
    struct frame *out, **out_end;
    size_t out_bytes;
    unsigned close_status; /* not 0: closed once what is queued is out */
    const char *close_words;
    bool open;       /* the handshake is done */
    bool close_said; /* and nothing comes after it */

    /* what it wants to hear (events.c) */
    bool wants_jobs, wants_devices;
    bool whole;        /* it had its snapshot ... */
    bool broker_there; /* ... or was told since */
    uint64_t seq;      /* of the last event that was numbered */
    uint64_t watched[SOCKET_WATCHED_MAX];
    size_t n_watched;

    /* Socket.IO (socket_io.c) */
    bool io, io_connected;
    char io_id[20];
    int64_t io_pinged_ms;
    json_t **io_refusal; /* not NULL: where a refusal goes that an acknowledgement takes along */
};

int sockets_open(struct gateway *, struct sw_err *err);      /* sets g->sockets */
void sockets_close_all(struct gateway *, const char *words); /* with status 1001 */
void sockets_destroy(struct sockets **);
unsigned sockets_n(const struct gateway *);
struct socket *sockets_first(const struct gateway *); /* by `next` */

/* Takes a descriptor whose head was judged and waits unread. */
void sockets_adopt(struct gateway *, int fd, const struct upgrade *, const struct caller *);

/* Queues `{"event": event, "seq": seq, "data": data}`; seq 0: without. data is JSON text. One that
 * takes nothing any more is cut. */
void socket_send(
    struct socket *, const char *event, uint64_t seq, const char *data, size_t data_size);
/* The same with a value, which it takes. */
void socket_send_json(struct socket *, const char *event, uint64_t seq, json_t *data_take);
/* Text as it is. */
void socket_send_raw(struct socket *, const char *text, size_t size);
/* Later, when what is queued is out. status: of RFC 6455. */
void socket_close(struct socket *, unsigned status, const char *words);
/* Now, and what is queued is dropped: it may hear nothing more. Status 1008. */
void socket_expel(struct socket *, const char *words);

/* events.c */
void event_opened(struct socket *);
void event_text(struct socket *, const char *text, size_t size);
void event_said(struct socket *, const char *name, const json_t *data);
bool event_login(struct socket *, const char *token); /* whether the token is known */
void event_gone(struct socket *);                     /* it is freed after this */

/* login.c: 0, or the HTTP status of a refusal with words */
int caller_of_head(struct gateway *,
                   const struct upgrade *,
                   struct caller *ret,
                   const char **ret_words);
/* Closes those whose token or login ended since the last time; version: of the last time. */
void callers_look(struct gateway *, uint64_t *version);

#endif
