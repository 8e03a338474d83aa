/* Room on the disk that is the store's own: a file beside the database that is cut when a write
 * finds the disk full, so that what runs is committed and what makes room (FORGET) goes on. A last
 * piece is kept for the next start. Called by the writing handle; nothing is ever in the file. */
#include "store/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What copying a whole log into the database may take. */
#define RESERVE_BYTES ((off_t)8 << 20)

/* Made anew only where as much again is left: not from what was just freed for others. */
static bool has_room(int fd)
{
    struct statvfs disk;
    return fstatvfs(fd, &disk) == 0 &&
           (uint64_t)disk.f_bavail * disk.f_frsize >= 2 * (uint64_t)RESERVE_BYTES;
}

static off_t size_of(const struct sw_store *store)
{
    struct stat about;
    return store->reserve_fd >= 0 && fstat(store->reserve_fd, &about) == 0 ? about.st_size : 0;
}

/* Without it (a small or a full disk) a full disk is met sooner, no more. */
void sqlite_reserve_make(struct sw_store *store)
{
    off_t size = size_of(store);
    if (size < RESERVE_BYTES && store->reserve_fd >= 0 && has_room(store->reserve_fd) &&
        posix_fallocate(store->reserve_fd, 0, RESERVE_BYTES) != 0 &&
        ftruncate(store->reserve_fd, size) < 0) {
        /* it holds what it could get */
    }
}

void sqlite_reserve_open(struct sw_store *store)
{
    AUTO_BUF struct sw_buf name = {0};
    sw_buf_printf(&name, "%s-reserve", store->path);
    store->reserve_fd = open((const char *)name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

bool sqlite_reserve_give(struct sw_store *store, off_t keep)
{
    return size_of(store) > keep && ftruncate(store->reserve_fd, keep) == 0;
}
