/* Ctrl-C: the first signal sets a flag and makes a descriptor readable, so that every wait ends at
 * once and the verb can cancel its job; the second ends the process, after the half-written output
 * is unlinked. Owned by main; asked by everything that waits. */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupt_count;
static int interrupt_pipe[2] = {-1, -1};
static const char *volatile guarded[INTERRUPT_GUARDS];

static void interrupt_come(int number)
{
    int saved = errno;
    (void)number;
    if (interrupt_count++) {
        for (size_t i = 0; i < INTERRUPT_GUARDS; i++)
            if (guarded[i])
                unlink(guarded[i]);
        _exit(CTL_INTERRUPTED);
    }
    ssize_t ignored = write(interrupt_pipe[1], "", 1);
    (void)ignored;
    errno = saved;
}

void interrupt_open(void)
{
    struct sigaction action = {.sa_handler = interrupt_come, .sa_flags = SA_RESTART};
    if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK))
        return;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed standard output is an error like any other */
}

bool interrupted(void)
{
    return interrupt_count > 0;
}

int interrupt_fd(void)
{
    return interrupt_pipe[0];
}

int interrupt_wait(int ms)
{
    struct pollfd wait = {.fd = interrupt_pipe[0], .events = POLLIN};
    int r = poll(&wait, 1, ms);
    return r != 0 && interrupted() ? -EINTR : 0;
}

void interrupt_guard(const char *path)
{
    size_t i = 0;
    while (i < INTERRUPT_GUARDS && guarded[i])
        i++;
    if (i < INTERRUPT_GUARDS)
        guarded[i] = path;
}

void interrupt_unguard(const char *path)
{
    for (size_t i = 0; i < INTERRUPT_GUARDS; i++)
        if (guarded[i] == path)
            guarded[i] = NULL;
}
