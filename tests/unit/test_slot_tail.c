/* The edges of a slot's input: heads that are none, tails on demand. This program is its own slot
 * process. */
#include "bad_kernels.h"
#include "slot_rig.h"

#include "base/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct sw_buf *ret, size_t n)
{
    uint8_t *p = sw_buf_reserve(ret, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 2654435761U >> 13);
    ret->size += n;
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

/* Heads that are well-formed msgpack and make no sense: mode, mtime, file size, offset, size, lead,
 * tail of the first of two files. */
static void test_senseless(void **state)
{
    static const struct {
        const char *name;
        size_t name_size;
        uint64_t field[7];
        bool good;
    } cases[] = {
        {"fine", 4, {0644, 0, 100, 50, 4, 0, 0}, true},
        {"any\nbytes\xff", 10, {0644, 0, 4, 0, 4, 0, 0}, true},
        {"a\0b", 3, {0644, 0, 4, 0, 4, 0, 0}, false},
        {"mode", 4, {1ULL << 32, 0, 4, 0, 4, 0, 0}, false},
        {"mtime", 5, {0644, UINT64_MAX, 4, 0, 4, 0, 0}, false},
        {"size", 4, {0644, 0, 3, 0, 4, 0, 0}, false},
        {"huge", 4, {0644, 0, UINT64_MAX, 0, 4, 0, 0}, false},
        {"offset", 6, {0644, 0, 100, 97, 4, 0, 0}, false},
        {"offset", 6, {0644, 0, 100, UINT64_MAX, 4, 0, 0}, false},
        {"lead", 4, {0644, 0, 100, 0, 4, 1, 0}, false},
        {"lead", 4, {0644, 0, 100, 50, 3, 1, 0}, true},
        {"lead", 4, {0644, 0, 100, 50, 2, 2, 0}, false},
        {"tail", 4, {0644, 0, 100, 0, 4, 0, 1}, false}, /* not the last file */
        {"short", 5, {0644, 0, 100, 0, 50, 0, 0}, false},
    };
    struct rig rig;
    (void)state;
    rig_open(&rig);
    rig_prepare(&rig, NULL, NULL, NULL);
    for (uint32_t i = 0; i < SW_COUNT(cases); i++) {
        struct rig_chunk chunk = {0};
        static const uint64_t second[] = {0644, 0, 4, 0, 4, 0, 0};
        sw_pack_array(&chunk.stream, 2);
        for (size_t k = 0; k < 2; k++) {
            sw_pack_array(&chunk.stream, 8);
            sw_pack_bytes(&chunk.stream, k ? "b" : cases[i].name, k ? 1 : cases[i].name_size);
            for (size_t f = 0; f < 7; f++)
                sw_pack_u64(&chunk.stream, (k ? second : cases[i].field)[f]);
        }
        sw_buf_text(&chunk.stream, "aaaabbbb");
        rig_add(&rig, &chunk);
        rig_wait(&rig, i + 1);
        if ((chunk.end == SLOT_DONE) != cases[i].good)
            print_error("case %u (%s): %s\n", i, cases[i].name, chunk.reason);
        assert_int_equal(chunk.end, cases[i].good ? SLOT_DONE : SLOT_FAIL);
        rig_chunk_done(&chunk);
    }
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

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(bad_kernels());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),  cmocka_unit_test(test_senseless),
        cmocka_unit_test(test_tail),       cmocka_unit_test(test_tail_ends),
        cmocka_unit_test(test_tail_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
