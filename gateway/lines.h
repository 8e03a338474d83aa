/* Small files of lines in STATE/gateway that several programs may change: read whole, replaced
 * whole under a lock, and noticed when another one has replaced them. */
#ifndef GATEWAY_LINES_H
#define GATEWAY_LINES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define LINES_RECHECK_MS 200 /* what was revoked by another program is refused within this */

struct lines {
    int dir_fd; /* borrowed */
    const char *name;
    size_t max_bytes;
    struct stat seen; /* of the file as it was read; st_ino 0: there was none */
    int64_t checked_ms;
};

/* Calls take for each line that is neither empty nor a comment; its false is "not a line of this
 * file". No file is an empty one. */
int lines_read(struct lines *,
               bool (*take)(void *arg, const char *line),
               void *arg,
               struct sw_err *err);

/* Whether the file is another than was read. Looks at most every LINES_RECHECK_MS, unless `now`. */
bool lines_changed(struct lines *, int64_t now_ms, bool now);

/* Two that change it at once must not lose each other's change; held until ret_fd is closed. */
int lines_lock(int dir_fd, const char *name, int *ret_fd, struct sw_err *err);

#endif
