/* Bytes in and out of slots by descriptor: memfds, pipes, parts, tails, and inputs that are not
 * what they say. This program is its own slot process. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include "agent/sandbox.h"
#include "base/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG ((size_t)40 << 20) /* three parts */

static void fill(struct sw_buf *ret, size_t n)
{
    uint8_t *p = sw_buf_reserve(ret, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 2654435761U >> 13);
    ret->size += n;
}

static int memfd_of(const struct sw_buf *bytes)
{
    int fd = slot_memfd("test");
    assert_true(fd >= 0);
    assert_int_equal(sw_write_all(fd, bytes->data, bytes->size), 0);
    return fd;
}

/* The same 40 MiB as a memfd, as a large inline input and through isolation. */
static void test_large(void **state)
{
    struct rig rig;
    AUTO_BUF struct sw_buf stream = {0};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_head(&stream, BIG, 0);
    size_t head = stream.size;
    fill(&stream, BIG);
    for (int way = 0; way < 3; way++) {
        struct rig_chunk chunk = {.run.input_fd = -1, .run.isolated = way == 2};
        if (way == 0) {
            chunk.run.input_fd = memfd_of(&stream);
        } else {
            chunk.run.input = stream.data;
            chunk.run.input_size = stream.size;
        }
        rig_add(&rig, &chunk);
        rig_wait(&rig, (uint32_t)way + 1);
        assert_int_equal(chunk.end, SLOT_DONE);
        assert_int_equal(chunk.output_total, BIG);
        assert_int_equal(chunk.output.size, BIG);
        assert_memory_equal(chunk.output.data, stream.data + head, BIG);
        assert_int_equal(chunk.segments[0].length, BIG);
        assert_true(chunk.n_parts >= 2);
        assert_int_equal(chunk.run.input_fd, -1);
        rig_chunk_done(&chunk);
    }
    rig_close(&rig);
}

struct feeder {
    int fd;
    size_t head_size;
    const uint8_t *head;
    uint64_t size;
    pthread_t thread;
};

static void *feed(void *arg)
{
    struct feeder *feeder = arg;
    static uint8_t zeros[1 << 20];
    int r = sw_write_all(feeder->fd, feeder->head, feeder->head_size);
    for (uint64_t left = feeder->size; r == 0 && left;) {
        size_t n = (size_t)SW_MIN(left, (uint64_t)sizeof zeros);
        r = sw_write_all(feeder->fd, zeros, n);
        left -= n;
    }
    close(feeder->fd);
    return NULL;
}

static void feed_pipe(struct feeder *feeder, const struct sw_buf *head, uint64_t size, int *ret_fd)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    *feeder =
        (struct feeder){.fd = fds[1], .head = head->data, .head_size = head->size, .size = size};
    assert_int_equal(pthread_create(&feeder->thread, NULL, feed, feeder), 0);
    *ret_fd = fds[0];
}

/* 1 GiB through a pipe, in and out, and neither process grows. */
static void test_streamed(void **state)
{
    const uint64_t size = (uint64_t)1 << 30;
    struct rig rig;
    struct feeder feeder;
    struct rig_chunk chunk = {.run.cpu_seconds = 100};
    AUTO_BUF struct sw_buf head = {0};
    struct rusage before, after;
    (void)state;
    rig_open(&rig);
    rig.only_count = true;
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_head(&head, size, 0);
    feed_pipe(&feeder, &head, size, &chunk.run.input_fd);
    getrusage(RUSAGE_SELF, &before);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 1);
    getrusage(RUSAGE_SELF, &after);
    pthread_join(feeder.thread, NULL);
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_int_equal(chunk.output_total, size);
    assert_int_equal(chunk.segments[0].length, size);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10);
    rig_chunk_done(&chunk);
    rig_close(&rig);
    getrusage(RUSAGE_CHILDREN, &after);
    assert_true(after.ru_maxrss < (SANDBOX_SANITIZED ? 512 : 128) << 10);
}

static void test_cut_off(void **state)
{
    struct rig rig;
    struct feeder feeder;
    struct rig_chunk chunk = {0};
    AUTO_BUF struct sw_buf head = {0};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_head(&head, 1000000, 0);
    feed_pipe(&feeder, &head, 999999, &chunk.run.input_fd);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 1);
    pthread_join(feeder.thread, NULL);
    assert_int_equal(chunk.end, SLOT_RETURN); /* the link's fault */
    assert_string_equal(chunk.reason, "its input was cut off: Broken pipe");
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

/* An isolated run from a pipe: the guilty last file costs itself, one before it the run (the files
 * behind are gone with the pipe). */
static void test_isolated_pipe(void **state)
{
    static const char *const texts[2][2] = {{"fine", "exit"}, {"exit", "fine"}};
    struct rig rig;
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        AUTO_BUF struct sw_buf stream = {0};
        struct feeder feeder;
        struct rig_chunk chunk = {.run.isolated = true};
        rig_stream(&stream, texts[i], 2, 0);
        feed_pipe(&feeder, &stream, 0, &chunk.run.input_fd);
        rig_add(&rig, &chunk);
        rig_wait(&rig, i + 1);
        pthread_join(feeder.thread, NULL);
        assert_int_equal(chunk.end, i == 0 ? SLOT_DONE : SLOT_FAIL);
        if (i == 0) {
            assert_string_equal((char *)chunk.output.data, "fine");
            assert_string_equal(chunk.segments[1].error, "exited with status 3");
        }
        rig_chunk_done(&chunk);
    }
    rig_close(&rig);
}

/* A large output waits while its parts are held, and goes on when one is given back. */
static void test_parts_held(void **state)
{
    char text[101];
    const char *texts[] = {text};
    struct rig rig;
    struct rig_chunk chunk = {0};
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0; /* 100 MiB: 7 parts, the last one small */
    rig_open(&rig);
    rig.only_count = true;
    rig.keep_parts = true;
    rig_prepare(&rig, "grow", NULL, NULL);
    rig_stream(&chunk.stream, texts, 1, 0);
    rig_add(&rig, &chunk);
    while (chunk.n_parts < SLOT_PARTS_MAX)
        rig_turn(&rig);
    for (int i = 0; i < 3; i++)
        rig_turn(&rig); /* nothing comes; each turn waits for the CPU watch */
    assert_int_equal(chunk.n_parts, SLOT_PARTS_MAX);
    assert_false(chunk.ended);
    slot_part_done(rig.slot, &chunk.run);
    while (chunk.n_parts == SLOT_PARTS_MAX)
        rig_turn(&rig);
    rig.keep_parts = false;
    for (int i = 0; i < SLOT_PARTS_MAX; i++)
        slot_part_done(rig.slot, &chunk.run);
    rig_wait(&rig, 1);
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_int_equal(chunk.output_total, (uint64_t)100 << 20);
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(bad_kernels());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),      cmocka_unit_test(test_streamed),
        cmocka_unit_test(test_cut_off),    cmocka_unit_test(test_isolated_pipe),
        cmocka_unit_test(test_parts_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
