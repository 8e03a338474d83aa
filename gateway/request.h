/* One HTTP request from its first line to its last byte.
 *
 * libmicrohttpd calls in; the route's handler answers with request_reply (reply.h), at once or
 * later: meanwhile the connection is suspended. A request outlives its client while something holds
 * it: whoever waits takes a reference. */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

#include "base/buf.h"
#include "caller.h"
#include "door.h"
#include "gateway.h"
#include "routes.h"

#include <jansson.h>

#define JSON_BODY_MAX    ((size_t)8 << 20)
#define JSON_ALL_MAX     ((size_t)64 << 20) /* bodies of all requests at once; then 503 busy */
#define IGNORED_BODY_MAX ((size_t)64 << 10) /* where none is expected, or after a refusal */
#define ARGUMENT_MAX     256

struct request {
    struct gateway *gateway;
    struct MHD_Connection *connection; /* NULL once the client is gone */
    struct visitor *visitor;           /* likewise */
    const struct route *route;
    char *path;                  /* from the request line, as it came */
    char argument[ARGUMENT_MAX]; /* the :part of the route */
    struct caller caller;
    uint64_t body_length; /* announced; UINT64_MAX when chunked */
    struct sw_buf body;   /* of a JSON route, while it comes */
    json_t *json;         /* then parsed */

    struct MHD_Response *reply; /* decided, not yet queued */
    unsigned status;

    void *state; /* the handler's */
    struct kept *kept;

    unsigned references;
    bool head_seen;  /* whole */
    bool streams;    /* its body goes to the route's piece(), else it is JSON or ignored */
    bool head_waits; /* suspended in the first call: the next one is the first again */
    bool refused;    /* by its head */
    bool started;    /* the handler was called */
    bool suspended;
    bool paused;   /* was suspended within this call, also when it was resumed since */
    bool queued;   /* the answer is libmicrohttpd's now */
    bool last_one; /* the connection ends with it */
    bool dropping; /* answered in the midst of a body: the rest is read and dropped */
    int64_t dropping_ms;
    size_t ignored_bytes;
    struct sw_buf error_text; /* of the reply, when it is an error */
};

/* Frees p by `done` with the request. */
void request_keep(struct request *, void *p, void (*done)(void *p));

void request_hold(struct request *);
void request_release(struct request *); /* the last one frees it */

/* For a stream route: nothing more is taken until request_resume. Within the handler's call too. */
void request_suspend(struct request *);
void request_resume(struct request *);

enum visitor_phase request_phase(const struct request *);

/* NULL when there is none. Header names are case-insensitive. */
const char *request_header(const struct request *, const char *name);
/* A query value with its size (it may hold any bytes); NULL when absent, "" for a bare key. */
const char *request_query(const struct request *, const char *name, size_t *ret_size);

/* libmicrohttpd's callbacks */
void *request_begin(void *gateway, const char *uri, struct MHD_Connection *);
enum MHD_Result request_handle(void *gateway,
                               struct MHD_Connection *,
                               const char *url,
                               const char *method,
                               const char *version,
                               const char *data,
                               size_t *data_size,
                               void **context);
void request_completed(void *ignored,
                       struct MHD_Connection *,
                       void **context,
                       enum MHD_RequestTerminationCode);

/* head.c: everything that can be said of a request before its body. true: go on; false: it was
 * answered. */
bool head_check(struct request *, const char *url, const char *method);

/* body.c: parses request->body into request->json, then calls the route's handler; answers 400 when
 * it is none. */
void body_handle(struct request *);

#endif
