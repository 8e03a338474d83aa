/* Files written whole or not at all: a temporary name beside the final one, fsync, the input's mode
 * and time, rename. Owns the temporary file. Called by fetch.c; never replaces what it was not told
 * to. */
#include "output.h"

#include "base/io.h"
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define READER_MS 100 /* between two looks for a pipe's reader */

static char *unsettled_folder; /* where the last rename was; its entry is not durable yet */

void output_relative(struct sw_buf *ret, const char *name, size_t size)
{
    sw_buf_clear(ret);
    for (size_t i = 0; i < size;) {
        const char *slash = memchr(name + i, '/', size - i);
        size_t n = slash ? (size_t)(slash - (name + i)) : size - i;
        bool skip = n == 0 || (n == 1 && name[i] == '.') || (n == 2 && !memcmp(name + i, "..", 2));
        if (!skip) {
            sw_buf_text(ret, ret->size ? "/" : "");
            sw_buf_put(ret, name + i, n);
        }
        i += n + 1;
    }
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sw_copy_text(".", 1);
    return slash == path ? sw_copy_text("/", 1) : sw_copy_text(path, (size_t)(slash - path));
}

/* A file without a name, or one that is gone at once: /proc and the like look writable. */
static int probe(const char *folder)
{
    AUTO_FD int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd < 0 ? -1 : 0;
    AUTO_BUF struct sw_buf name = {0};
    sw_buf_printf(&name, "%s/.shadowctl-probe-%d", folder, (int)getpid());
    fd = open((const char *)name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : unlink((const char *)name.data);
}

/* Whether the folder, or the nearest one above it that exists, can take a new file: better known
 * before hours of work than after. */
static int check_folder(const char *path, struct sw_err *err)
{
    static char *good; /* the last one: neighbours share it */
    AUTO(sw_text) char *folder = folder_of(path);
    if (good && !strcmp(folder, good))
        return 0;
    AUTO(sw_text) char *above = sw_copy_text(folder, strlen(folder));
    while (access(above, F_OK) && (errno == ENOENT || errno == ENOTDIR) &&
           strcmp(above, ".") != 0) {
        char *next = folder_of(above);
        sw_release(above);
        above = next;
    }
    struct stat st;
    if (stat(above, &st) == 0 && !S_ISDIR(st.st_mode))
        return sw_fail(err, CTL_ERR_REFUSED, "%s is no folder",
                       text_short(above, CTL_NAME_BYTES).text);
    if (access(above, W_OK | X_OK) || probe(above))
        return sw_fail(err, CTL_ERR_REFUSED, "%s: outputs cannot be written there: %s",
                       text_short(above, CTL_NAME_BYTES).text, strerror(errno));
    sw_release(good);
    good = TAKE(folder);
    return 0;
}

int output_check(const char *path, bool force, struct stat *ret_stat, struct sw_err *err)
{
    struct stat st = {0};
    if (lstat(path, &st)) {
        *ret_stat = (struct stat){0};
        return errno == ENOENT || errno == ENOTDIR
                   ? check_folder(path, err)
                   : sw_fail(err, CTL_ERR_REFUSED, "%s: %s", text_short(path, CTL_NAME_BYTES).text,
                             strerror(errno));
    }
    *ret_stat = st;
    if (!S_ISREG(st.st_mode))
        return sw_fail(err, CTL_ERR_REFUSED, "%s exists and is %s; it is never replaced",
                       text_short(path, CTL_NAME_BYTES).text,
                       S_ISDIR(st.st_mode)   ? "a folder"
                       : S_ISLNK(st.st_mode) ? "a symbolic link"
                                             : "no regular file");
    return force ? 0
                 : sw_fail(err, CTL_ERR_REFUSED, "%s exists already; --force replaces it",
                           text_short(path, CTL_NAME_BYTES).text);
}

bool output_is_through(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode));
}

int output_open_through(const char *path, struct sw_err *err)
{
    for (;;) {
        int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
            return fd;
        }
        if (errno != ENXIO) /* a pipe that nobody reads yet is waited for */
            return sw_fail(err, errno, "%s: %s", text_short(path, CTL_NAME_BYTES).text,
                           strerror(errno));
        if (interrupt_wait(READER_MS))
            return sw_fail(err, EINTR, "interrupted");
    }
}

bool output_is_too_long(const char *path)
{
    if (strlen(path) >= PATH_MAX)
        return true;
    for (size_t n; *path; path += n + (path[n] == '/')) {
        n = strcspn(path, "/");
        if (n > NAME_MAX)
            return true;
    }
    return false;
}

static int make_folders(char *folder)
{
    if (!strcmp(folder, ".") || !strcmp(folder, "/") || access(folder, F_OK) == 0)
        return 0;
    for (char *c = folder + 1;; c++) {
        if (*c && *c != '/')
            continue;
        char end = *c;
        *c = 0;
        int r = sw_dir_make(AT_FDCWD, folder, 0777);
        *c = end;
        if (r || !end)
            return r;
    }
}

int output_open(struct output *output, const char *path, bool force, struct sw_err *err)
{
    AUTO(sw_text) char *folder = folder_of(path);
    AUTO_BUF struct sw_buf name = {0};
    uint64_t random = 0;
    ssize_t ignored = getrandom(&random, sizeof random, 0);
    (void)ignored;
    int r = make_folders(folder);
    if (r)
        return sw_fail(err, -r, "%s: %s", text_short(folder, CTL_NAME_BYTES).text, strerror(-r));
    sw_buf_printf(&name, "%s/.shadowctl-%016jx", folder, (uintmax_t)random);
    *output = (struct output){.fd = -1, .force = force};
    output->temporary = sw_buf_take_text(&name);
    interrupt_guard(output->temporary);
    output->fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (output->fd < 0) {
        r = sw_fail(err, errno, "%s: %s", text_short(folder, CTL_NAME_BYTES).text, strerror(errno));
        interrupt_unguard(output->temporary);
        sw_text_destroy(&output->temporary);
        return r;
    }
    output->path = sw_copy_text(path, strlen(path));
    return 0;
}

int output_write(struct output *output, const void *p, size_t n, struct sw_err *err)
{
    int r = sw_write_all(output->fd, p, n);
    return r ? sw_fail(err, -r, "%s: %s", text_short(output->path, CTL_NAME_BYTES).text,
                       strerror(-r))
             : 0;
}

/* rename() that refuses an existing name; link() where the file system cannot do that. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (link(from, to))
        return -errno;
    unlink(from);
    return 0;
}

static int settle(const char *folder)
{
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : sw_dir_sync(fd);
}

int outputs_settle(struct sw_err *err)
{
    AUTO(sw_text) char *folder = TAKE(unsettled_folder);
    int r = folder ? settle(folder) : 0;
    return r ? sw_fail(err, -r, "%s: %s", text_short(folder, CTL_NAME_BYTES).text, strerror(-r))
             : 0;
}

int output_finish(struct output *output,
                  mode_t mode,
                  const struct timespec *mtime,
                  struct sw_err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    if (mtime)
        times[1] = *mtime;
    /* Set-id bits are the input's author's wish, not fit for what others computed. */
    if (fchmod(output->fd, mode & 0777) || futimens(output->fd, times))
        return sw_fail(err, errno, "%s: %s", text_short(output->path, CTL_NAME_BYTES).text,
                       strerror(errno));
    sync_file_range(output->fd, 0, 0,
                    SYNC_FILE_RANGE_WRITE); /* a head start for the fsync to come */
    return 0;
}

int output_commit(struct output *output, struct sw_err *err)
{
    int r = fsync(output->fd) ? -errno : 0;
    if (!r && output->force)
        r = rename(output->temporary, output->path) ? -errno : 0;
    else if (!r)
        r = rename_new(output->temporary, output->path);
    if (r == -EEXIST)
        return sw_fail(err, EEXIST, "%s has come to exist meanwhile; it is kept",
                       text_short(output->path, CTL_NAME_BYTES).text);
    if (r)
        return sw_fail(err, -r, "%s: %s", text_short(output->path, CTL_NAME_BYTES).text,
                       strerror(-r));
    interrupt_unguard(output->temporary);
    sw_text_destroy(&output->temporary);
    AUTO(sw_text) char *folder = folder_of(output->path);
    if (unsettled_folder && strcmp(folder, unsettled_folder) != 0)
        r = outputs_settle(err);
    if (!unsettled_folder)
        unsettled_folder = TAKE(folder);
    return r;
}

void output_done(struct output *output)
{
    if (output->temporary) {
        unlink(output->temporary);
        interrupt_unguard(output->temporary);
    }
    if (output->path) /* a zeroed one owns no descriptor */
        sw_fd_close(&output->fd);
    sw_text_destroy(&output->temporary);
    sw_text_destroy(&output->path);
}
