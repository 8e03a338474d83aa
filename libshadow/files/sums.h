/* Sums: NAME.sum holds 16 bytes of xxh3-128 (canonical, big-endian) for each MiB of NAME, the last
 * one for what is left. An empty NAME has an empty NAME.sum. */
#ifndef SW_FILES_SUMS_H
#define SW_FILES_SUMS_H

#include "base/err.h"

#include <stdint.h>

#define SW_SUM_SPAN ((uint64_t)1 << 20)
#define SW_SUM_SIZE 16

struct sw_sums; /* a writer that follows appends */
struct sw_sums *sw_sums_new(void);
void sw_sums_destroy(struct sw_sums **);
void sw_sums_feed(struct sw_sums *, const void *p, size_t n);

/* Writes all whole and the current partial sum to sum_fd from where the last call stopped; no
 * fsync. */
int sw_sums_write(struct sw_sums *, int sum_fd);

/* Rebuilds the writer's state for a data file cut to `size` bytes: re-reads at most the last span,
 * cuts the sum file to the whole spans. -EBADMSG when sums before `size` are missing, -ENODATA when
 * the data is. */
int sw_sums_resume(struct sw_sums *, int data_fd, int sum_fd, uint64_t size);

/* Sums a whole file that is there already, from its first byte to its last; no fsync. */
int sw_sums_make(int data_fd, int sum_fd);

#endif
