/* Writes down what one broker or gateway does to the files below RECORD_UNDER, for LD_PRELOAD: each
 * write, truncation, sync and change of a name, with its data, at the end of the file RECORD_LOG.
 * Several programs write to one log; a call and its record are one step under a lock on it, so it
 * has the order in which things happened. Read by power_disk.py; what goes past this shows at the
 * end, when the disk of the log and the folder differ. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE, MKDIR, LINK, UNLINK, RENAME, WRITE, TRUNCATE, SYNC };

/* Then two names, each with its NUL, and the data. */
struct record {
    uint32_t size; /* with what follows */
    uint32_t kind;
    uint64_t inode, folder, at; /* at: of a write; the size of a truncation */
};

#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&(name)) real;                                                           \
        if (!real)                                                                                 \
            real = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);                                   \
        real;                                                                                      \
    })

static char under[PATH_MAX];
static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* flock is between processes */

static void __attribute__((constructor)) begin(void)
{
    const char *where = getenv("RECORD_UNDER"), *file = getenv("RECORD_LOG");
    snprintf(under, sizeof under, "%s", where ? where : "");
    log_fd = file ? open(file, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (log_fd < 0)
        abort();
    unsetenv("LD_PRELOAD");
}

static bool is_under(int fd, const char *name)
{
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = name && name[0] == '/' ? -1 : readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (name && name[0] == '/')
        snprintf(path, sizeof path, "%s", name);
    errno = before;
    size_t size = strlen(under);
    return fd != log_fd && size && !strncmp(path, under, size) && strchr("/", path[size]);
}

static bool lock(int fd, const char *name)
{
    if (!is_under(fd, name))
        return false;
    pthread_mutex_lock(&mutex);
    while (flock(log_fd, LOCK_EX) < 0)
        ;
    return true;
}

static void unlock(bool locked)
{
    int before = errno;
    if (locked) {
        flock(log_fd, LOCK_UN);
        pthread_mutex_unlock(&mutex);
    }
    errno = before;
}

static uint64_t inode_of(int fd, const char *name)
{
    struct stat about;
    int r = name ? fstatat(fd, name, &about, AT_SYMLINK_NOFOLLOW) : fstat(fd, &about);
    return r < 0 ? 0 : about.st_ino;
}

static const char *last_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* Of a name that may be a path, or is relative to a folder that is open. */
static uint64_t folder_of(int fd, const char *name)
{
    char path[PATH_MAX];
    if (!strchr(name, '/'))
        return fd == AT_FDCWD ? inode_of(fd, ".") : inode_of(fd, NULL);
    snprintf(path, sizeof path, "%.*s", (int)(last_of(name) - name), name);
    return inode_of(fd, path);
}

static void
put(struct record record, const char *name, const char *to, const void *data, size_t size)
{
    int before = errno;
    struct iovec parts[] = {{&record, sizeof record},
                            {(void *)name, strlen(name) + 1},
                            {(void *)to, strlen(to) + 1},
                            {(void *)data, size}};
    record.size = (uint32_t)(sizeof record + strlen(name) + strlen(to) + 2 + size);
    if (REAL(writev)(log_fd, parts, 4) != (ssize_t)record.size)
        abort();
    errno = before;
}

static void put_name(enum kind kind, int fd, const char *name, const char *to, uint64_t inode)
{
    put((struct record){.kind = kind, .inode = inode, .folder = folder_of(fd, name)}, last_of(name),
        to, NULL, 0);
}

static void put_fd(enum kind kind, int fd, uint64_t at, const void *data, size_t size)
{
    put((struct record){.kind = kind, .inode = inode_of(fd, NULL), .at = at}, "", "", data, size);
}

static uint64_t size_of(int fd)
{
    struct stat about;
    return fstat(fd, &about) < 0 ? 0 : (uint64_t)about.st_size;
}

/* Where a write without an offset goes. */
static uint64_t end_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags & O_APPEND ? size_of(fd) : (uint64_t)lseek(fd, 0, SEEK_CUR);
}

#define WRITES(fd, p, where, call)                                                                 \
    do {                                                                                           \
        bool locked = lock(fd, NULL);                                                              \
        uint64_t at = locked ? (uint64_t)(where) : 0;                                              \
        ssize_t n = call;                                                                          \
        if (locked && n > 0)                                                                       \
            put_fd(WRITE, fd, at, p, (size_t)n);                                                   \
        unlock(locked);                                                                            \
        return n;                                                                                  \
    } while (0)

ssize_t write(int fd, const void *p, size_t size)
{
    WRITES(fd, p, end_of(fd), REAL(write)(fd, p, size));
}

#define PWRITE(name, offset)                                                                       \
    ssize_t name(int fd, const void *p, size_t size, offset at_byte)                               \
    {                                                                                              \
        WRITES(fd, p, at_byte, REAL(name)(fd, p, size, at_byte));                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Whatever else changes the size or syncs: 0 is success. */
#define CHANGES(kind, fd, where, call)                                                             \
    do {                                                                                           \
        bool locked = lock(fd, NULL);                                                              \
        int r = call;                                                                              \
        if (locked && r == 0)                                                                      \
            put_fd(kind, fd, (uint64_t)(where), NULL, 0);                                          \
        unlock(locked);                                                                            \
        return r;                                                                                  \
    } while (0)

int fsync(int fd)
{
    CHANGES(SYNC, fd, 0, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
    CHANGES(SYNC, fd, 0, REAL(fdatasync)(fd));
}

#define CHANGE_SIZE(truncate, allocate, offset)                                                    \
    int truncate(int fd, offset size)                                                              \
    {                                                                                              \
        CHANGES(TRUNCATE, fd, size, REAL(truncate)(fd, size));                                     \
    }                                                                                              \
    int allocate(int fd, offset from, offset size)                                                 \
    {                                                                                              \
        CHANGES(TRUNCATE, fd, size_of(fd), REAL(allocate)(fd, from, size));                        \
    }
CHANGE_SIZE(ftruncate, posix_fallocate, off_t)
CHANGE_SIZE(ftruncate64, posix_fallocate64, off64_t)

#define NAMES(kind, fd, name, to, inode, call)                                                     \
    do {                                                                                           \
        bool locked = lock(fd, name);                                                              \
        int r = call;                                                                              \
        if (locked && r == 0)                                                                      \
            put_name(kind, fd, name, to, inode);                                                   \
        unlock(locked);                                                                            \
        return r;                                                                                  \
    } while (0)

/* Only within one folder: a name that moves to another is not known here. */
int renameat(int fd, const char *from, int to_fd, const char *to)
{
    if (lock(fd, from)) {
        if (folder_of(fd, from) != folder_of(to_fd, to))
            abort();
        unlock(true);
    }
    NAMES(RENAME, fd, from, last_of(to), inode_of(to_fd, to), REAL(renameat)(fd, from, to_fd, to));
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int fd, const char *from, int to_fd, const char *to, int flags)
{
    NAMES(LINK, to_fd, to, "", inode_of(to_fd, to), REAL(linkat)(fd, from, to_fd, to, flags));
}

int unlinkat(int fd, const char *name, int flags)
{
    NAMES(UNLINK, fd, name, "", 0, REAL(unlinkat)(fd, name, flags));
}

int unlink(const char *name)
{
    NAMES(UNLINK, AT_FDCWD, name, "", 0, REAL(unlink)(name));
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    NAMES(MKDIR, fd, name, "", inode_of(fd, name), REAL(mkdirat)(fd, name, mode));
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

static int open_in(int folder, const char *name, int flags, mode_t mode)
{
    bool changes = (flags & O_CREAT) || (flags & O_TRUNC);
    bool locked = changes && lock(folder, name);
    bool was_there = locked && faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = REAL(openat)(folder, name, flags, mode);
    if (locked && fd >= 0 && !was_there)
        put_name(CREATE, folder, name, "", inode_of(fd, NULL));
    else if (locked && fd >= 0 && (flags & O_TRUNC))
        put_fd(TRUNCATE, fd, 0, NULL, 0);
    unlock(locked);
    return fd;
}

#define OPEN(folder, name, flags)                                                                  \
    do {                                                                                           \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, unsigned) : 0;        \
        va_end(rest);                                                                              \
        return open_in(folder, name, flags, mode);                                                 \
    } while (0)

int open(const char *name, int flags, ...)
{
    OPEN(AT_FDCWD, name, flags);
}

int open64(const char *name, int flags, ...)
{
    OPEN(AT_FDCWD, name, flags | O_LARGEFILE);
}

int openat(int fd, const char *name, int flags, ...)
{
    OPEN(fd, name, flags);
}

int openat64(int fd, const char *name, int flags, ...)
{
    OPEN(fd, name, flags | O_LARGEFILE);
}
