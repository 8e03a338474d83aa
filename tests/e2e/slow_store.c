/* A disk that stalls, for LD_PRELOAD: while the file named by SLOW_STORE is there, no commit of the
 * store reaches the disk. Everything else goes on. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    const char *stalled = getenv("SLOW_STORE");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    while (stalled && strstr(path, "store.sqlite") && access(stalled, F_OK) == 0)
        nanosleep(&pause, NULL);
    return (int)syscall(SYS_fdatasync, fd);
}
