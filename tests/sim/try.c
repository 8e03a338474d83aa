/* One run in a child process, so that whatever ends it (a finding, an assertion of the core, a
 * signal, no end at all) is an answer and not the end of the caller. Used by shrink.c, bugs.c and
 * long.c. */
#include "sim.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 300 }; /* of CPU-bound running: beyond it something spins */

static _Noreturn void child(const struct sim_options *options, int fd)
{
    dup2(fd, STDERR_FILENO);
    if (!freopen("/dev/null", "w", stdout))
        _exit(1);
    alarm(LIMIT_SECONDS);
    uint64_t steps = sim_one(options);
    dprintf(fd, "steps %lu\n", (unsigned long)steps);
    _exit(0);
}

static void read_all(int fd, char *text, size_t size)
{
    size_t n = 0;
    ssize_t r;
    char rest[256];
    while ((r = n + 1 < size ? read(fd, text + n, size - n - 1) : read(fd, rest, sizeof rest)) > 0)
        n += n + 1 < size ? (size_t)r : 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

bool sim_try(const struct sim_options *options, struct sim_finding *ret_finding)
{
    int fds[2], status;
    fflush(stdout);
    if (pipe(fds) < 0)
        abort();
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        close(fds[0]);
        child(options, fds[1]);
    }
    close(fds[1]);
    *ret_finding = (struct sim_finding){0};
    read_all(fds[0], ret_finding->text, sizeof ret_finding->text);
    close(fds[0]);
    if (waitpid(pid, &status, 0) != pid)
        abort();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        ret_finding->steps = strtoull(ret_finding->text + strlen("steps "), NULL, 10);
        return false;
    }
    const char *at = strstr(ret_finding->text, "at step ");
    ret_finding->step = at ? strtoull(at + strlen("at step "), NULL, 10) : 0;
    if (!ret_finding->text[0])
        snprintf(ret_finding->text, sizeof ret_finding->text, "signal %d", WTERMSIG(status));
    return true;
}
