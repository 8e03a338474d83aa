/* Whole reads and writes (EINTR and short counts handled once, here) and the one way to replace a
 * file. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int sw_write_all(int fd, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int sw_pwrite_all(int fd, const void *p, size_t n, uint64_t offset)
{
    const uint8_t *at = p;
    while (n) {
        ssize_t done = pwrite(fd, at, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

int sw_pread_all(int fd, void *p, size_t n, uint64_t offset)
{
    uint8_t *at = p;
    while (n) {
        ssize_t done = pread(fd, at, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        if (done == 0)
            return -ENODATA;
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

int sw_file_read(int dir_fd, const char *name, size_t max_bytes, struct sw_buf *ret_buf)
{
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t total = 0;
    for (;;) {
        uint8_t *end = sw_buf_reserve(ret_buf, 65536);
        ssize_t got = read(fd, end, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        total += (size_t)got;
        if (total > max_bytes)
            return -EFBIG;
        ret_buf->size += (size_t)got;
        ret_buf->data[ret_buf->size] = 0;
        if (got == 0)
            return 0;
    }
}

static int write_synced(int dir_fd, const char *name, const void *p, size_t n, mode_t mode)
{
    AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, mode) < 0)
        return -errno; /* an older temporary file may carry another mode */
    int r = sw_write_all(fd, p, n);
    if (r < 0)
        return r;
    return fsync(fd) < 0 ? -errno : 0;
}

int sw_file_replace(int dir_fd, const char *name, const void *p, size_t n, mode_t mode)
{
    AUTO(sw_text) char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", name) < 0)
        return -ENOMEM;
    int r = write_synced(dir_fd, temporary, p, n, mode);
    if (r < 0) {
        unlinkat(dir_fd, temporary, 0);
        return r;
    }
    if (renameat(dir_fd, temporary, dir_fd, name) < 0)
        return -errno;
    return sw_dir_sync(dir_fd);
}

int sw_dir_make(int dir_fd, const char *name, mode_t mode)
{
    if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

int sw_dir_sync(int dir_fd)
{
    AUTO_FD int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

void sw_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
