/* The life of a slot process: runs taken back, the walls round it, its end with its agent. This
 * program is its own slot process. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include "agent/sandbox.h"
#include "base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Results do not wait for a long run behind them, and a run can be taken back in any state. */
static void test_cancel(void **state)
{
    struct rig rig;
    struct rig_chunk chunks[5] = {0};
    static const char *const texts[] = {"x", "loop", "y", "z", "error"};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (size_t i = 0; i < 5; i++) {
        rig_stream(&chunks[i].stream, &texts[i], 1, 0);
        rig_add(&rig, &chunks[i]);
    }
    assert_int_equal(slot_count(rig.slot), 5);
    slot_cancel(rig.slot, &chunks[4].run); /* not sent yet */
    rig_wait(&rig, 1); /* the loop has no CPU limit: only the alarm brings this */
    assert_true(chunks[0].ended);
    slot_cancel(rig.slot, &chunks[2].run); /* behind the running one */
    assert_int_equal(slot_count(rig.slot), 2);
    while (slot_progress(rig.slot, &chunks[1].run) == 0)
        rig_turn(&rig);
    slot_cancel(rig.slot, &chunks[1].run); /* the running one */
    rig_wait(&rig, 2);
    assert_true(chunks[3].ended && !chunks[1].ended && !chunks[2].ended && !chunks[4].ended);
    assert_string_equal((char *)chunks[3].output.data, "z");
    assert_int_equal(slot_count(rig.slot), 0);
    for (size_t i = 0; i < 5; i++)
        rig_chunk_done(&chunks[i]);
    rig_close(&rig);
}

/* One that is cancelled before it begins is not run to its end. */
static void test_cancel_early(void **state)
{
    struct rig rig;
    struct rig_chunk chunks[3] = {0};
    static const char *const texts[] = {"loop", "loop", "z"};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        chunks[i].run.cpu_seconds = i ? 0 : 1;
        rig_stream(&chunks[i].stream, &texts[i], 1, 0);
        rig_add(&rig, &chunks[i]);
    }
    while (slot_progress(rig.slot, &chunks[0].run) == 0)
        rig_turn(&rig);
    slot_cancel(rig.slot, &chunks[1].run);
    rig_wait(&rig, 2);
    assert_int_equal(chunks[0].end, SLOT_FAIL);
    assert_int_equal(chunks[2].end, SLOT_DONE);
    for (size_t i = 0; i < 3; i++)
        rig_chunk_done(&chunks[i]);
    rig_close(&rig);
}

static pid_t only_child(void)
{
    AUTO_BUF struct sw_buf text = {0};
    char name[64];
    snprintf(name, sizeof name, "/proc/self/task/%d/children", getpid());
    assert_int_equal(sw_file_read(AT_FDCWD, name, 4096, &text), 0);
    return (pid_t)strtol((char *)text.data, NULL, 10);
}

static void assert_status(pid_t pid, const char *line)
{
    AUTO_BUF struct sw_buf text = {0};
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/status", pid);
    assert_int_equal(sw_file_read(AT_FDCWD, name, 65536, &text), 0);
    assert_non_null(strstr((char *)text.data, line));
}

/* What the process is confined by, as the kernel sees it; the same setup keeps the same process. */
static void test_walls(void **state)
{
    struct rig rig;
    struct rig_chunk chunk = {0};
    struct rlimit limit;
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_run_text(&rig, &chunk, "x");
    rig_chunk_done(&chunk);
    pid_t pid = only_child();
    assert_status(pid, "NoNewPrivs:\t1\n");
    assert_status(pid, "Seccomp:\t2\n");
    assert_int_equal(sched_getscheduler(pid), SCHED_IDLE);
    assert_int_equal(getsid(pid), pid);
    assert_int_equal(prlimit(pid, RLIMIT_AS, NULL, &limit), 0);
    if (!SANDBOX_SANITIZED)
        assert_int_equal(limit.rlim_max, RIG_MEMORY);
    assert_int_equal(prlimit(pid, RLIMIT_NPROC, NULL, &limit), 0);
    assert_int_equal(limit.rlim_max, 0);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_run_text(&rig, &chunk, "x");
    rig_chunk_done(&chunk);
    assert_int_equal(only_child(), pid);
    /* an idle process that is killed is no one's failure */
    assert_int_equal(kill(pid, SIGKILL), 0);
    rig_run_text(&rig, &chunk, "x");
    assert_int_equal(chunk.end, SLOT_DONE);
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

/* The agent dies without a word: its slot process, in the middle of a loop, dies with it. */
static void test_parent_dies(void **state)
{
    int fds[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(fds), 0); /* inherited by nobody's exec: the slot keeps none */
    pid_t agent = fork();
    if (agent == 0) {
        struct rig rig;
        struct rig_chunk chunk = {0};
        const char *text = "loop";
        rig_open(&rig);
        rig_prepare(&rig, NULL, NULL, NULL);
        rig_stream(&chunk.stream, &text, 1, 0);
        rig_add(&rig, &chunk);
        while (slot_progress(rig.slot, &chunk.run) == 0)
            rig_turn(&rig);
        pid_t slot = only_child();
        if (write(fds[1], &slot, sizeof slot) != sizeof slot)
            _exit(1);
        raise(SIGKILL);
    }
    close(fds[1]);
    pid_t slot;
    assert_int_equal(read(fds[0], &slot, sizeof slot), sizeof slot);
    int pid_fd = pidfd_open(slot, 0);
    assert_int_equal(waitpid(agent, NULL, 0), agent);
    struct pollfd dead = {.fd = pid_fd, .events = POLLIN};
    if (pid_fd >= 0) /* else it is dead already */
        assert_int_equal(poll(&dead, 1, 20000), 1);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(pid_fd);
    close(fds[0]);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(bad_kernels());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_early),
        cmocka_unit_test(test_walls),
        cmocka_unit_test(test_parent_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
