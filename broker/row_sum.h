/* Rows as one number: two walks that give the same rows in the same order give the same sum. */
#ifndef BROKER_ROW_SUM_H
#define BROKER_ROW_SUM_H

#include "store/store.h"

#include <sodium.h>

#define ROW_SUM_BYTES 16

#define ROW_SUM_ALIGN 64 /* of libsodium's state; more than stacks of sanitizers give */

struct row_sum {
    uint8_t room[sizeof(crypto_generichash_state) + ROW_SUM_ALIGN]; /* not to be moved in between */
    uint8_t bytes[ROW_SUM_BYTES];                                   /* after row_sum_end */
};

void row_sum_begin(struct row_sum *);
void row_sum_put(struct row_sum *, const struct sw_row *row);
void row_sum_end(struct row_sum *);

#endif
