/* Plans: plan.ADD, the pieces of an ADD, fixed when it was added. */
#ifndef SW_FILES_PLANFILE_H
#define SW_FILES_PLANFILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define SW_PLAN_BYTES_MAX                                                                          \
    ((size_t)128 << 20) /* above what a million chunks of a million files need */

struct sw_plan_piece {
    uint32_t chunk;        /* relative to the ADD's first chunk */
    uint32_t entry;        /* index into the ADD's manifest */
    uint64_t offset, size; /* the owned range of the entry */
    uint32_t lead;
    uint64_t tail;
};
struct sw_plan_head {
    uint32_t first_chunk, n_chunks;
};

/* plan.ADD and manifest.ADD (its end mark added), durable, folder synced: after it, everything that
 * sw_job_dir_link did for this ADD is durable too. */
int sw_plan_write(int job_fd,
                  uint32_t add,
                  const struct sw_plan_head *,
                  const struct sw_plan_piece *,
                  size_t n,
                  const struct sw_buf *manifest);

struct sw_plan_file {
    struct sw_plan_head head;
    struct sw_plan_piece *pieces; /* ascending by chunk, every chunk has one */
    size_t n;
    uint32_t *first_piece; /* n_chunks + 1 entries: the pieces of chunk c are [first_piece[c],
                              first_piece[c+1]) */
};
int sw_plan_read(int job_fd, uint32_t add, struct sw_plan_file *ret, struct sw_err *err);
void sw_plan_done(struct sw_plan_file *);

/* Encoding of a plan as bytes, for inline ADDs where it rides in the ADD row with the manifest. */
void sw_plan_encode(const struct sw_plan_head *,
                    const struct sw_plan_piece *,
                    size_t n,
                    struct sw_buf *ret);
int sw_plan_decode(const void *p, size_t size, struct sw_plan_file *ret, struct sw_err *err);

#endif
