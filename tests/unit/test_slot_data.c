/* Bytes in and out of slots by descriptor: memfds, pipes, parts, tails, and inputs that are not
 * what they say. This program is its own slot process. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
    assert_true(after.ru_maxrss < 128 << 10);
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

/* Every prefix and every flipped byte of a head, and more: never a crash, never a hang. */
static void test_malformed(void **state)
{
    static const char *const texts[] = {"first", "second one"};
    struct rig rig;
    AUTO_BUF struct sw_buf good = {0};
    uint32_t n = 0, refused = 0;
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_stream(&good, texts, 2, 0);
    for (size_t i = 0; i < good.size * 9; i++) {
        struct rig_chunk chunk = {0};
        sw_buf_put(&chunk.stream, good.data, i < good.size ? i : good.size);
        if (i >= good.size)
            chunk.stream.data[(i - good.size) / 8] ^= (uint8_t)(1 << (i - good.size) % 8);
        if (chunk.stream.size == 0)
            chunk.run.input_fd = -1;
        rig_add(&rig, &chunk);
        rig_wait(&rig, ++n);
        assert_true(chunk.end == SLOT_DONE || chunk.end == SLOT_FAIL);
        refused += chunk.end == SLOT_FAIL;
        if (chunk.end == SLOT_FAIL)
            assert_string_equal(chunk.reason,
                                "its input is malformed or shorter than its head says");
        rig_chunk_done(&chunk);
    }
    assert_true(refused >= good.size);
    rig_close(&rig);
}

static void test_tail(void **state)
{
    static const char text[] = "the owned bytes,";
    static const char tail[] = " and then those of the tail, a few at a time";
    struct rig rig;
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (size_t step = 1; step <= sizeof tail; step++) {
        const char *texts[] = {text};
        struct rig_chunk chunk = {.tail = tail, .tail_size = sizeof tail - 1, .tail_step = step};
        rig_stream(&chunk.stream, texts, 1, sizeof tail - 1);
        size_t handed_over = chunk.stream.size;
        bool some_more = step % 2; /* bytes behind the owned ones come with the input */
        if (some_more) {
            sw_buf_put(&chunk.stream, tail, 5);
            chunk.tail += 5;
            chunk.tail_size -= 5;
        }
        rig_add(&rig, &chunk);
        rig_wait(&rig, (uint32_t)step);
        assert_int_equal(chunk.end, SLOT_DONE);
        assert_int_equal(chunk.output.size, sizeof text - 1 + sizeof tail - 1);
        assert_memory_equal(chunk.output.data + sizeof text - 1, tail, sizeof tail - 1);
        assert_int_equal(chunk.tail_begins, handed_over + (some_more ? 5 : 0));
        rig_chunk_done(&chunk);
    }
    rig_close(&rig);
}

/* A tail that ends before the head says: the caller's 0 is the end. And one that no kernel reads is
 * not asked for. */
static void test_tail_ends(void **state)
{
    struct rig rig;
    const char *texts[] = {"owned"};
    struct rig_chunk chunk = {.tail = "tail", .tail_size = 4, .tail_step = 3};
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_stream(&chunk.stream, texts, 1, 1000);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 1);
    assert_string_equal((char *)chunk.output.data, "ownedtail");
    rig_chunk_done(&chunk);
    rig_prepare(&rig, "filter", "pattern", "w");
    chunk = (struct rig_chunk){.tail_step = 1};
    texts[0] = "two\nlines\n";
    rig_stream(&chunk.stream, texts, 1, 1000);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 2);
    assert_string_equal((char *)chunk.output.data, "two\n");
    assert_int_equal(chunk.n_questions, 0);
    rig_chunk_done(&chunk);
    rig_close(&rig);
}

/* A large tail, in slices that are larger than a packet. */
static void test_tail_large(void **state)
{
    struct rig rig;
    AUTO_BUF struct sw_buf tail = {0};
    struct rig_chunk chunk = {.tail_step = SLOT_TAIL_MAX};
    const char *texts[] = {"x"};
    (void)state;
    fill(&tail, 3000001);
    chunk.tail = (char *)tail.data;
    chunk.tail_size = tail.size;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    rig_stream(&chunk.stream, texts, 1, tail.size);
    rig_add(&rig, &chunk);
    rig_wait(&rig, 1);
    assert_int_equal(chunk.end, SLOT_DONE);
    assert_int_equal(chunk.output.size, tail.size + 1);
    assert_memory_equal(chunk.output.data + 1, tail.data, tail.size);
    assert_int_equal(chunk.n_questions, (tail.size + SLOT_TAIL_MAX - 1) / SLOT_TAIL_MAX);
    rig_chunk_done(&chunk);
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
        cmocka_unit_test(test_cut_off),    cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_tail),       cmocka_unit_test(test_tail_ends),
        cmocka_unit_test(test_tail_large), cmocka_unit_test(test_parts_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
