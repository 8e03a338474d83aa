/* How this folder opens files: by one name under a folder descriptor, never through a symlink,
 * regular files only. Internal. */
#ifndef SW_FILES_DISK_H
#define SW_FILES_DISK_H

#include "base/buf.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#define DISK_MODE_UPLOAD 0660 /* a hard link needs a file that the broker may write */
#define DISK_MODE_JOB    0640 /* the gateway's group reads */

/* `flags` without O_NOFOLLOW and O_CLOEXEC, which are added; `mode` is set whatever the umask when
 * the file is made here. The descriptor or -errno; -EBADMSG for what is no regular file. */
int disk_open(int dir_fd, const char *name, int flags, mode_t mode);

int disk_size(int fd, uint64_t *ret_size);
int disk_read(int dir_fd, const char *name, size_t max_bytes, struct sw_buf *ret);
int disk_sync(int fd); /* fdatasync: bytes and size */
int disk_write_synced(int dir_fd, const char *name, const struct sw_buf *bytes, mode_t mode);
int disk_remove(int dir_fd, const char *name); /* 0 when it is not there */

/* Calls fn for each name in the folder but . and .. ; fn may remove names. Non-zero stops. */
int disk_each(int dir_fd, int (*fn)(void *arg, int dir_fd, const char *name), void *arg);

#endif
