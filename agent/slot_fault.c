/* Signal handlers of the slot process that tell the agent what kills it: which system call was
 * forbidden, and whether the memory was used up. Then the signal does what it does. They call
 * nothing but system calls that the sandbox allows. */
#include "slot_child.h"

#include "sandbox.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t memory_limit;

static void tell(struct slot_fault_record fault)
{
    struct {
        struct slot_record record;
        struct slot_fault_record fault;
    } packet = {
        .record = {.type = SLOT_FAULT, .size = sizeof fault},
        .fault = fault,
    };
    slot_packet_send(SLOT_SOCKET, &packet, sizeof packet, -1, 0);
}

static void on_forbidden_call(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    tell((struct slot_fault_record){.forbidden_call = (uint64_t)info->si_syscall + 1});
    /* Inside this handler SIGSYS is blocked, so another forbidden call ends the process by it. */
    syscall(SYS_getppid);
    _exit(1);
}

static void on_crash(int signal)
{
    /* An allocation that failed is usually not far from the death; is there room now? */
    size_t probe = (size_t)(memory_limit / 8);
    void *p = probe ? mmap(NULL, probe, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
    tell((struct slot_fault_record){.no_memory = p == MAP_FAILED});
    raise(signal); /* the disposition is the default again */
}

void slot_fault_init(uint64_t memory_bytes)
{
    struct sigaction forbidden = {.sa_sigaction = on_forbidden_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &forbidden, NULL);
    if (SANDBOX_SANITIZED)
        return;                     /* their own reports say more */
    static uint8_t stack[64 << 10]; /* a crash may be a stack that is used up */
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    memory_limit = memory_bytes;
    struct sigaction crash = {
        .sa_handler = on_crash,
        .sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER,
    };
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
    for (size_t i = 0; i < SW_COUNT(signals); i++)
        sigaction(signals[i], &crash, NULL);
}
