/* The result is defined, not stored: names, sizes and bytes by range, composed from manifests and
 * outputs. */
#ifndef SW_FILES_RESULT_H
#define SW_FILES_RESULT_H

#include "base/buf.h"
#include "base/err.h"
#include "files/manifest.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_result_segment { /* one piece's output */
    uint32_t add, entry;
    uint32_t chunk;           /* absolute */
    uint64_t n;               /* the lease whose out.CHUNK.N holds it; 0 = inline */
    const void *inline_bytes; /* the chunk row's output (all of it), when n is 0 */
    uint64_t offset;          /* in that output */
    uint64_t length;
    const char *error; /* "" = none */
};
/* How names and shapes come in: the kernel's rule, given by the caller so that files knows no
 * kernel. */
struct sw_result_rule {
    bool concat;
    void (*output_name)(void *arg, const char *name, size_t size, struct sw_buf *ret);
    void *arg;
};
struct sw_result_file {
    const char *name; /* input name */
    size_t name_size;
    const char *output_name; /* as the user gave it, by the rule */
    size_t output_name_size;
    uint32_t mode;
    int64_t mtime;
    uint64_t size; /* input */
    uint64_t output_size;
    const char *error; /* "" = none; such a file gives no output. Why, when it was skipped */
    bool skipped;
    uint32_t first_segment, n_segments;
};
struct sw_result; /* built by pushing ADDs and segments in order, then sealed */

/* job_fd is kept open by the caller. With -1 only the names are checked: add, seal, destroy (at
 * submit: two inputs that would give one output name are refused). */
struct sw_result *sw_result_new(int job_fd, const struct sw_result_rule *);
void sw_result_destroy(struct sw_result **);
int sw_result_add(struct sw_result *, const struct sw_manifest *); /* copies what it needs */

/* In order of ADD, entry and offset, after its ADD; copies. Each piece of each FILE entry has one,
 * a piece in a FAILED chunk one with an error. -EINVAL out of order or of no such entry. */
int sw_result_segment(struct sw_result *, const struct sw_result_segment *);

/* Prefix sums, tar names made safe, clashes found: -EEXIST with words for two inputs of one output
 * name or one that is a folder of another, -EINVAL for a name that cannot stand in a tar. */
int sw_result_seal(struct sw_result *, struct sw_err *err);
const struct sw_result_file *sw_result_files(const struct sw_result *, size_t *ret_n);
int sw_result_find(const struct sw_result *,
                   const char *output_name,
                   size_t size); /* index of a file that gives output, or -ENOENT */

/* One file (index), the whole CONCAT (SW_RESULT_CONCAT) or the tar of everything (SW_RESULT_TAR),
 * by byte range: exactly n bytes or -errno; -ERANGE beyond the end. */
#define SW_RESULT_CONCAT (-1)
#define SW_RESULT_TAR    (-2)
uint64_t sw_result_size(const struct sw_result *, int which);
int sw_result_read(
    struct sw_result *, int which, void *p, size_t n, uint64_t offset, struct sw_err *err);
void sw_result_rest(struct sw_result *); /* not read for now: closes outputs, gives memory back */

#endif
