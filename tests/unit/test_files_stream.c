/* Streams: by any offsets they are the same bytes, gathered from parts, leads and tails. */
#include "files_test.h"

#include "base/pack.h"
#include "files/output.h"
#include "files/stream.h"
#include "files/sums.h"

#define MIB ((size_t)1 << 20)

static void write_part(const char *name, size_t n, uint64_t from)
{
    char sum_name[32];
    uint8_t *p = malloc(n + 1);
    fill(p, n, from);
    write_file(name, p, n);
    snprintf(sum_name, sizeof sum_name, "%s.sum", name);
    int fd = open_file(name), sum_fd = open_file(sum_name);
    assert_int_equal(sw_sums_make(fd, sum_fd), 0);
    close(fd);
    close(sum_fd);
    free(p);
}

/* Five files in two parts: part 0 holds pattern bytes from 0, part 1 from 10,000,000. */
static const struct sw_entry entries[] = {
    {.name = "zero", .name_size = 4, .size = 0, .reason = ""},
    {.name = "one", .name_size = 3, .size = 3 * MIB, .offset = 512, .mode = 0644, .reason = ""},
    {.name = "two", .name_size = 3, .size = 1000, .part = 1, .mtime = 77, .reason = ""},
    {.name = "three", .name_size = 5, .state = SW_ENTRY_SKIPPED, .reason = "a symbolic link"},
    {.name = "four", .name_size = 4, .size = 5000, .part = 1, .offset = 1000, .reason = ""},
};
static const struct sw_plan_piece chunk[] = {
    {.entry = 0},
    {.entry = 1, .offset = MIB, .size = 2 * MIB, .lead = 1},
    {.entry = 2, .size = 1000},
    {.entry = 4, .size = 3000, .tail = 2000},
};

static void manifest_made(struct sw_manifest *ret)
{
    write_part("in.2.0", 512 + 3 * MIB + 100, 0);
    write_part("in.2.1", 6000, 10000000);
    *ret = (struct sw_manifest){0};
    for (size_t i = 0; i < SW_COUNT(entries); i++)
        assert_int_equal(sw_manifest_append(&ret->bytes, &entries[i]), 0);
    assert_int_equal(sw_manifest_parse(ret, NULL), 0);
}

/* What the stream must be, by the words of its header file. */
static void expected(const struct sw_manifest *manifest, struct sw_buf *ret)
{
    sw_stream_head(manifest, chunk, SW_COUNT(chunk), ret);
    for (size_t i = 0; i < SW_COUNT(chunk); i++) {
        const struct sw_entry *entry = &entries[chunk[i].entry];
        uint64_t from = entry->offset + chunk[i].offset - chunk[i].lead;
        size_t n = chunk[i].lead + chunk[i].size + chunk[i].tail;
        fill(sw_buf_reserve(ret, n), n, from + (entry->part ? 10000000 : 0));
        ret->size += n;
    }
}

static void test_any_offsets(void **state)
{
    (void)state;
    struct sw_manifest manifest;
    struct sw_buf all = {0};
    struct sw_stream *stream = NULL;
    struct sw_err err = {""};
    struct sw_checker *checker = sw_checker_new(3);
    manifest_made(&manifest);
    expected(&manifest, &all);
    assert_int_equal(
        sw_stream_open(checker, place_fd, 2, &manifest, chunk, SW_COUNT(chunk), &stream, &err), 0);
    sw_manifest_done(&manifest); /* the stream has what it needs */
    assert_int_equal(sw_stream_owned(stream), all.size - 2000);
    uint8_t *got = malloc(all.size + 10);
    size_t n = 0;
    assert_int_equal(sw_stream_read(stream, got, all.size + 10, 0, &n, &err), 0);
    assert_int_equal(n, all.size);
    assert_memory_equal(got, all.data, n);
    srand(5);
    for (int i = 0; i < 500; i++) {
        uint64_t offset = (uint64_t)rand() % (all.size + 50);
        if (i % 3 == 0)
            offset = all.size - SW_MIN(offset % 7000, all.size);
        size_t wanted = i % 5 ? (size_t)rand() % 5000 : (size_t)rand() % MIB;
        size_t want = offset < all.size ? SW_MIN(wanted, all.size - offset) : 0;
        assert_int_equal(sw_stream_read(stream, got, wanted, offset, &n, &err), 0);
        assert_int_equal(n, want);
        assert_memory_equal(got, all.data + offset, n);
    }
    assert_int_equal(sw_stream_read(stream, got, 10, UINT64_MAX, &n, &err), 0);
    assert_int_equal(n, 0);
    sw_stream_destroy(&stream);
    sw_checker_destroy(&checker);
    sw_buf_done(&all);
    free(got);
}

static void test_the_head_says_what_follows(void **state)
{
    (void)state;
    struct sw_manifest manifest;
    struct sw_buf head = {0};
    manifest_made(&manifest);
    sw_stream_head(&manifest, chunk, SW_COUNT(chunk), &head);
    assert_int_equal(sw_pack_scan(head.data, head.size), 0);
    struct sw_cursor cursor = sw_cursor_of(head.data, head.size);
    assert_int_equal(sw_read_array(&cursor), 4);
    for (size_t i = 0; i < 4; i++) {
        const struct sw_entry *entry = &entries[chunk[i].entry];
        size_t size;
        assert_int_equal(sw_read_array(&cursor), 8);
        const char *name = sw_read_bytes(&cursor, &size);
        assert_int_equal(size, entry->name_size);
        assert_memory_equal(name, entry->name, size);
        assert_int_equal(sw_read_u64(&cursor), entry->mode);
        assert_int_equal(sw_read_i64(&cursor), entry->mtime);
        assert_int_equal(sw_read_u64(&cursor), entry->size);
        assert_int_equal(sw_read_u64(&cursor), chunk[i].offset);
        assert_int_equal(sw_read_u64(&cursor), chunk[i].size);
        assert_int_equal(sw_read_u64(&cursor), chunk[i].lead);
        assert_int_equal(sw_read_u64(&cursor), chunk[i].tail);
    }
    assert_true(!cursor.failed && cursor.at == cursor.end);
    sw_manifest_done(&manifest);
    sw_buf_done(&head);
}

static void test_plans_that_do_not_fit(void **state)
{
    (void)state;
    static const struct sw_plan_piece bad[][2] = {
        {{.entry = 5}, {.entry = 5}},                            /* no such entry */
        {{.entry = 3}, {.entry = 4}},                            /* it has no bytes */
        {{.entry = 2, .offset = 1, .size = 1000}, {.entry = 4}}, /* past its end */
        {{.entry = 2, .offset = 1001}, {.entry = 4}},
        {{.entry = 2}, {.entry = 4, .size = 4000, .tail = 1001}}, /* its tail past the end */
        {{.entry = 2, .size = 5, .tail = 1}, {.entry = 4}},       /* a tail in the middle */
        {{.entry = 2, .lead = 1}, {.entry = 4}},                  /* before its beginning */
        {{.entry = 2, .size = UINT64_MAX}, {.entry = 4}},
    };
    struct sw_manifest manifest;
    struct sw_checker *checker = sw_checker_new(1);
    manifest_made(&manifest);
    for (size_t i = 0; i < SW_COUNT(bad); i++) {
        struct sw_stream *stream = NULL;
        struct sw_err err = {""};
        if (sw_stream_open(checker, place_fd, 2, &manifest, bad[i], 2, &stream, &err) != -EBADMSG)
            fail_msg("bad pieces %zu were taken", i);
        assert_string_equal(err.text, "plan.2 does not fit manifest.2");
    }
    sw_manifest_done(&manifest);
    sw_checker_destroy(&checker);
}

static void test_bad_and_missing_bytes(void **state)
{
    (void)state;
    struct sw_manifest manifest;
    struct sw_stream *stream = NULL;
    struct sw_err err = {""};
    struct sw_checker *checker = sw_checker_new(3);
    uint8_t *got = malloc(4 * MIB);
    size_t n;
    manifest_made(&manifest);
    assert_int_equal(sw_stream_open(checker, place_fd, 2, &manifest, chunk, 4, &stream, &err), 0);
    spoil("in.2.0", 3 * MIB + 600); /* in the last span, behind the file itself */
    assert_int_equal(sw_stream_read(stream, got, 1000, 300, &n, &err), 0);
    assert_int_equal(sw_stream_read(stream, got, 4 * MIB, 0, &n, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "in.2.0"));
    sw_stream_destroy(&stream);
    sw_checker_drop(checker);
    assert_int_equal(unlinkat(place_fd, "in.2.1", 0), 0);
    assert_int_equal(sw_stream_open(checker, place_fd, 2, &manifest, chunk + 2, 2, &stream, &err),
                     0);
    assert_int_equal(sw_stream_read(stream, got, 4 * MIB, 0, &n, &err), -ENOENT);
    sw_stream_destroy(&stream);
    sw_manifest_done(&manifest);
    sw_checker_destroy(&checker);
    free(got);
}

/* The next chunk's stream reads on in the open file; another ADD's does not. */
static void test_inherits_the_open_file(void **state)
{
    (void)state;
    struct sw_manifest manifest;
    struct sw_stream *stream = NULL, *next = NULL, *other = NULL;
    struct sw_err err = {""};
    struct sw_checker *checker = sw_checker_new(3);
    uint8_t got[8000];
    size_t n;
    manifest_made(&manifest);
    assert_int_equal(sw_stream_open(checker, place_fd, 2, &manifest, chunk + 2, 1, &stream, &err),
                     0);
    assert_int_equal(sw_stream_open(checker, place_fd, 2, &manifest, chunk + 3, 1, &next, &err), 0);
    assert_int_equal(sw_stream_open(checker, place_fd, 3, &manifest, chunk + 3, 1, &other, &err),
                     0);
    assert_int_equal(sw_stream_read(stream, got, sizeof got, 0, &n, &err), 0);
    assert_int_equal(unlinkat(place_fd, "in.2.1", 0), 0); /* by name it is not found again */
    sw_stream_inherit(other, stream);
    assert_int_equal(sw_stream_read(other, got, sizeof got, 0, &n, &err), -ENOENT);
    sw_stream_inherit(next, stream);
    sw_stream_destroy(&stream);
    assert_int_equal(sw_stream_read(next, got, sizeof got, 0, &n, &err), 0);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(got[n - 5000 + i], byte_at(10000000 + 1000 + i));
    sw_stream_destroy(&next);
    sw_stream_destroy(&other);
    sw_manifest_done(&manifest);
    sw_checker_destroy(&checker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_any_offsets),
        FILES_TEST(test_the_head_says_what_follows),
        FILES_TEST(test_plans_that_do_not_fit),
        FILES_TEST(test_bad_and_missing_bytes),
        FILES_TEST(test_inherits_the_open_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
