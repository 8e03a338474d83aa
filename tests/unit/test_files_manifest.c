/* Manifests: what goes in comes out, and hostile bytes cost no more than themselves. */
#include "files_test.h"

#include "base/pack.h"
#include "files/manifest.h"

static const struct sw_entry entries[] = {
    {.name = "a", .name_size = 1, .mode = 0644, .mtime = 1700000000, .size = 5, .reason = ""},
    {.name = "b\n\xff/c",
     .name_size = 5,
     .mode = 07777,
     .mtime = -5,
     .size = 1,
     .offset = 1536,
     .part = 3,
     .reason = ""},
    {.name = "link",
     .name_size = 4,
     .mode = 0777,
     .state = SW_ENTRY_SKIPPED,
     .reason = "a symbolic link"},
    {.name = "hard",
     .name_size = 4,
     .state = SW_ENTRY_FAILED,
     .reason = "a hard link",
     .part = 1,
     .offset = UINT64_C(1) << 40},
    {.name = "big",
     .name_size = 3,
     .size = UINT64_C(1) << 62,
     .offset = INT64_MAX >> 1,
     .mtime = INT64_MIN,
     .reason = ""},
};

static void put_all(struct sw_buf *buf)
{
    for (size_t i = 0; i < SW_COUNT(entries); i++)
        assert_int_equal(sw_manifest_append(buf, &entries[i]), 0);
}

static void assert_all(const struct sw_manifest *manifest)
{
    assert_int_equal(manifest->n, SW_COUNT(entries));
    for (size_t i = 0; i < manifest->n; i++) {
        const struct sw_entry *a = &manifest->entries[i], *b = &entries[i];
        assert_int_equal(a->name_size, b->name_size);
        assert_memory_equal(a->name, b->name, b->name_size);
        assert_int_equal(a->mode, b->mode);
        assert_true(a->mtime == b->mtime);
        assert_true(a->size == b->size && a->offset == b->offset);
        assert_int_equal(a->part, b->part);
        assert_int_equal(a->state, b->state);
        assert_string_equal(a->reason, b->reason);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct sw_manifest manifest = {0};
    put_all(&manifest.bytes);
    assert_int_equal(sw_manifest_parse(&manifest, NULL), 0);
    assert_all(&manifest);
    sw_release(manifest.entries);
    manifest.entries = NULL;
    sw_manifest_end(&manifest.bytes);
    assert_int_equal(sw_manifest_parse(&manifest, NULL), 0); /* the bytes were left as they are */
    assert_all(&manifest);
    write_file("manifest.0", manifest.bytes.data, manifest.bytes.size);
    sw_manifest_done(&manifest);
    assert_int_equal(sw_manifest_load(place_fd, "manifest.0", &manifest, NULL), 0);
    assert_all(&manifest);
    sw_manifest_done(&manifest);
    assert_int_equal(sw_manifest_parse(&manifest, NULL), 0); /* nothing is a manifest too */
    assert_int_equal(manifest.n, 0);
    sw_manifest_done(&manifest);
}

static void test_bad_entries_are_not_written(void **state)
{
    (void)state;
    struct sw_buf buf = {0};
    char long_name[SW_NAME_MAX + 1];
    memset(long_name, 'n', sizeof long_name);
    const struct sw_entry none = {.name = "", .name_size = 0},
                          nul = {.name = "a\0b", .name_size = 3},
                          longer = {.name = long_name, .name_size = sizeof long_name};
    assert_int_equal(sw_manifest_append(&buf, &none), -EINVAL);
    assert_int_equal(sw_manifest_append(&buf, &nul), -EINVAL);
    assert_int_equal(sw_manifest_append(&buf, &longer), -EINVAL);
    assert_int_equal(buf.size, 0);
    struct sw_entry talks = {
        .name = "a", .name_size = 1, .state = SW_ENTRY_FAILED, .reason = long_name};
    long_name[SW_NAME_MAX] = 0;
    assert_int_equal(sw_manifest_append(&buf, &talks), 0);
    struct sw_manifest manifest = {.bytes = buf};
    assert_int_equal(sw_manifest_parse(&manifest, NULL), 0);
    assert_int_equal(strlen(manifest.entries[0].reason), SW_REASON_MAX - 1);
    sw_manifest_done(&manifest);
}

/* Parses a copy that is exactly as large as its bytes, so that a sanitizer sees a step past the
 * end. */
static int parse_copy(const uint8_t *p, size_t n, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    sw_buf_put(&manifest.bytes, p, n);
    uint8_t *exact = realloc(manifest.bytes.data, n + 1);
    manifest.bytes.data = exact;
    manifest.bytes.room = n + 1;
    int r = sw_manifest_parse(&manifest, err);
    for (size_t i = 0; r == 0 && i < manifest.n; i++) {
        const struct sw_entry *entry = &manifest.entries[i];
        assert_in_range(entry->name_size, 1, SW_NAME_MAX);
        assert_null(memchr(entry->name, 0, entry->name_size));
        assert_true(strlen(entry->reason) < SW_REASON_MAX);
        assert_true(entry->offset + entry->size <= INT64_MAX);
    }
    sw_manifest_done(&manifest);
    return r;
}

static int load_copy(const uint8_t *p, size_t n, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    write_file("m", p, n);
    int r = sw_manifest_load(place_fd, "m", &manifest, err);
    sw_manifest_done(&manifest);
    return r;
}

static void test_cut_and_changed_bytes(void **state)
{
    (void)state;
    struct sw_buf buf = {0};
    put_all(&buf);
    sw_manifest_end(&buf);
    struct sw_err err;
    size_t cut_ok = 0;
    for (size_t n = 0; n < buf.size; n++)
        cut_ok += parse_copy(buf.data, n, &err) == 0;
    assert_int_equal(cut_ok, 1 + SW_COUNT(entries)); /* only between entries */
    for (size_t i = 0; i < buf.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            buf.data[i] ^= (uint8_t)(1 << bit);
            parse_copy(buf.data, buf.size, &err); /* may swallow the end mark, never a byte more */
            assert_int_equal(load_copy(buf.data, buf.size, &err), -EBADMSG);
            assert_true(strlen(err.text) > 10);
            buf.data[i] ^= (uint8_t)(1 << bit);
        }
    for (size_t n = 0; n < buf.size; n++) /* on disk every cut is seen */
        assert_int_equal(load_copy(buf.data, n, &err), -EBADMSG);
    assert_int_equal(load_copy(buf.data, buf.size, &err), 0);
    sw_buf_put(&buf, "\x95\xa1z\0\0\0\0", 7);
    assert_int_equal(parse_copy(buf.data, buf.size, &err), -EBADMSG); /* after the end mark */
    sw_buf_done(&buf);
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } hostile[] = {
        {"\xdd\x7f\xff\xff\xff", 5},                       /* two thousand million fields */
        {"\xdd\xff\xff\xff\xff\xa1z\0\0\0\0\0\0\xa1", 14}, /* as many, and the first are good */
        {"\x95\xdb\xff\xff\xff\xff", 6},                   /* a name of 4 GiB */
        {"\x95\xc6\x7f\xff\xff\xffzzzz", 10},
        {"\x94\xa1z\0\0\0", 6}, /* a field too few */
        {"\x94\xa1z\0\0\0\0", 7},
        {"\x95\xa0\0\0\0\0", 6},                                     /* no name */
        {"\x95\xa2z\0\0\0\0\0", 8},                                  /* a NUL in it */
        {"\x95\xa1z\xff\0\0\0", 7},                                  /* a mode below zero */
        {"\x95\xa1z\xcd\x10\0\0\0\0", 9},                            /* a mode above 7777 */
        {"\x95\xa1z\0\0\xff\0", 7},                                  /* a size below zero */
        {"\x95\xa1z\0\0\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\1", 15}, /* an end beyond all files */
        {"\x95\xa1z\0\0\0\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 15},
        {"\x97\xa1z\0\0\0\0\0\3", 9},                            /* an unknown state */
        {"\x98\xa1z\0\0\0\0\0\1\xa0", 10},                       /* a reason without its NUL */
        {"\x98\xa1z\0\0\0\0\0\1\xa2\0\0", 12},                   /* or with two */
        {"\x96\xa1z\0\0\0\0\xcf\0\0\0\1\0\0\0\0", 16},           /* a part of more than 32 bits */
        {"\x99\xa1z\0\0\0\0\0\1\xa1\0\xdd\xff\xff\xff\xff", 16}, /* a later field, endless */
        {"\x95\x91\xa1z\0\0\0\0", 8},                            /* an array as name */
        {"\xc4\x10", 2},                                         /* an end mark cut off */
        {"\xc4\x0f", 2},
        {"\x80", 1},
    };
    struct sw_err err;
    for (size_t i = 0; i < SW_COUNT(hostile); i++)
        if (parse_copy((const uint8_t *)hostile[i].bytes, hostile[i].n, &err) != -EBADMSG)
            fail_msg("hostile bytes %zu were taken", i);
    /* Of a later version: more fields than we know are skipped. */
    assert_int_equal(parse_copy((const uint8_t *)"\x99\xa1z\0\0\0\0\0\1\xa1\0\x92\1\2", 14, &err),
                     0);
    srand(11);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        size_t n = (size_t)rand() % sizeof bytes;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)(rand() % 3 ? rand() : 0x95 + rand() % 4);
        parse_copy(bytes, n, &err);
    }
}

static void test_too_many_entries(void **state)
{
    (void)state;
    struct sw_manifest manifest = {0};
    struct sw_err err;
    for (size_t i = 0; i < SW_MANIFEST_ENTRIES_MAX; i++)
        sw_buf_put(&manifest.bytes, "\x95\xa1z\0\0\0\0", 7);
    assert_int_equal(sw_manifest_parse(&manifest, &err), 0);
    assert_int_equal(manifest.n, SW_MANIFEST_ENTRIES_MAX);
    sw_release(manifest.entries);
    manifest.entries = NULL;
    sw_buf_put(&manifest.bytes, "\x95\xa1z\0\0\0\0", 7);
    assert_int_equal(sw_manifest_parse(&manifest, &err), -EBADMSG);
    sw_manifest_done(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_round_trip),
        cmocka_unit_test(test_bad_entries_are_not_written),
        FILES_TEST(test_cut_and_changed_bytes),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_too_many_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
