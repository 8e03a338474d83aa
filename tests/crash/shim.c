/* A disk, a network and a memory that fail when they are told to, for LD_PRELOAD into one broker,
 * gateway or agent of tests/crash. Counts the calls that change files below SHIM_UNDER (`write`,
 * `sync`, `name`), those that send to a socket (`send`) and those that ask for memory (`memory`),
 * and at call number SHIM_AT of class SHIM_CLASS does what SHIM_DO says: kill-before, kill-after,
 * tear (half a write, then the end), short, ENOSPC, EIO, ENOMEM, or out (ENOMEM from there on). The
 * counts lie in the file SHIM_COUNTS, which outlives the process. Children do not inherit it. It
 * sees what goes through symbols of libc, libc's own calls for memory among them. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum class { WRITE, SYNC, NAME, SEND, MEMORY, CLASSES };
static const char *const classes[CLASSES] = {"write", "sync", "name", "send", "memory"};

/* What SHIM_COUNTS holds; read by bench.py. */
struct counts {
    uint64_t calls[CLASSES];
    char fired[PATH_MAX]; /* what the chosen call was */
};

static struct counts unshared, *counts = &unshared;
static char under[PATH_MAX], what_to_do[32];
static enum class chosen = CLASSES;
static uint64_t chosen_at;
static bool lasts;                 /* the calls after the chosen one fail as well */
static _Thread_local bool is_last; /* this thread's call is the chosen one, and the last */

static void __attribute__((constructor)) begin(void)
{
    const char *file = getenv("SHIM_COUNTS"), *where = getenv("SHIM_UNDER");
    const char *class = getenv("SHIM_CLASS"), *at = getenv("SHIM_AT"), *what = getenv("SHIM_DO");
    snprintf(under, sizeof under, "%s", where ? where : "");
    snprintf(what_to_do, sizeof what_to_do, "%s", what ? what : "");
    lasts = !strcmp(what_to_do, "out");
    chosen_at = at ? strtoull(at, NULL, 10) : 0;
    for (unsigned i = 0; class && i < CLASSES; i++)
        if (!strcmp(class, classes[i]))
            chosen = i;
    unsetenv("LD_PRELOAD");
    int fd = file ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof *counts) < 0)
        abort();
    void *page = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        abort();
    counts = page;
    close(fd);
}

static void path_of(int fd, char *ret_path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, ret_path, PATH_MAX - 1);
    ret_path[n > 0 ? n : 0] = '\0';
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Counts a call. 0: go on; -1: it fails, errno says how; 1: only half of it. */
static int step(enum class class, const char *function, int fd, const char *name)
{
    int before = errno;
    char path[PATH_MAX] = "";
    if (class < SEND) {
        if (!name || name[0] != '/')
            path_of(fd, path);
        if (strncmp(name && name[0] == '/' ? name : path, under, strlen(under)) != 0)
            return 0;
    }
    errno = before;
    uint64_t n = __atomic_add_fetch(&counts->calls[class], 1, __ATOMIC_SEQ_CST);
    if (class != chosen || n < chosen_at || (n > chosen_at && !lasts))
        return 0;
    if (n == chosen_at)
        snprintf(counts->fired, sizeof counts->fired, "%s %.3000s %.900s", function, path,
                 name ? name : "");
    if (!strcmp(what_to_do, "kill-before"))
        die();
    is_last = !strcmp(what_to_do, "kill-after") || !strcmp(what_to_do, "tear");
    if (!strcmp(what_to_do, "tear") || !strcmp(what_to_do, "short"))
        return 1;
    errno = class == MEMORY ? ENOMEM : !strcmp(what_to_do, "ENOSPC") ? ENOSPC : EIO;
    return is_last ? 0 : -1;
}

static ssize_t end(ssize_t result)
{
    if (is_last)
        die();
    return result;
}

#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&(name)) real;                                                           \
        if (!real)                                                                                 \
            real = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);                                   \
        real;                                                                                      \
    })

/* One call: counted, failed, halved (`size` may change before `call` uses it) or done. */
#define CALL(class, function, fd, name, halve, call)                                               \
    do {                                                                                           \
        int verdict = step(class, function, fd, name);                                             \
        if (verdict < 0)                                                                           \
            return -1;                                                                             \
        if (verdict > 0) {                                                                         \
            halve;                                                                                 \
        }                                                                                          \
        return (__typeof__(call))end(call);                                                        \
    } while (0)

#define HALF size = size > 1 ? size / 2 : size

ssize_t write(int fd, const void *p, size_t size)
{
    CALL(WRITE, "write", fd, NULL, HALF, REAL(write)(fd, p, size));
}

ssize_t pwrite(int fd, const void *p, size_t size, off_t at)
{
    CALL(WRITE, "pwrite", fd, NULL, HALF, REAL(pwrite)(fd, p, size, at));
}

ssize_t pwrite64(int fd, const void *p, size_t size, off64_t at)
{
    CALL(WRITE, "pwrite", fd, NULL, HALF, REAL(pwrite64)(fd, p, size, at));
}

ssize_t writev(int fd, const struct iovec *parts, int size)
{
    CALL(WRITE, "writev", fd, NULL, HALF, REAL(writev)(fd, parts, size));
}

int fsync(int fd)
{
    CALL(SYNC, "fsync", fd, NULL, , REAL(fsync)(fd));
}

int fdatasync(int fd)
{
    CALL(SYNC, "fdatasync", fd, NULL, , REAL(fdatasync)(fd));
}

int ftruncate(int fd, off_t size)
{
    CALL(NAME, "ftruncate", fd, NULL, , REAL(ftruncate)(fd, size));
}

int ftruncate64(int fd, off64_t size)
{
    CALL(NAME, "ftruncate", fd, NULL, , REAL(ftruncate64)(fd, size));
}

int rename(const char *from, const char *to)
{
    CALL(NAME, "rename", AT_FDCWD, to, , REAL(rename)(from, to));
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    CALL(NAME, "renameat", to_fd, to, , REAL(renameat)(from_fd, from, to_fd, to));
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    CALL(NAME, "linkat", to_fd, to, , REAL(linkat)(from_fd, from, to_fd, to, flags));
}

int unlink(const char *name)
{
    CALL(NAME, "unlink", AT_FDCWD, name, , REAL(unlink)(name));
}

int unlinkat(int fd, const char *name, int flags)
{
    CALL(NAME, "unlinkat", fd, name, , REAL(unlinkat)(fd, name, flags));
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    CALL(NAME, "mkdirat", fd, name, , REAL(mkdirat)(fd, name, mode));
}

static mode_t mode_in(int flags, va_list rest)
{
    return flags & O_CREAT ? (mode_t)va_arg(rest, unsigned) : 0;
}

/* Only what makes a file counts; a fault of opening one that is there is no fault of a disk. */
#define OPEN(function, dir_fd, name, call)                                                         \
    do {                                                                                           \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = mode_in(flags, rest);                                                        \
        va_end(rest);                                                                              \
        if (!(flags & O_CREAT))                                                                    \
            return call;                                                                           \
        CALL(NAME, function, dir_fd, name, , call);                                                \
    } while (0)

int open(const char *name, int flags, ...)
{
    OPEN("open", AT_FDCWD, name, REAL(open)(name, flags, mode));
}

int open64(const char *name, int flags, ...)
{
    OPEN("open", AT_FDCWD, name, REAL(open64)(name, flags, mode));
}

int openat(int fd, const char *name, int flags, ...)
{
    OPEN("openat", fd, name, REAL(openat)(fd, name, flags, mode));
}

int openat64(int fd, const char *name, int flags, ...)
{
    OPEN("openat", fd, name, REAL(openat64)(fd, name, flags, mode));
}

ssize_t send(int fd, const void *p, size_t size, int flags)
{
    CALL(SEND, "send", fd, NULL, HALF, REAL(send)(fd, p, size, flags));
}

ssize_t
sendto(int fd, const void *p, size_t size, int flags, const struct sockaddr *to, socklen_t to_size)
{
    CALL(SEND, "sendto", fd, NULL, HALF, REAL(sendto)(fd, p, size, flags, to, to_size));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    CALL(SEND, "sendmsg", fd, NULL, , REAL(sendmsg)(fd, message, flags));
}

/* glibc's own, which need no dlsym: that one asks for memory itself */
/* NOLINTBEGIN(bugprone-reserved-identifier): glibc's names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

void *malloc(size_t size)
{
    return step(MEMORY, "malloc", -1, NULL) < 0 ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return step(MEMORY, "calloc", -1, NULL) < 0 ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return step(MEMORY, "realloc", -1, NULL) < 0 ? NULL : __libc_realloc(p, size);
}
