/* Resource limits and the seccomp allow-list of a slot process (threat T6 of the reliability
 * reference). Called by slot_child.c before and after the kernel opens; never by the agent itself,
 * except for the names of system calls. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 32 /* standard ones, socket, inputs sent ahead, one output */

static int
set_limit(__rlimit_resource_t which, uint64_t value, const char *what, struct sw_err *err)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    if (setrlimit(which, &limit) < 0)
        return sw_fail(err, errno, "cannot limit %s: %s", what, strerror(errno));
    return 0;
}

int sandbox_limits(int last_fd, uint64_t memory_bytes, uint64_t file_bytes, struct sw_err *err)
{
    struct sched_param idle = {0};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0) < 0)
        return sw_fail(err, errno, "prctl: %s", strerror(errno));
    if (close_range((unsigned)last_fd + 1, ~0U, 0) < 0)
        return sw_fail(err, errno, "cannot close descriptors: %s", strerror(errno));
    if (sched_setscheduler(0, SCHED_IDLE, &idle) < 0 && errno != EPERM && errno != ENOSYS)
        return sw_fail(err, errno, "SCHED_IDLE: %s", strerror(errno)); /* EPERM: a unit's filter */
    int r = set_limit(RLIMIT_CORE, 0, "core dumps", err);
    if (r == 0)
        r = set_limit(RLIMIT_NPROC, 0, "processes", err);
    if (r == 0)
        r = set_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX, "descriptors", err);
    if (r == 0)
        r = set_limit(RLIMIT_FSIZE, file_bytes, "file size", err);
    if (r == 0)
        r = set_limit(RLIMIT_MEMLOCK, 0, "locked memory", err);
    if (r == 0 && memory_bytes && !SANDBOX_SANITIZED)
        r = set_limit(RLIMIT_AS, memory_bytes, "memory", err);
    return r;
}

/* Allowed whatever their arguments: they reach nothing beyond the process and what it was given. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(setitimer),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* What a sanitizer's report needs; such builds look for our own bugs and guard nothing. */
static const int allowed_sanitized[] = {
    SCMP_SYS(sigaltstack), SCMP_SYS(readlink), SCMP_SYS(getrusage), SCMP_SYS(rt_sigaction),
    SCMP_SYS(newfstatat),  SCMP_SYS(futex),    SCMP_SYS(getcwd),    SCMP_SYS(ioctl),
};

static int add_conditional(scmp_filter_ctx filter)
{
    const scmp_datum_t exec = PROT_EXEC;
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0));
    if (r == 0) /* raise() and abort(): signals to itself only */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (r == 0 &&
        !SANDBOX_SANITIZED) /* pthread_once wakes waiters that cannot exist; nothing waits */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, FUTEX_CMD_MASK & 0x7f, FUTEX_WAKE));
    if (r == 0 && SANDBOX_SANITIZED)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT, O_RDONLY));
    /* Buffered stdio asks once; the answer "not a terminal" is right. */
    if (r == 0 && !SANDBOX_SANITIZED)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0);
    return r;
}

static int fill(scmp_filter_ctx filter)
{
    int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: fewer steps a call */
    for (size_t i = 0; r == 0 && i < SW_COUNT(allowed); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; r == 0 && SANDBOX_SANITIZED && i < SW_COUNT(allowed_sanitized); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_sanitized[i], 0);
    if (r == 0)
        r = add_conditional(filter);
    return r;
}

int sandbox_close(struct sw_err *err)
{
    /* TRAP and not KILL: the call does not happen either way, and the handler can name it. A
     * process that has blocked or ignored SIGSYS is killed by the kernel. */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (!filter)
        return sw_fail(err, ENOMEM, "seccomp_init failed");
    int r = fill(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    if (r < 0)
        return sw_fail(err, -r, "seccomp filter: %s", strerror(-r));
    return 0;
}

void sandbox_call_name(uint64_t number, char *ret_name, size_t room)
{
    char *name = NULL;
    if (number <= INT32_MAX)
        name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
    snprintf(ret_name, room, "%s", name ? name : "");
    free(name);
}
