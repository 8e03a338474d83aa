/* The lines of a segment. A segment owns the lines that start in its range: the byte before the
 * range tells whether one starts at its first byte, and its last line is read on into the tail. So
 * every line of a file is seen exactly once, wherever the file is cut. */
#ifndef SW_KERNELS_LINES_H
#define SW_KERNELS_LINES_H

#include "kernels/stream.h"

#pragma GCC visibility push(hidden)

#define LINE_BYTES_MAX ((size_t)32 << 20) /* a line is held whole; this bounds a slot's memory */

struct lines {
    struct source source; /* lead, range and tail */
    uint64_t tail;        /* of it, what lies behind the range */
    uint64_t next;        /* where in the file the next line starts */
    uint64_t start;       /* the same of the line given last, or of the one that is too long */
    uint64_t range_end;
    uint8_t *data; /* owned; kept from one segment to the next */
    size_t room;
    size_t begin, end; /* read, not yet given */
};

/* Starts a segment; skips the line that began before it. 0 or -errno. */
int lines_start(struct lines *lines, const struct sw_segment *segment, struct sw_reader *in);

/* 1 and the next line without its line feed, borrowed until the next call; 0 when there is none
 * left; -EMSGSIZE when it is longer than LINE_BYTES_MAX, else -errno. */
int lines_next(struct lines *lines, const char **ret_line, size_t *ret_size);

void lines_done(struct lines *lines);

#pragma GCC visibility pop
#endif
