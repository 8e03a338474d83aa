/* Reading with sums checked: what is given out is the very bytes that were summed, never read
 * again.
 *
 * A checker holds open files and verified spans and is shared by everything one thread reads, so
 * that many small chunks of one input open and sum it once. It must outlive its files. */
#ifndef SW_FILES_CHECKED_H
#define SW_FILES_CHECKED_H

#include "base/err.h"

#include <stdint.h>

struct sw_checker;
struct sw_checker *sw_checker_new(size_t spans_max); /* each 1 MiB of memory, taken when needed */
void sw_checker_destroy(struct sw_checker **);
void sw_checker_drop(
    struct sw_checker *); /* closes what nobody reads, with its spans: frees disk and memory */

struct sw_checked;
int sw_checked_open(struct sw_checker *, int dir_fd, const char *name, struct sw_checked **ret);
void sw_checked_destroy(struct sw_checked **);

/* Reads [offset, offset+n) and checks every span it touches. -EBADMSG with words naming the file
 * and the span when a sum differs, -ERANGE beyond the end. */
int sw_checked_read(struct sw_checked *, void *p, size_t n, uint64_t offset, struct sw_err *err);

#endif
