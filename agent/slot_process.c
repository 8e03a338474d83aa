/* The process of a slot: starting it, killing it, reaping it, reading its standard error and
 * watching its CPU time. Called by slot_parent.c and slot_receive.c; knows nothing of runs but
 * which is the current one. */
#include "slot_parent.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void slot_process_init(struct slot_process *process)
{
    *process = (struct slot_process){.pid_fd = -1, .sock = -1, .stderr_fd = -1};
}

/* A slot process inherits what a build that is not installed and its sanitizers need, and no
 * secrets. */
static void pick_environment(char **ret, size_t room)
{
    static const char *const names[] = {
        "LD_LIBRARY_PATH=", "GCONV_PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS="};
    size_t n = 0;
    for (char **p = environ; *p; p++)
        for (size_t i = 0; i < SW_COUNT(names); i++)
            if (strncmp(*p, names[i], strlen(names[i])) == 0 && n + 1 < room)
                ret[n++] = *p;
    ret[n] = NULL;
}

static int spawn(const char *kernel, int sock, int stderr_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    /* Its own session: a Ctrl-C at the agent's terminal is the agent's to answer. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    int r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, stderr_fd, 2);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, sock, SLOT_SOCKET);
    char *environment[8];
    pick_environment(environment, SW_COUNT(environment));
    char *const argv[] = {"shadow-agent", "--slot", (char *)kernel, NULL};
    if (r == 0)
        r = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

static int watch(struct slot *slot, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(slot->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void close_all(struct slot_process *process)
{
    sw_fd_close(&process->sock);
    sw_fd_close(&process->stderr_fd);
    sw_fd_close(&process->pid_fd);
}

/* Makes the ends and the process; on failure the caller closes what there is. */
static int start(struct slot *slot, int *sock, int *err_fd)
{
    struct slot_process *process = &slot->process;
    int pair[2], pipe_fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    process->sock = pair[0];
    *sock = pair[1];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    process->stderr_fd = pipe_fds[0];
    *err_fd = pipe_fds[1];
    if (fcntl(process->stderr_fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    int room = (int)SLOT_PACKET_MAX * 2; /* the largest packet must fit; the limit may cut it */
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);

    struct slot_setup setup;
    int r = slot_setup_decode(slot->setup.data, slot->setup.size, &setup);
    if (r < 0)
        return r;
    r = spawn(setup.kernel, *sock, *err_fd, &process->pid);
    sw_release((void *)setup.params);
    if (r < 0)
        return r;
    process->pid_fd = pidfd_open(process->pid, 0);
    if (process->pid_fd < 0)
        return -errno;
    return clock_getcpuclockid(process->pid, &process->cpu_clock) ? -ESRCH : 0;
}

int slot_process_start(struct slot *slot, int64_t now_ms, struct sw_err *err)
{
    struct slot_process *process = &slot->process;
    slot_process_init(process);
    process->started_ms = now_ms;
    atomic_store_explicit(&slot->page->run, 0, memory_order_relaxed);
    AUTO_FD int sock = -1;
    AUTO_FD int err_fd = -1;
    AUTO_BUF struct sw_buf packet = {0};
    int r = start(slot, &sock, &err_fd);
    if (r == 0)
        r = watch(slot, process->sock);
    if (r == 0)
        r = watch(slot, process->stderr_fd);
    if (r == 0)
        r = watch(slot, process->pid_fd);
    if (r == 0) {
        slot_record_put(&packet, SLOT_SETUP, 0, slot->setup.data, slot->setup.size, NULL, 0);
        r = slot_packet_send(process->sock, packet.data, packet.size, slot->page_fd, MSG_DONTWAIT);
    }
    if (r == 0) {
        process->state = SLOT_STARTING;
        return 0;
    }
    if (process->pid > 0) { /* it has no runs yet and dies at once: this wait is short */
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    close_all(process);
    return sw_fail(err, -r, "cannot start a slot process: %s", strerror(-r));
}

void slot_process_kill(struct slot *slot, const char *why)
{
    struct slot_process *process = &slot->process;
    if (process->state != SLOT_STARTING && process->state != SLOT_SERVING)
        return;
    kill(process->pid, SIGKILL); /* not reaped yet, so the number is still its own */
    process->state = SLOT_DYING;
    process->nobodys_fault = !*why;
    process->blamed = atomic_load_explicit(&slot->page->run, memory_order_relaxed);
    snprintf(process->why, sizeof process->why, "%s", why);
}

void slot_process_end(struct slot *slot)
{
    struct slot_process *process = &slot->process;
    if (process->state == SLOT_NONE)
        return;
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    close_all(process);
    process->state = SLOT_NONE;
}

void slot_process_read_stderr(struct slot *slot)
{
    struct slot_process *process = &slot->process;
    char bytes[8192];
    /* Bounded: what floods is read again in the next turn, and stopped by its total. */
    for (int turns = 0; process->stderr_fd >= 0 && turns < 16; turns++) {
        ssize_t got = read(process->stderr_fd, bytes, sizeof bytes);
        if (got == 0)
            sw_fd_close(&process->stderr_fd); /* leaves the epoll with it */
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            process->stderr_ring[process->stderr_total++ % SLOT_STDERR_MAX] = bytes[i];
    }
    if (process->stderr_total > SLOT_STDERR_FLOOD)
        slot_process_kill(slot, "wrote more than 1 MiB to standard error");
}

bool slot_process_reap(struct slot *slot, int *ret_status, uint64_t *ret_peak_bytes)
{
    struct slot_process *process = &slot->process;
    struct rusage usage;
    if (process->state == SLOT_NONE ||
        wait4(process->pid, ret_status, WNOHANG, &usage) != process->pid)
        return false;
    process->state = SLOT_DYING; /* the number may be another's from here on: no more signals */
    slot_receive(slot);          /* what it said before it died */
    slot_process_read_stderr(slot);
    *ret_peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    close_all(process);
    return true;
}

static int64_t cpu_ms(const struct slot_process *process)
{
    struct timespec t;
    if (clock_gettime(process->cpu_clock, &t) < 0)
        return 0; /* it has just died */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* RLIMIT_CPU counts over a process's life, and setting it anew for each tiny run would cost more
 * than the run; so the agent looks at the clock of the process. A run is seen up to SLOT_LOOK_MS
 * late and gets that much more. */
static void look_at_cpu(struct slot *slot)
{
    struct slot_process *process = &slot->process;
    uint64_t number = atomic_load_explicit(&slot->page->run, memory_order_relaxed);
    int64_t used = cpu_ms(process);
    if (number != process->watched_run) {
        process->watched_run = number;
        process->watched_cpu_ms = used;
    }
    for (size_t i = 0; i < slot->n_flight; i++) {
        const struct slot_flight *flight = slot_flight_at(slot, i);
        /* Number 0 or one that is not there: then the head is the one that should run. */
        if (flight->number != number && i + 1 < slot->n_flight)
            continue;
        if (flight->number != number)
            flight = slot_flight_at(slot, 0);
        if (!flight->run) {
            slot_process_kill(slot, ""); /* cancelled before it began */
            return;
        }
        int64_t limit = (int64_t)flight->run->cpu_seconds * 1000;
        if (limit && used - process->watched_cpu_ms > limit) {
            char why[SLOT_ERROR_MAX];
            snprintf(why, sizeof why, "used more than %u s of CPU", flight->run->cpu_seconds);
            slot_process_kill(slot, why);
        }
        return;
    }
}

void slot_process_look(struct slot *slot, int64_t now_ms)
{
    struct slot_process *process = &slot->process;
    if (process->state == SLOT_STARTING && now_ms - process->started_ms > SLOT_OPEN_MS)
        slot_process_kill(slot, "was not ready within 60 s");
    if (process->hung_up_ms && now_ms - process->hung_up_ms > SLOT_HANG_UP_MS)
        slot_process_kill(slot, "closed its connection to the agent");
    if (process->state != SLOT_SERVING || now_ms < process->look_ms)
        return;
    process->look_ms = now_ms + SLOT_LOOK_MS;
    if (slot->n_flight)
        look_at_cpu(slot);
}
