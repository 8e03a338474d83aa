/* Owns how a file of lines is read and when it counts as changed. Called by tokens.c and logins.c
 * and those that change their files; knows nothing of what a line says. */
#include "lines.h"

#include "base/buf.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

int lines_read(struct lines *lines,
               bool (*take)(void *arg, const char *line),
               void *arg,
               struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    if (fstatat(lines->dir_fd, lines->name, &lines->seen, 0) < 0) {
        lines->seen = (struct stat){0};
        return errno == ENOENT
                   ? 0
                   : sw_fail(err, errno, "gateway/%s: %s", lines->name, strerror(errno));
    }
    int r = sw_file_read(lines->dir_fd, lines->name, lines->max_bytes, &text);
    if (r < 0)
        return sw_fail(err, -r, "cannot read gateway/%s: %s", lines->name, strerror(-r));
    char *rest = (char *)text.data; /* ends with a zero */
    for (size_t number = 1; rest && *rest; number++) {
        const char *line = strsep(&rest, "\n");
        if (*line && *line != '#' && !take(arg, line))
            return sw_fail(err, EBADMSG, "gateway/%s:%zu: not a line of this file", lines->name,
                           number);
    }
    return 0;
}

bool lines_changed(struct lines *lines, int64_t now_ms, bool now)
{
    struct stat found = {0};
    if (!now && now_ms - lines->checked_ms < LINES_RECHECK_MS)
        return false;
    lines->checked_ms = now_ms;
    if (fstatat(lines->dir_fd, lines->name, &found, 0) < 0)
        found = (struct stat){0};
    return found.st_ino != lines->seen.st_ino || found.st_size != lines->seen.st_size ||
           memcmp(&found.st_mtim, &lines->seen.st_mtim, sizeof found.st_mtim) != 0;
}

int lines_lock(int dir_fd, const char *name, int *ret_fd, struct sw_err *err)
{
    char lock[64];
    snprintf(lock, sizeof lock, "%s.lock", name);
    AUTO_FD int fd = openat(dir_fd, lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return sw_fail(err, errno, "cannot lock gateway/%s: %s", name, strerror(errno));
    *ret_fd = TAKE_FD(fd);
    return 0;
}
