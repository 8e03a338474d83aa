/* Which requests exist, who may make them, what body they take. One table; what it does not name is
 * refused. */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

#include "tokens.h"

#include <stdbool.h>
#include <stddef.h>

struct request;

enum body_kind {
    BODY_NONE,   /* none, or a little that is ignored */
    BODY_JSON,   /* one JSON object, application/json only */
    BODY_EITHER, /* JSON by its media type, else a stream */
    BODY_STREAM, /* any bytes, in pieces */
};

struct route {
    const char *method;
    const char *path; /* at most one part like `:id` */
    enum role role;   /* the least; ROLE_NONE: open */
    enum body_kind body;
    void (*handle)(struct request *); /* when the body is there (stream: all of it was taken) */

    /* Streams only. begin runs before the body: it may answer at once. piece takes all n bytes and
     * may suspend. */
    void (*begin)(struct request *);
    void (*piece)(struct request *, const char *p, size_t n);
};

extern const struct route routes[];
extern const size_t n_routes;

/* The route, or NULL; *ret_other_methods is then whether the path exists (405, not 404) and
 * ret_allow, of `room` bytes, names them. The argument is copied. HEAD finds GET. */
const struct route *routes_find(const char *method,
                                const char *path,
                                char *ret_argument,
                                size_t argument_room,
                                char *ret_allow,
                                size_t allow_room);

#endif
