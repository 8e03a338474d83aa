/* Results: by any range they are the same bytes; names are made safe; errors cost their own file.
 */
#include "files_result_test.h"

#include "files/output.h"

#define MIB ((size_t)1 << 20)
#define N   (UINT64_C(3) << 32 | 5)

static struct sw_result *new_files(int job_fd)
{
    static char suffix[] = ".zst";
    const struct sw_result_rule rule = {.output_name = add_suffix, .arg = suffix};
    return sw_result_new(job_fd, &rule);
}

static void store(uint32_t chunk, uint64_t n, size_t size, uint64_t from)
{
    uint64_t end = 0;
    uint8_t *p = malloc(size + 1);
    fill(p, size, from);
    assert_int_equal(sw_output_append(place_fd, chunk, n, 0, p, size, &end), 0);
    bool fatal = true;
    assert_int_equal(sw_output_seal(place_fd, chunk, n, &fatal), 0);
    free(p);
}

static const struct sw_entry first_add[] = {
    {.name = "a", .name_size = 1, .size = 100, .mode = 04755, .mtime = 1700000001},
    {.name = "link", .name_size = 4, .state = SW_ENTRY_SKIPPED, .reason = "a symbolic link"},
    {.name = "/b\xff/../b", .name_size = 8, .size = 9 << 20, .mode = 0600, .mtime = -7},
    {.name = "bad", .name_size = 3, .size = 50, .mode = 0644},
    {.name = "hard", .name_size = 4, .state = SW_ENTRY_FAILED, .reason = "a hard link"},
};
static const struct sw_entry second_add[] = {
    {.name = "empty", .name_size = 5, .mode = 0644},
    {.name = "z", .name_size = 1, .size = 5, .mode = 0644, .mtime = INT64_C(1) << 40},
};

/* Outputs: a = 300 inline bytes; b = 2 MiB + 9 of out.1, then 1 MiB of out.2; bad fails in its
 * second part; empty gives nothing; z is the last 77 bytes of out.2. Pattern bytes from 0, 10^7, 2
 * x 10^7. */
static void push_all(struct sw_result *result)
{
    uint8_t row[400];
    fill(row, sizeof row, 0);
    store(1, N, 2 * MIB + 9 + 40, 10000000);
    store(2, N, MIB + 77, 20000000);
    push(result, first_add, SW_COUNT(first_add));
    push(result, second_add, SW_COUNT(second_add));
    const struct sw_result_segment segments[] = {
        {.add = 0, .entry = 0, .chunk = 0, .inline_bytes = row, .offset = 100, .length = 300},
        {.add = 0, .entry = 2, .chunk = 1, .n = N, .length = 2 * MIB + 9, .error = ""},
        {.add = 0, .entry = 2, .chunk = 2, .n = N, .length = MIB},
        {.add = 0, .entry = 3, .chunk = 1, .n = N, .offset = 2 * MIB + 9, .length = 40},
        {.add = 0, .entry = 3, .chunk = 2, .n = N, .length = 5, .error = "it is corrupt"},
        {.add = 1, .entry = 0, .chunk = 2, .n = N, .offset = MIB},
        {.add = 1, .entry = 1, .chunk = 2, .n = N, .offset = MIB, .length = 77},
    };
    for (size_t i = 0; i < SW_COUNT(segments); i++)
        assert_int_equal(sw_result_segment(result, &segments[i]), 0);
    memset(row, 0, sizeof row);
    struct sw_err err = {""};
    assert_int_equal(sw_result_seal(result, &err), 0);
}

static void test_files_and_their_state(void **state)
{
    (void)state;
    struct sw_result *result = new_files(place_fd);
    size_t n = 0;
    push_all(result);
    const struct sw_result_file *files = sw_result_files(result, &n);
    static const struct {
        const char *output_name, *error;
        uint64_t output_size;
        bool skipped;
    } wanted[] = {{"a.zst", "", 300, false},
                  {"link.zst", "a symbolic link", 0, true},
                  {"/b\xff/../b.zst", "", 3 * MIB + 9, false},
                  {"bad.zst", "it is corrupt", 0, false},
                  {"hard.zst", "a hard link", 0, false},
                  {"empty.zst", "", 0, false},
                  {"z.zst", "", 77, false}};
    assert_int_equal(n, SW_COUNT(wanted));
    for (size_t i = 0; i < n; i++) {
        const char *name = wanted[i].output_name;
        assert_int_equal(files[i].output_name_size, strlen(name));
        assert_memory_equal(files[i].output_name, name, strlen(name));
        assert_string_equal(files[i].error, wanted[i].error);
        assert_int_equal(files[i].output_size, wanted[i].output_size);
        assert_int_equal(files[i].skipped, wanted[i].skipped);
        assert_int_equal(sw_result_size(result, (int)i), wanted[i].output_size);
        assert_int_equal(sw_result_find(result, name, strlen(name)),
                         *wanted[i].error ? -ENOENT : (int)i);
    }
    assert_int_equal(files[0].mode, 04755);
    assert_int_equal(files[2].mtime, -7);
    assert_int_equal(sw_result_find(result, "a", 1), -ENOENT);
    assert_int_equal(sw_result_find(result, "a.zst\0", 6), -ENOENT);
    assert_int_equal(sw_result_find(result, "", 0), -ENOENT);
    sw_result_destroy(&result);
}

/* What the outputs must be, by push_all's own words. */
static void expected(int which, struct sw_buf *ret)
{
    static const struct {
        int file;
        size_t n;
        uint64_t from;
    } parts[] = {
        {0, 300, 100}, {2, 2 * MIB + 9, 10000000}, {2, MIB, 20000000}, {6, 77, 20000000 + MIB}};
    for (size_t i = 0; i < SW_COUNT(parts); i++)
        if (which < 0 || which == parts[i].file) {
            fill(sw_buf_reserve(ret, parts[i].n), parts[i].n, parts[i].from);
            ret->size += parts[i].n;
        }
}

static void assert_ranges(struct sw_result *result, int which, const struct sw_buf *all)
{
    uint8_t *got = malloc(all->size + 1);
    struct sw_err err = {""};
    assert_int_equal(sw_result_size(result, which), all->size);
    assert_int_equal(sw_result_read(result, which, got, all->size, 0, &err), 0);
    assert_memory_equal(got, all->data, all->size);
    for (int i = 0; i < 400; i++) {
        size_t from = (size_t)rand() % (all->size + 1);
        if (i % 4 == 0)
            from = all->size - SW_MIN(from % 4000, all->size);
        if (i % 4 == 1)
            from = SW_MIN(from % 3000, all->size);
        size_t n = (size_t)rand() % 3000;
        n = SW_MIN(n, all->size - from);
        assert_int_equal(sw_result_read(result, which, got, n, from, &err), 0);
        assert_memory_equal(got, all->data + from, n);
    }
    assert_int_equal(sw_result_read(result, which, got, 1, all->size, &err), -ERANGE);
    assert_int_equal(sw_result_read(result, which, got, all->size, 1, &err), -ERANGE);
    assert_int_equal(sw_result_read(result, which, got, 1, UINT64_MAX, &err), -ERANGE);
    free(got);
}

static void test_ranges(void **state)
{
    (void)state;
    struct sw_result *result = new_files(place_fd);
    push_all(result);
    for (int which = SW_RESULT_CONCAT; which < 7; which++) {
        struct sw_buf all = {0};
        expected(which, &all);
        sw_buf_reserve(&all, 0);
        assert_ranges(result, which, &all);
        sw_buf_done(&all);
    }
    struct sw_buf tar = {0}; /* the whole is held against GNU tar and Python in test_result.py */
    uint64_t size = sw_result_size(result, SW_RESULT_TAR);
    assert_int_equal(
        sw_result_read(result, SW_RESULT_TAR, sw_buf_reserve(&tar, size), size, 0, NULL), 0);
    tar.size = size;
    assert_int_equal(size % 512, 0);
    assert_ranges(result, SW_RESULT_TAR, &tar);
    sw_buf_done(&tar);
    sw_result_destroy(&result);
}

static void test_damage_is_never_served(void **state)
{
    (void)state;
    struct sw_result *result = new_files(place_fd);
    struct sw_err err = {""};
    char name[SW_OUTPUT_PATH];
    uint8_t *got = malloc(4 * MIB);
    push_all(result);
    sw_output_path(2, N, name);
    spoil(name, 5);
    assert_int_equal(sw_result_read(result, 2, got, 2 * MIB + 9, 0, &err), 0);
    assert_int_equal(sw_result_read(result, 2, got, 1, 3 * MIB, &err), -EBADMSG);
    assert_non_null(strstr(err.text, name));
    assert_int_equal(sw_result_read(result, SW_RESULT_CONCAT, got, 3 * MIB, 0, &err), -EBADMSG);
    assert_int_equal(unlinkat(place_fd, name, 0), 0);
    sw_result_destroy(&result);
    sw_output_path(1, N, name);
    assert_int_equal(unlinkat(place_fd, name, 0), 0);
    result = new_files(place_fd);
    push_all(result);
    assert_int_equal(unlinkat(place_fd, name, 0), 0);
    assert_int_equal(sw_result_read(result, 2, got, 10, 0, &err), -ENOENT);
    assert_int_equal(sw_result_read(result, 0, got, 300, 0, &err), 0);
    sw_result_destroy(&result);
    free(got);
}

static void test_wrong_order_is_refused(void **state)
{
    (void)state;
    struct sw_result *result = new_files(place_fd);
    push(result, first_add, SW_COUNT(first_add));
    struct sw_result_segment segment = {.add = 0, .entry = 5, .chunk = 1, .n = N};
    assert_int_equal(sw_result_segment(result, &segment), -EINVAL); /* no such entry */
    segment.entry = 1;
    assert_int_equal(sw_result_segment(result, &segment), -EINVAL); /* a link has no pieces */
    segment.entry = 2;
    segment.length = UINT64_MAX;
    assert_int_equal(sw_result_segment(result, &segment), -EINVAL);
    segment.length = 10;
    assert_int_equal(sw_result_segment(result, &segment), 0);
    segment.entry = 0;
    assert_int_equal(sw_result_segment(result, &segment), -EINVAL); /* back */
    segment.add = 1;
    assert_int_equal(sw_result_segment(result, &segment), -EINVAL);
    struct sw_err err = {""};
    assert_int_equal(sw_result_seal(result, &err), 0);
    size_t n;
    assert_string_equal(sw_result_files(result, &n)[0].error, "it was not run");
    assert_int_equal(sw_result_segment(result, &segment), -EINVAL);
    sw_result_destroy(&result);
}

static void test_many_inline_outputs_go_to_disk(void **state)
{
    (void)state;
    static char out[] = "x";
    const struct sw_result_rule rule = {.concat = true, .output_name = one_name, .arg = out};
    struct sw_result *result = sw_result_new(place_fd, &rule);
    struct sw_manifest manifest = {0};
    const struct sw_entry entry = {.name = "a", .name_size = 1, .size = 16384};
    size_t n = 3000;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(sw_manifest_append(&manifest.bytes, &entry), 0);
    assert_int_equal(sw_manifest_parse(&manifest, NULL), 0);
    assert_int_equal(sw_result_add(result, &manifest), 0);
    sw_manifest_done(&manifest);
    uint8_t bytes[16384];
    for (size_t i = 0; i < n; i++) {
        fill(bytes, sizeof bytes, i * sizeof bytes);
        const struct sw_result_segment segment = {.entry = (uint32_t)i,
                                                  .chunk = (uint32_t)i,
                                                  .inline_bytes = bytes,
                                                  .length = sizeof bytes};
        assert_int_equal(sw_result_segment(result, &segment), 0);
    }
    assert_int_equal(sw_result_seal(result, NULL), 0);
    assert_int_equal(sw_result_size(result, SW_RESULT_CONCAT), n * sizeof bytes);
    for (size_t i = 0; i < n; i += 7) {
        uint8_t got[50000], wanted[50000];
        size_t from = i * sizeof bytes + i, count = SW_MIN(sizeof got, n * sizeof bytes - from);
        assert_int_equal(sw_result_read(result, SW_RESULT_CONCAT, got, count, from, NULL), 0);
        fill(wanted, count, from);
        assert_memory_equal(got, wanted, count);
    }
    sw_result_destroy(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_files_and_their_state),          FILES_TEST(test_ranges),
        FILES_TEST(test_damage_is_never_served),         FILES_TEST(test_wrong_order_is_refused),
        FILES_TEST(test_many_inline_outputs_go_to_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
