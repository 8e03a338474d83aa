/* What a job is made of: for each ADD its manifest and its plan. Fixed once an ADD is there, so it
 * is kept by the number of ADDs. */
#ifndef GATEWAY_LAYOUT_H
#define GATEWAY_LAYOUT_H

#include "files/manifest.h"
#include "files/planfile.h"
#include "gateway.h"
#include "kernels/kernel.h"
#include "proto/message.h"

struct layout_add {
    uint64_t number; /* of manifest.N */
    uint64_t first_chunk, n_chunks;
    size_t first_file; /* of the job's */
    struct sw_manifest manifest;
    struct sw_plan_file plan;
    struct sw_buf plan_bytes; /* inline ones, until they are read */
};

struct layout {
    unsigned references;
    uint64_t job;
    struct layout_add *adds;
    size_t n_adds, room;
    size_t n_files;
    const struct sw_kernel *kernel;
    struct sw_values values;
    struct sw_buf texts; /* the parameters', and behind values */
};

/* The kernel and its parameters from the job's row. NULL with words when this gateway does not know
 * them. */
struct layout *layout_new(const struct sw_msg_job *job, struct sw_err *err);
struct layout *layout_hold(struct layout *);
void layout_release(struct layout **);
void layout_take(struct layout *, const struct sw_msg_add *add); /* copies, in order */

/* Off the loop: reads and decodes everything. job_fd may be -1 when all is inline. */
int layout_load(struct layout *, int job_fd, struct sw_err *err);

/* The pieces of a chunk, by its absolute index; NULL when it is not there. */
const struct sw_plan_piece *layout_pieces(const struct layout *,
                                          uint64_t chunk,
                                          const struct layout_add **ret_add,
                                          size_t *ret_n);
void layout_output_name(const struct layout *, const char *name, size_t size, struct sw_buf *ret);
size_t layout_bytes(const struct layout *); /* of memory, about */

#endif
