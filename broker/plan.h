/* Planning an ADD: from its manifest to pieces and chunk sizes. Pure, for control (inline inputs)
 * and data (uploads) alike. */
#ifndef BROKER_PLAN_H
#define BROKER_PLAN_H

#include "files/files.h"
#include "kernels/kernel.h"

struct plan {
    struct sw_plan_head head;
    struct sw_plan_piece *pieces; /* chunks relative to head.first_chunk */
    size_t n;
    uint64_t *sizes;              /* bytes of each chunk: lead and tail not counted */
    uint64_t files, failed_files; /* entries with bytes or an error (skipped ones do not count);
                                     with an error */
    uint64_t bytes;
};

struct plan_request {
    const struct sw_kernel *kernel;
    const struct sw_values *values;
    const struct sw_manifest *manifest;
    uint32_t first_chunk;
    uint64_t grain;       /* sw_grain() */
    uint32_t chunk_count; /* 0 = by grain */
};

/* chunkCount of an open job is shared out among its ADDs by bytes, at least one each: the share of
 * an ADD of `bytes` out of `expected` (0 or too few: not known). 0 stays 0. */
uint32_t plan_share(uint32_t count, uint64_t expected, uint64_t bytes);

/* -E2BIG with words beyond a million chunks. */
int plan_make(const struct plan_request *request, struct plan *ret, struct sw_err *err);
void plan_done(struct plan *plan);

#endif
