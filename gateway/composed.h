/* A job's result as it is now: its layout, and what became of each chunk. Shared by reference. */
#ifndef GATEWAY_COMPOSED_H
#define GATEWAY_COMPOSED_H

#include "files/result.h"
#include "layout.h"

struct composed {
    unsigned references;
    struct layout *layout;
    struct sw_result *result; /* only one at a time may read it: see outlet.c */
    int job_fd;
    uint64_t next_chunk;  /* whose row is expected next */
    uint32_t *file_chunk; /* of each file: the chunk to look at, the failed one if there is one */
    uint8_t *file_open;   /* of each file: a chunk of it has no end yet */
    size_t rows;
    unsigned readers; /* outlets */
    bool reading;
    struct outlet *waiting; /* for their turn to read */
};

struct composed *composed_new(struct layout *layout, int job_fd_take);
struct composed *composed_hold(struct composed *);
void composed_release(struct composed **);

/* Off the loop, before the first chunk: the files. */
int composed_begin(struct composed *, struct sw_err *err);
/* In order of index. -EBADMSG with words when it does not fit the plan. */
int composed_chunk(struct composed *, const struct sw_msg_chunk *chunk, struct sw_err *err);
/* Off the loop, after the last one. */
int composed_end(struct composed *, struct sw_err *err);
size_t composed_bytes(const struct composed *); /* of memory, about, with the layout */

#endif
