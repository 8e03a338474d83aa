/* Files written whole or not at all. */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Makes `name` relative and safe below a folder: a leading / and `.`, `..` and empty parts are
 * dropped. Empty when nothing is left. */
void output_relative(struct sw_buf *ret, const char *name, size_t size);

/* Whether something may be written there: -EPERM with words where a file is (unless `force`), a
 * folder, a link or a device is, or nothing can be written. *ret_stat is of what exists (st_ino 0:
 * nothing). */
int output_check(const char *path, bool force, struct stat *ret_stat, struct sw_err *err);

/* A pipe or a character device, also behind a link: written into, never replaced. */
bool output_is_through(const char *path);
int output_open_through(const char *path, struct sw_err *err); /* a descriptor, or -errno */
/* No file can have this name: a part of it is too long, or all of it. */
bool output_is_too_long(const char *path);

struct output {
    char *path, *temporary;
    int fd;
    bool force;
};
/* A temporary file beside `path`, folders made as needed. Discarded unless committed. */
int output_open(struct output *output, const char *path, bool force, struct sw_err *err);
int output_write(struct output *output, const void *p, size_t n, struct sw_err *err);
/* All bytes are written: gives it mode and mtime (NULL: none to keep). */
int output_finish(struct output *output,
                  mode_t mode,
                  const struct timespec *mtime,
                  struct sw_err *err);
/* Makes it durable and gives it its name: never over an existing file unless `force`. */
int output_commit(struct output *output, struct sw_err *err);
void output_done(struct output *output);
#define AUTO_OUTPUT __attribute__((cleanup(output_done)))

int outputs_settle(struct sw_err *err); /* makes the renames durable; after the last commit */

#endif
