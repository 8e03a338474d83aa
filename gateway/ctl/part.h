/* One upload: a part of many files as a tar, or one file alone. */
#ifndef CTL_PART_H
#define CTL_PART_H

#include "http.h"
#include "inputs.h"

#define PART_BYTES     ((uint64_t)64 << 20) /* interface.md 4: parts of about 64 MiB of whole files */
#define PART_FILES_MAX 16384                /* bounds the memory of a part of tiny files */

struct part {
    const struct inputs *inputs;
    size_t first, n; /* of inputs->list; dropped ones in between are left out */
    bool is_tar;
    size_t prefix;     /* cut off the name of every member */
    uint64_t size;     /* of the upload */
    uint64_t *offsets; /* of each member's header; one more: the end mark. NULL for one file */
    int fd;            /* of the input at fd_index */
    size_t fd_index;
    size_t head_index; /* whose header is in `head` */
    struct sw_buf head;
    size_t broken; /* the input that could not be read, when part_read failed */
};

/* The next part from `first` on: as many whole files as fit, or one that has to go alone. n is 0 at
 * the end. */
void part_next(struct part *ret, const struct inputs *inputs, size_t first);
void part_done(struct part *part);
/* A source over the part: at any offset, any number of times. */
struct http_source part_source(struct part *part);
/* How many bytes the name begins with that a tar would not carry as they are (a leading /, all up
 * to the last `..`): the members of one part share them, and they travel beside it. */
size_t part_prefix(const char *name);

#endif
