/* Bytes on their way into an upload: taken on the loop, written on the thread pool, with
 * back-pressure through the request's suspension. At most two buffers a request. */
#ifndef GATEWAY_INLET_H
#define GATEWAY_INLET_H

#include "files/uploads.h"
#include "request.h"

#define INLET_BUFFER_BYTES ((size_t)256 << 10)
#define INLET_SYNC_BYTES                                                                           \
    ((uint64_t)64 << 20) /* a killed gateway loses no more than this of a body */

struct inlet;

/* What a request holds of it: */
struct inlet_plan {
    /* Runs on the pool before the first byte: creates or opens *ret. */
    int (*open)(struct inlet *, struct sw_upload **ret, struct sw_err *err);
    bool keep; /* when the client goes before the end: what came stays (tus); else it is removed */
    bool settle; /* at the end: finish it when it is whole (else it is only made durable) */
};

struct inlet {
    struct gateway *gateway;
    struct request *request; /* NULL once abandoned */
    struct inlet_plan plan;
    struct sw_upload_info info; /* to create it; after `ended` what became of it */
    uint64_t expect_offset;     /* to open it there, for that many bytes */
    uint64_t announced;
    bool any_owner; /* else only info.owner's */
    struct sw_upload *upload;
    struct sw_buf filling, writing;
    uint64_t unsynced;
    bool working; /* the pool has it: only what follows `ended` may be touched on the loop */
    bool opened, finished, closed, alone;
    int result; /* the first error */
    struct sw_err err;
    bool ended, failed;             /* the loop's */
    char id[SW_UPLOAD_ID_SIZE + 1]; /* the loop's: of an upload that others know */
    void (*then)(struct request *, struct inlet *);
    struct inlet *next; /* in the list of those that are open */
};

struct inlet *inlet_new(struct request *, const struct inlet_plan *plan);

/* Opens now rather than with the first byte; `then` also on failure (inlet->result). */
void inlet_open(struct inlet *, void (*then)(struct request *, struct inlet *));

/* Copies all; suspends the request while both buffers are full. */
void inlet_put(struct inlet *, const char *p, size_t n);

/* No more comes: written, made durable, finished if it is whole, closed; then `then`, with
 * inlet->info and ->result. */
void inlet_end(struct inlet *, void (*then)(struct request *, struct inlet *));

/* An `open` that creates an upload from inlet->info, if the disk has room for its length. */
int inlet_create(struct inlet *, struct sw_upload **ret, struct sw_err *err);

/* The request goes; ends and frees itself, off the loop where it must. */
void inlet_abandon(struct inlet *);

uint64_t inlet_room(int uploads_fd); /* bytes that uploads may still fill */

#endif
