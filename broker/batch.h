/* Rows in order, with their texts and bodies in blocks of the batch's own, so that a put is a copy
 * and nothing else: what the journal commits and what history answers with. One thread at a time.
 */
#ifndef BROKER_BATCH_H
#define BROKER_BATCH_H

#include "store/store.h"

struct block;

struct batch {
    struct batch *next; /* in the list of idle ones */
    struct sw_row *rows;
    size_t n, rows_max;
    size_t bytes, bytes_max; /* of texts and bodies */
    size_t block_bytes;
    struct block *blocks;     /* the one being filled comes first */
    uint64_t seq, seq_before; /* of the last row; the last one that was smaller */
    int status;               /* of its commit */
    struct sw_err err;
};

struct batch *batch_new(size_t rows_max, size_t bytes_max, size_t block_bytes);
void batch_destroy(struct batch **);
void batch_clear(struct batch *);

bool batch_fits(const struct batch *,
                const struct sw_row *);                /* within its limits; an empty one always */
void batch_put(struct batch *, const struct sw_row *); /* copies */

#endif
