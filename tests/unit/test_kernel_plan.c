/* sw_plan and sw_grain: cases as tables, then what must hold for any sizes at all. */
#include "kernels/kernel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KIB        ((uint64_t)1 << 10)
#define MIB        ((uint64_t)1 << 20)
#define MAX_PIECES ((size_t)1 << 20)

static const struct sw_split whole = {0};
static const struct sw_split lines = {.unit_bytes = 1, .lead = 1, .tail_bytes = 100};
static const struct sw_split tens = {.unit_bytes = 10};
static const struct sw_split frames = {.unit_bytes = 16 * MIB};
static const struct sw_split slow = {.unit_bytes = 16 * MIB, .unit_per_chunk = true};

static void test_grain(void **state)
{
    (void)state;
    assert_int_equal(sw_grain(0, 0), SW_GRAIN_MIN);
    assert_int_equal(sw_grain(128 * MIB, 4), MIB);
    assert_int_equal(sw_grain(128 * MIB, 16), MIB);
    assert_int_equal(sw_grain(128 * MIB, 32), MIB / 2);
    assert_int_equal(sw_grain(UINT64_MAX, 1), SW_GRAIN_MAX);
    assert_int_equal(sw_grain(UINT64_MAX, UINT32_MAX), SW_GRAIN_MAX);
}

/* A plan as text: "chunk:file@offset+size" with "-lead" and "~tail" where there are any. */
static void plan_text(const struct sw_piece *pieces, size_t n, struct sw_buf *ret_text)
{
    for (size_t i = 0; i < n; i++) {
        const struct sw_piece *p = &pieces[i];
        sw_buf_printf(ret_text, "%s%u:%u@%ju+%ju", i ? " " : "", p->chunk, p->file, p->offset,
                      p->size);
        if (p->lead)
            sw_buf_printf(ret_text, "-%u", p->lead);
        if (p->tail)
            sw_buf_printf(ret_text, "~%ju", p->tail);
    }
    sw_buf_put(ret_text, "", 0);
}

static void test_tables(void **state)
{
    (void)state;
    static const struct {
        const struct sw_split *split;
        uint64_t sizes[8];
        size_t n;
        uint64_t grain;
        uint32_t count;
        const char *text;
    } cases[] = {
        {&whole, {0}, 0, 10, 0, ""},
        {&whole, {0}, 0, 10, 3, ""},
        {&whole, {0}, 1, 10, 0, "0:0@0+0"},
        {&whole, {4, 6, 1, 25, 0}, 5, 10, 0, "0:0@0+4 0:1@0+6 1:2@0+1 2:3@0+25 3:4@0+0"},
        /* a file within the grain is not cut, a larger one is cut evenly */
        {&lines, {6, 6}, 2, 10, 0, "0:0@0+6 1:1@0+6"},
        {&lines, {21, 1}, 2, 10, 0, "0:0@0+7~14 1:0@7+7-1~7 2:0@14+7-1 2:1@0+1"},
        {&lines, {205}, 1, 103, 0, "0:0@0+103~100 1:0@103+102-1"},
        {&tens, {35}, 1, 1, 0, "0:0@0+10 1:0@10+10 2:0@20+10 3:0@30+5"},
        {&tens, {35}, 1, 25, 0, "0:0@0+20 1:0@20+15"},
        {&tens, {40}, 1, 25, 0, "0:0@0+20 1:0@20+20"},
        {&frames,
         {33 * MIB},
         1,
         MIB,
         0,
         "0:0@0+16777216 1:0@16777216+16777216 2:0@33554432+1048576"},
        {&frames, {33 * MIB}, 1, 64 * MIB, 0, "0:0@0+34603008"},
        {&slow, {17 * MIB, 1}, 2, 64 * MIB, 0, "0:0@0+16777216 1:0@16777216+1048576 1:1@0+1"},
        /* by count */
        {&whole, {1, 1, 1, 1, 1, 1}, 6, 0, 3, "0:0@0+1 0:1@0+1 1:2@0+1 1:3@0+1 2:4@0+1 2:5@0+1"},
        {&whole, {7, 6, 6, 8}, 4, 0, 2, "0:0@0+7 0:1@0+6 1:2@0+6 1:3@0+8"},
        {&lines, {7, 6, 6, 8}, 4, 0, 2, "0:0@0+7 0:1@0+6 1:2@0+6 1:3@0+8"},
        {&whole, {0, 0, 0, 0}, 4, 0, 2, "0:0@0+0 0:1@0+0 1:2@0+0 1:3@0+0"},
        {&whole, {5, 5}, 2, 0, 9, "0:0@0+5 1:1@0+5"},
        {&whole, {100, 1, 1, 1}, 4, 0, 2, "0:0@0+100 1:1@0+1 1:2@0+1 1:3@0+1"},
        {&lines, {99}, 1, 0, 2, "0:0@0+50~49 1:0@50+49-1"},
        {&lines, {3}, 1, 0, 9, "0:0@0+1~2 1:0@1+1-1~1 2:0@2+1-1"},
        {&tens, {99}, 1, 0, 2, "0:0@0+50 1:0@50+49"},
        {&tens, {9}, 1, 0, 3, "0:0@0+9"},
        {&slow, {32 * MIB}, 1, 0, 1, "0:0@0+33554432"},
    };
    for (size_t i = 0; i < SW_COUNT(cases); i++) {
        struct sw_piece *pieces = NULL;
        size_t n = 0;
        int r = sw_plan(cases[i].split, cases[i].sizes, cases[i].n, cases[i].grain, cases[i].count,
                        MAX_PIECES, &pieces, &n);
        assert_int_equal(r, 0);
        AUTO_BUF struct sw_buf text = {0};
        plan_text(pieces, n, &text);
        assert_string_equal((char *)text.data, cases[i].text);
        sw_release(pieces);
    }
}

static void test_fifty_texts_in_ten(void **state)
{
    (void)state;
    uint64_t sizes[50];
    for (size_t i = 0; i < 50; i++)
        sizes[i] = i < 9 ? 6 : 7; /* "item 1" to "item 50" */
    struct sw_piece *pieces = NULL;
    size_t n = 0;
    assert_int_equal(sw_plan(&lines, sizes, 50, 0, 10, MAX_PIECES, &pieces, &n), 0);
    assert_int_equal(n, 50);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pieces[i].chunk, i / 5);
    sw_release(pieces);
}

static void test_limits(void **state)
{
    (void)state;
    static uint64_t empty[5000];
    struct sw_piece *pieces = NULL;
    size_t n = 0;
    assert_int_equal(sw_plan(&whole, empty, 5000, 1, 0, 5000, &pieces, &n), 0);
    assert_int_equal(pieces[n - 1].chunk, 4);
    sw_release(pieces);
    assert_int_equal(sw_plan(&whole, empty, 5000, 1, 1, 5000, &pieces, &n), 0);
    assert_int_equal(pieces[n - 1].chunk, 4);
    sw_release(TAKE(pieces));
    assert_int_equal(sw_plan(&whole, empty, 5000, 1, 0, 4999, &pieces, &n), -EOVERFLOW);
    uint64_t large = INT64_MAX;
    assert_int_equal(sw_plan(&lines, &large, 1, 1, 0, 1000, &pieces, &n), -EOVERFLOW);
    assert_int_equal(sw_plan(&lines, &large, 1, 0, UINT32_MAX, 1000, &pieces, &n), -EOVERFLOW);
    uint64_t two[2] = {INT64_MAX - 5, 10};
    assert_int_equal(sw_plan(&whole, two, 2, 0, 2, 1000, &pieces, &n), -EOVERFLOW);
    assert_null(pieces);
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Every byte is in exactly one piece, in order; cuts are at units; chunks have no gaps and keep
 * their limit. */
static void check_plan(const struct sw_split *split,
                       const uint64_t *sizes,
                       size_t n_files,
                       const struct sw_piece *pieces,
                       size_t n)
{
    uint64_t end = 0;
    uint32_t file = 0, chunk = 0, in_chunk = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sw_piece *p = &pieces[i];
        if (p->file != file) {
            assert_int_equal(end, sizes[file]);
            assert_int_equal(p->file, file + 1);
            file++;
            end = 0;
        }
        assert_int_equal(p->offset, end);
        assert_true(p->size > 0 || sizes[file] == 0);
        end += p->size;
        assert_true(end <= sizes[file]);
        assert_true(end == sizes[file] || (split->unit_bytes && end % split->unit_bytes == 0));
        assert_int_equal(p->lead, p->offset ? split->lead : 0);
        assert_int_equal(p->tail, SW_MIN(split->tail_bytes, sizes[file] - end));
        in_chunk = p->chunk == chunk ? in_chunk + 1 : 1;
        assert_true(p->chunk == chunk || p->chunk == chunk + 1);
        assert_true(in_chunk <= SW_CHUNK_FILES_MAX);
        chunk = p->chunk;
    }
    assert_int_equal(file + 1, n_files);
    assert_int_equal(end, sizes[file]);
}

static void check_chunks(const struct sw_split *split,
                         const struct sw_piece *pieces,
                         size_t n,
                         uint64_t grain,
                         uint32_t count)
{
    if (count && n <= SW_CHUNK_FILES_MAX)
        assert_true(pieces[n - 1].chunk < count);
    for (size_t i = 0; !count && i < n;) {
        uint64_t bytes = 0;
        size_t first = i;
        for (; i < n && pieces[i].chunk == pieces[first].chunk; i++)
            bytes += pieces[i].size;
        bool one = i == first + 1 && (!split->unit_bytes || bytes <= split->unit_bytes);
        assert_true(bytes <= grain || one || pieces[first].size <= split->unit_bytes);
    }
}

static void test_any_sizes(void **state)
{
    (void)state;
    static const struct sw_split *const splits[] = {&whole, &lines, &tens, &frames, &slow};
    uint64_t seed = 42;
    static uint64_t sizes[3000];
    for (int round = 0; round < 3000; round++) {
        const struct sw_split *split = splits[next(&seed) % SW_COUNT(splits)];
        size_t n_files = 1 + next(&seed) % (round % 100 ? 20 : SW_COUNT(sizes));
        uint64_t most = (uint64_t)1 << next(&seed) % (split->unit_bytes >= MIB ? 34 : 11);
        for (size_t i = 0; i < n_files; i++)
            sizes[i] = next(&seed) % 4 ? next(&seed) % most : 0;
        uint64_t grain = 1 + next(&seed) % (2 * most);
        if (split->unit_bytes >= MIB)
            grain = SW_MAX(grain, 256 * KIB);
        uint32_t count = next(&seed) % 2 ? 1 + (uint32_t)(next(&seed) % 40) : 0;
        struct sw_piece *pieces = NULL;
        size_t n = 0;
        int r = sw_plan(split, sizes, n_files, grain, count, MAX_PIECES * 8, &pieces, &n);
        assert_int_equal(r, 0);
        check_plan(split, sizes, n_files, pieces, n);
        check_chunks(split, pieces, n, grain, count);
        sw_release(pieces);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grain),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_fifty_texts_in_ten),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_any_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
