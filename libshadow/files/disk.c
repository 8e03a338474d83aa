/* Opening, sizing, syncing and listing files under a folder descriptor. Called by every file of
 * this folder; never sees a path with a slash and never follows a symlink. */
#include "files/disk.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int disk_open(int dir_fd, const char *name, int flags, mode_t mode)
{
    /* O_NONBLOCK: a planted fifo must fail, not hang; it means nothing for regular files. */
    AUTO_FD int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADMSG;
    if ((flags & O_CREAT) && (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int disk_size(int fd, uint64_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

int disk_read(int dir_fd, const char *name, size_t max_bytes, struct sw_buf *ret)
{
    AUTO_FD int fd = disk_open(dir_fd, name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    uint64_t size = 0;
    int r = disk_size(fd, &size);
    if (r < 0)
        return r;
    if (size > max_bytes)
        return -EFBIG;
    uint8_t *end = sw_buf_reserve(ret, size);
    r = sw_pread_all(fd, end, size, 0);
    if (r < 0)
        return r;
    ret->size += size;
    ret->data[ret->size] = 0;
    return 0;
}

int disk_sync(int fd)
{
    return fdatasync(fd) < 0 ? -errno : 0;
}

int disk_write_synced(int dir_fd, const char *name, const struct sw_buf *bytes, mode_t mode)
{
    AUTO_FD int fd = disk_open(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0)
        return fd;
    int r = sw_write_all(fd, bytes->data, bytes->size);
    return r < 0 ? r : disk_sync(fd);
}

int disk_remove(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int disk_each(int dir_fd, int (*fn)(void *arg, int dir_fd, const char *name), void *arg)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* its own position */
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int r = -errno;
        close(fd);
        return r;
    }
    int r = 0;
    while (r == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            r = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = fn(arg, dir_fd, entry->d_name);
    }
    closedir(dir);
    return r;
}
