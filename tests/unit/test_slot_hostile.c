/* Slots whose kernels do their worst: each ends as a FAIL with the right reason, the next run
 * works, and nothing is left behind. SHADOW_LONG makes the sweep 10,000 deaths long instead of a
 * fixed time. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include "agent/sandbox.h"
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SWEEP_ALL 10000
#define SWEEP_MS  15000

#define FORBIDDEN(call) "killed by SIGSYS: the system call " call " is forbidden"
#define USED_UP         ": its 256 MiB of memory were used up"

static const struct {
    const char *word;
    const char *reason;
    const char *last_words; /* found in its standard error */
    bool slow;              /* not in the sweep */
    bool plain_only;        /* a sanitizer build has other walls, or none */
} cases[] = {
    {.word = "segv", .reason = "killed by SIGSEGV", .plain_only = true},
    {.word = "abort",
     .reason = "killed by SIGABRT",
     .last_words = "last words ?[31mof the kernel\n"},
    {.word = "exit", .reason = "exited with status 3"},
    {.word = "exit-nicely", .reason = "exited with status 0"},
    {.word = "loop", .reason = "used more than 1 s of CPU", .slow = true},
    {.word = "allocate", .reason = "killed by SIGABRT" USED_UP, .slow = true, .plain_only = true},
    {.word = "allocate-unchecked", .reason = "killed by SIGSEGV" USED_UP, .plain_only = true},
    {.word = "recurse", .reason = "killed by SIGSEGV", .plain_only = true},
    {.word = "fork", .reason = FORBIDDEN("clone")},
    {.word = "open", .reason = FORBIDDEN("openat"), .plain_only = true},
    {.word = "write-file", .reason = FORBIDDEN("openat")},
    {.word = "socket", .reason = FORBIDDEN("socket")},
    {.word = "connect", .reason = FORBIDDEN("connect")},
    {.word = "execve", .reason = FORBIDDEN("execve")},
    {.word = "ptrace", .reason = FORBIDDEN("ptrace")},
    {.word = "kill", .reason = FORBIDDEN("kill")},
    {.word = "killed", .reason = "killed by SIGKILL"},
    {.word = "make-code", .reason = FORBIDDEN("mmap")},
    {.word = "raise-limit", .reason = FORBIDDEN("prlimit64"), .plain_only = true},
    {.word = "scribble", .reason = "broke the rules of slot processes"},
    {.word = "shout",
     .reason = "wrote more than 1 MiB to standard error",
     .last_words = "a line of the flood",
     .slow = true},
    {.word = "hang-up", .reason = "closed its connection to the agent", .slow = true},
    {.word = "enomem", .reason = "act: Cannot allocate memory"},
};

static bool applies(size_t i)
{
    return !(cases[i].plain_only && SANDBOX_SANITIZED);
}

static void run_case(struct rig *rig, size_t i)
{
    struct rig_chunk chunk = {.run.cpu_seconds = 1};
    rig_run_text(rig, &chunk, cases[i].word);
    if (strcmp(chunk.reason, cases[i].reason) != 0)
        print_error("%s: %s\n%s\n", cases[i].word, chunk.reason, chunk.stderr_tail);
    assert_int_equal(chunk.end, SLOT_FAIL);
    assert_string_equal(chunk.reason, cases[i].reason);
    if (cases[i].last_words)
        assert_non_null(strstr(chunk.stderr_tail, cases[i].last_words));
    assert_true(strlen(chunk.stderr_tail) <= SLOT_STDERR_MAX);
    rig_chunk_done(&chunk);
}

static void assert_works(struct rig *rig)
{
    struct rig_chunk chunk = {0};
    rig_run_text(rig, &chunk, "hello");
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_string_equal((char *)chunk.output.data, "hello");
    rig_chunk_done(&chunk);
}

static void assert_no_children(void)
{
    int status;
    assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_each(void **state)
{
    struct rig rig;
    (void)state;
    size_t before = rig_open_descriptors();
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (size_t i = 0; i < SW_COUNT(cases); i++) {
        if (!applies(i))
            continue;
        run_case(&rig, i);
        assert_works(&rig);
    }
    rig_close(&rig);
    assert_int_equal(rig_open_descriptors(), before);
    assert_no_children();
}

/* The guilty one among many in flight: it alone fails, whatever was before and behind it. */
static void test_among_others(void **state)
{
    enum { N = 600, EVERY = 97 };
    struct rig rig;
    struct rig_chunk *chunks = calloc(N, sizeof *chunks);
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (int i = 0; i < N; i++) {
        char text[32];
        const char *p = text;
        snprintf(text, sizeof text, "number %d", i);
        if (i % EVERY == 5)
            p = "exit";
        rig_stream(&chunks[i].stream, &p, 1, 0);
        rig_add(&rig, &chunks[i]);
    }
    rig_wait(&rig, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(chunks[i].end, i % EVERY == 5 ? SLOT_FAIL : SLOT_DONE);
        rig_chunk_done(&chunks[i]);
    }
    free(chunks);
    rig_close(&rig);
}

static void test_isolated(void **state)
{
    static const char *const texts[] = {"one", "segv", "two", "error", "fork", "three", "exit"};
    struct rig rig;
    struct rig_chunk chunk = {.run.isolated = true, .run.cpu_seconds = 5};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_stream(&chunk.stream, texts, SW_COUNT(texts), 0);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 1);
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_string_equal((char *)chunk.output.data, "onetwothree");
    assert_int_equal(chunk.n_segments, SW_COUNT(texts));
    assert_string_equal(chunk.segments[0].error, "");
    if (!SANDBOX_SANITIZED)
        assert_string_equal(chunk.segments[1].error, "killed by SIGSEGV");
    assert_string_equal(chunk.segments[3].error, "a corrupt file ?[1m");
    assert_string_equal(chunk.segments[4].error, FORBIDDEN("clone"));
    assert_string_equal(chunk.segments[6].error, "exited with status 3");
    assert_int_equal(chunk.segments[5].length, 5);
    assert_int_equal(chunk.segments[6].length, 0);
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

static void test_not_isolated(void **state)
{
    static const char *const texts[] = {"one", "exit", "two"};
    struct rig rig;
    struct rig_chunk chunk = {0};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_stream(&chunk.stream, texts, SW_COUNT(texts), 0);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 1);
    assert_int_equal(chunk.end, SLOT_FAIL);
    assert_string_equal(chunk.reason, "exited with status 3");
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

/* Deaths without end: descriptors stay the same, children are reaped. */
static void test_sweep(void **state)
{
    struct rig rig;
    size_t done = 0;
    (void)state;
    bool all = getenv("SHADOW_LONG") != NULL;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    assert_works(&rig);
    size_t before = rig_open_descriptors();
    int64_t until = sw_boot_ms() + SWEEP_MS;
    while (done < SWEEP_ALL && (all || sw_boot_ms() < until)) {
        size_t i = done++ % SW_COUNT(cases);
        if (!cases[i].slow && applies(i))
            run_case(&rig, i);
    }
    assert_works(&rig);
    assert_int_equal(rig_open_descriptors(), before);
    print_message("# covered: slot deaths %zu of %d\n", done, SWEEP_ALL);
    rig_close(&rig);
    assert_no_children();
}

/* A process that forges what it says about itself: any end is right, but the agent lives and goes
 * on. */
static void test_forged(void **state)
{
    enum { ALL = 20000, BUDGET_MS = 8000 };
    struct rig rig;
    uint32_t n = 0;
    (void)state;
    bool all = getenv("SHADOW_LONG") != NULL;
    int64_t until = sw_boot_ms() + BUDGET_MS;
    while (n < ALL && (all || sw_boot_ms() < until)) {
        rig_open(&rig); /* a new one each time: run numbers begin at 1 */
        rig.only_count = true;
        rig_prepare(&rig, NULL, NULL, NULL);
        struct rig_chunk chunk = {.run.cpu_seconds = 1, .tail = "tail", .tail_size = 4};
        char text[64];
        const char *texts[2] = {text, "more"};
        snprintf(text, sizeof text, "forge %u 1", n);
        chunk.run.isolated = n++ % 4 == 0;
        rig_stream(&chunk.stream, texts, 2, 4);
        rig_add(&rig, &chunk);
        rig_wait(&rig, 1);
        rig_chunk_done(&chunk);
        assert_works(&rig);
        rig_close(&rig);
    }
    print_message("# covered: forged records %u of %d\n", n, ALL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(bad_kernels());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),     cmocka_unit_test(test_among_others),
        cmocka_unit_test(test_isolated), cmocka_unit_test(test_not_isolated),
        cmocka_unit_test(test_sweep),    cmocka_unit_test(test_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
