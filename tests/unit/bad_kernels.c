/* Hostile kernels, linked into tests only: what a slot must survive, as a program that a file's
 * content chooses. Anything else than a known word is echoed. */
#include "bad_kernels.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile uint64_t never; /* keeps the compiler from seeing through what follows */

static void do_segv(void)
{
    *(volatile int *)(uintptr_t)never = 1; /* NOLINT: the point */
}

static void do_loop(void)
{
    while (!never)
        ;
}

static void do_allocate(void)
{
    for (;;)
        memset(sw_alloc(1, 1 << 20), 1, 1 << 20);
}

static void do_allocate_unchecked(void)
{
    for (;;) {
        volatile char *p = malloc(32 << 20);
        p[never] = 1; /* NOLINT: the point */
    }
}

static void do_recurse(void)
{
    volatile char frame[4096];
    frame[never] = 1;
    if (!never)
        do_recurse();
    never = (uint64_t)frame[0] & never; /* not a tail call */
}

static void do_fork(void)
{
    if (fork() == 0)
        _exit(0);
}

static void do_open(void)
{
    (void)open("/etc/passwd", O_RDONLY);
}

static void do_write_file(void)
{
    (void)open("/tmp/slot-was-here", O_WRONLY | O_CREAT, 0600);
}

static void do_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void do_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)connect(3, (struct sockaddr *)&to, sizeof to);
}

static void do_execve(void)
{
    (void)execl("/bin/true", "true", (char *)NULL);
}

static void do_ptrace(void)
{
    ptrace(PTRACE_ATTACH, 1, 0, 0);
}

static void do_kill(void)
{
    (void)kill(1, SIGTERM);
}

static void do_make_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_raise_limit(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
}

static void do_scribble(void)
{
    static const char noise[64] = "noise for every descriptor that might be somebody else's";
    for (int fd = 0; fd < 100; fd++) {
        ssize_t ignored = write(fd, noise, sizeof noise);
        (void)ignored;
    }
    do_loop();
}

static void do_shout(void)
{
    for (;;)
        fprintf(stderr, "a line of the flood, which has no end, %ju\n", (uintmax_t)never);
}

static void do_hang_up(void)
{
    close(3);
    do_loop();
}

static void do_abort(void)
{
    fprintf(stderr, "last words \x1b[31mof the kernel\n");
    abort();
}

static void do_exit(void)
{
    _exit(3);
}

static void do_exit_nicely(void)
{
    _exit(0);
}

static void do_killed(void)
{
    raise(SIGKILL);
}

static const struct {
    const char *word;
    void (*act)(void);
} acts[] = {
    {"segv", do_segv},
    {"loop", do_loop},
    {"allocate", do_allocate},
    {"allocate-unchecked", do_allocate_unchecked},
    {"recurse", do_recurse},
    {"fork", do_fork},
    {"open", do_open},
    {"write-file", do_write_file},
    {"socket", do_socket},
    {"connect", do_connect},
    {"execve", do_execve},
    {"ptrace", do_ptrace},
    {"kill", do_kill},
    {"make-code", do_make_code},
    {"raise-limit", do_raise_limit},
    {"scribble", do_scribble},
    {"shout", do_shout},
    {"hang-up", do_hang_up},
    {"abort", do_abort},
    {"exit", do_exit},
    {"exit-nicely", do_exit_nicely},
    {"killed", do_killed},
};

static int act_run(void *state,
                   const struct sw_segment *segment,
                   struct sw_reader *in,
                   struct sw_writer *out,
                   struct sw_err *ret_error)
{
    static uint8_t bytes[256 << 10];
    ssize_t got;
    bool first = true;
    (void)state;
    (void)segment;
    while ((got = in->read(in, bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; first && i < SW_COUNT(acts); i++)
            if ((size_t)got == strlen(acts[i].word) &&
                memcmp(acts[i].word, bytes, (size_t)got) == 0)
                acts[i].act();
        if (first && got > 6 && memcmp(bytes, "forge ", 6) == 0)
            bad_forge((char *)bytes); /* the buffer has zeros behind */
        if (first && got == 5 && memcmp(bytes, "error", 5) == 0) {
            out->write(out, "half", 4);
            return sw_fail(ret_error, EBADMSG, "a corrupt file \x1b[1m");
        }
        if (first && got == 6 && memcmp(bytes, "enomem", 6) == 0)
            return -ENOMEM;
        first = false;
        int r = out->write(out, bytes, (size_t)got);
        if (r < 0)
            return r;
    }
    return (int)got;
}

/* `grow`: a megabyte of output for each byte of input. */
static int grow_run(void *state,
                    const struct sw_segment *segment,
                    struct sw_reader *in,
                    struct sw_writer *out,
                    struct sw_err *ret_error)
{
    static uint8_t megabyte[1 << 20];
    uint8_t byte;
    ssize_t got;
    (void)state;
    (void)segment;
    (void)ret_error;
    while ((got = in->read(in, &byte, 1)) > 0) {
        memset(megabyte, byte, sizeof megabyte);
        int r = out->write(out, megabyte, sizeof megabyte);
        if (r < 0)
            return r;
    }
    return (int)got;
}

static int act_open(const struct sw_values *values, void **ret_state, struct sw_err *err)
{
    *ret_state = NULL;
    if (!values->v[0].present)
        return 0;
    if (strcmp(values->v[0].text, "crash") == 0)
        do_segv();
    return sw_fail(err, EINVAL, "will not open for '%s'", values->v[0].text);
}

static const struct sw_param act_params[] = {
    {.name = "open", .type = SW_PARAM_TEXT, .help = "how to fail at open"},
};

static const struct sw_kernel act = {
    .name = "act",
    .rev = 1,
    .params = act_params,
    .n_params = 1,
    .open = act_open,
    .run = act_run,
};
static const struct sw_kernel grow = {
    .name = "grow",
    .rev = 1,
    .params = act_params,
    .n_params = 1,
    .open = act_open,
    .run = grow_run,
};

const struct sw_kernel *const *bad_kernels(void)
{
    static const struct sw_kernel *list[16] = {&act, &grow};
    for (size_t i = 0; sw_kernels[i] && i + 3 < SW_COUNT(list); i++)
        list[i + 2] = sw_kernels[i];
    return list;
}
