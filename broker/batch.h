/* A batch of the journal: rows in order, with their texts and bodies in blocks of the batch's own,
 * so that a put is a copy and nothing else. One thread at a time. */
#ifndef BROKER_BATCH_H
#define BROKER_BATCH_H

#include "store/store.h"

struct block;

struct batch {
    struct batch *next; /* in the list of idle ones */
    struct sw_row *rows;
    size_t n, bytes;
    struct block *blocks;     /* the one being filled comes first */
    uint64_t seq, seq_before; /* of the last row; the last one that was smaller */
    int status;               /* of its commit */
    struct sw_err err;
};

struct batch *batch_new(void);
void batch_destroy(struct batch **);
void batch_clear(struct batch *);

bool batch_fits(const struct batch *,
                const struct sw_row *); /* within the journal's limits; an empty one always */
void batch_put(struct batch *, const struct sw_row *); /* copies */

#endif
