/* Whole reads, whole writes and atomic files over plain descriptors. -errno on failure. */
#ifndef SW_IO_H
#define SW_IO_H

#include "base/buf.h"

#include <sys/types.h>

int sw_write_all(int fd, const void *p, size_t n);
int sw_pwrite_all(int fd, const void *p, size_t n, uint64_t offset);
int sw_pread_all(int fd,
                 void *p,
                 size_t n,
                 uint64_t offset); /* -ENODATA when the file ends before n */

/* Appends a whole file to ret_buf; -EFBIG when it is larger than max_bytes. */
int sw_file_read(int dir_fd, const char *name, size_t max_bytes, struct sw_buf *ret_buf);

/* Replaces `name` as one step that survives power loss: temporary file, fsync, rename, fsync of the
 * folder. */
int sw_file_replace(int dir_fd, const char *name, const void *p, size_t n, mode_t mode);

int sw_dir_make(int dir_fd, const char *name, mode_t mode); /* mkdir; an existing folder is fine */
int sw_dir_sync(int dir_fd);

/* As many descriptors as the system allows this process: every peer's connection is one. */
void sw_descriptors_raise(void);

#endif
