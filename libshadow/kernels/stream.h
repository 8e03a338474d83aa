/* What the kernels share: exact reading, gathered writing, and output names. Inside libshadow only.
 */
#ifndef SW_KERNELS_STREAM_H
#define SW_KERNELS_STREAM_H

#include "kernels/kernel.h"

#pragma GCC visibility push(hidden)

#define STREAM_BLOCK ((size_t)128 << 10) /* what kernels read and write at a time: zstd's block */

/* A segment's bytes, counted: a short input is the runner's failure and never a shorter result. */
struct source {
    struct sw_reader *in;
    uint64_t left;
};

/* min(n, left) bytes, fewer never; 0 at the end. -ENODATA when the reader ends before the segment
 * does. */
ssize_t source_read(struct source *source, void *p, size_t n);

/* Small pieces of output gathered into one write of a block. */
struct sink {
    struct sw_writer *out;
    uint8_t *block; /* borrowed: STREAM_BLOCK bytes */
    size_t n;
};

int sink_put(struct sink *sink, const void *p, size_t n);
int sink_flush(struct sink *sink);

/* NAME + suffix. */
void name_add(struct sw_buf *ret_name, const char *name, size_t size, const char *suffix);

/* NAME without suffix; NAME + other where it does not end in it or nothing would be left. */
void name_drop(
    struct sw_buf *ret_name, const char *name, size_t size, const char *suffix, const char *other);

#pragma GCC visibility pop
#endif
