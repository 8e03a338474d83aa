/* The cursor and the writers of base/pack.h held against msgpack-c, at every boundary of its
 * formats: what one writes the other reads, in the same bytes; what one refuses has a reason. */
#include "base/pack.h"

#include <errno.h>
#include <msgpack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t edges[] = {0,
                                 1,
                                 31,
                                 32,
                                 33,
                                 127,
                                 128,
                                 129,
                                 255,
                                 256,
                                 32767,
                                 32768,
                                 32769,
                                 65535,
                                 65536,
                                 INT32_MAX,
                                 UINT64_C(2147483648),
                                 UINT64_C(2147483649),
                                 UINT32_MAX,
                                 UINT64_C(4294967296),
                                 INT64_MAX,
                                 UINT64_C(9223372036854775808),
                                 UINT64_MAX};
static const size_t lengths[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536, 70000};

struct both { /* the same value by either writer */
    struct sw_buf ours;
    msgpack_sbuffer theirs;
    msgpack_packer packer;
};

static void begin(struct both *both)
{
    both->ours = (struct sw_buf){0};
    msgpack_sbuffer_init(&both->theirs);
    msgpack_packer_init(&both->packer, &both->theirs, msgpack_sbuffer_write);
}

/* Equal bytes; the cursor is at their begin. They are in a block of their exact size, so that a
 * sanitizer sees what is read beyond it. */
static struct sw_cursor compare(struct both *both, uint8_t **exact)
{
    assert_int_equal(both->ours.size, both->theirs.size);
    assert_memory_equal(both->ours.data, both->theirs.data, both->ours.size);
    *exact = malloc(both->ours.size);
    memcpy(*exact, both->ours.data, both->ours.size);
    assert_int_equal(sw_pack_scan(*exact, both->ours.size), 0);
    for (size_t cut = 0; cut < SW_MIN(both->ours.size, 12U); cut++) {
        size_t used;
        assert_int_equal(sw_pack_scan_front(*exact, cut, &used), -ENODATA);
        assert_int_equal(sw_pack_scan(*exact, cut), -EBADMSG);
    }
    return sw_cursor_of(*exact, both->ours.size);
}

static void end(struct both *both, const struct sw_cursor *cursor, uint8_t *exact)
{
    assert_false(cursor->failed);
    assert_ptr_equal(cursor->at, cursor->end);
    free(exact);
    sw_buf_done(&both->ours);
    msgpack_sbuffer_destroy(&both->theirs);
}

static void unsigned_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < SW_COUNT(edges); i++) {
        struct both both;
        uint8_t *exact;
        begin(&both);
        sw_pack_u64(&both.ours, edges[i]);
        msgpack_pack_uint64(&both.packer, edges[i]);
        struct sw_cursor cursor = compare(&both, &exact), other = cursor;
        assert_true(sw_read_u64(&cursor) == edges[i]);
        bool fits = edges[i] <= INT64_MAX;
        assert_true(sw_read_i64(&other) == (fits ? (int64_t)edges[i] : 0));
        assert_int_equal(other.failed, !fits);
        other = sw_cursor_of(exact, both.ours.size);
        assert_true(sw_read_f64(&other) == (double)edges[i]);
        end(&both, &cursor, exact);
    }
}

static void signed_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < SW_COUNT(edges) * 2; i++) {
        struct both both;
        uint8_t *exact;
        uint64_t edge = edges[i / 2];
        if (edge > (uint64_t)INT64_MAX + 1 || (i % 2 == 0 && edge > INT64_MAX))
            continue;
        int64_t value = (int64_t)(i % 2 ? 0 - edge : edge);
        begin(&both);
        sw_pack_i64(&both.ours, value);
        msgpack_pack_int64(&both.packer, value);
        struct sw_cursor cursor = compare(&both, &exact), other = cursor;
        assert_true(sw_read_i64(&cursor) == value);
        assert_true(sw_read_u64(&other) == (value < 0 ? 0 : (uint64_t)value));
        assert_int_equal(other.failed, value < 0);
        other = sw_cursor_of(exact, both.ours.size);
        assert_true(sw_read_f64(&other) == (double)value);
        end(&both, &cursor, exact);
    }
}

static void real_numbers(void **state)
{
    (void)state;
    static const double values[] = {0, -0.0, 0.5, -1e300, 5e-324, 1.0 / 3};
    for (size_t i = 0; i < SW_COUNT(values); i++) {
        struct both both;
        begin(&both);
        msgpack_pack_double(&both.packer, values[i]);
        struct sw_cursor cursor = sw_cursor_of(both.theirs.data, both.theirs.size), other = cursor;
        double got = sw_read_f64(&cursor);
        assert_memory_equal(&got, &values[i], sizeof got);
        sw_read_u64(&other); /* a real number is no whole one */
        assert_true(other.failed);
        end(&both, &cursor, NULL);
        begin(&both);
        msgpack_pack_float(&both.packer, (float)values[i]);
        cursor = sw_cursor_of(both.theirs.data, both.theirs.size);
        assert_true(sw_read_f64(&cursor) == (double)(float)values[i]);
        end(&both, &cursor, NULL);
    }
}

static void bytes_and_texts(void **state)
{
    (void)state;
    AUTO_BUF struct sw_buf content = {0};
    memset(sw_buf_reserve(&content, 70000), 0xc1, 70000);
    for (size_t i = 0; i < SW_COUNT(lengths) * 2; i++) {
        struct both both;
        uint8_t *exact;
        size_t n = lengths[i / 2], got_size = 1;
        begin(&both);
        if (i % 2) {
            sw_pack_bytes(&both.ours, content.data, n);
            msgpack_pack_bin(&both.packer, n);
            msgpack_pack_bin_body(&both.packer, content.data, n);
        } else {
            sw_pack_text(&both.ours, content.data, n);
            msgpack_pack_str(&both.packer, n);
            msgpack_pack_str_body(&both.packer, content.data, n);
        }
        struct sw_cursor cursor = compare(&both, &exact);
        const char *got = sw_read_bytes(&cursor, &got_size);
        assert_int_equal(got_size, n);
        assert_memory_equal(got, content.data, n);
        end(&both, &cursor, exact);
    }
}

static void arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < SW_COUNT(lengths); i++) {
        struct both both;
        uint8_t *exact;
        uint32_t n = (uint32_t)lengths[i];
        begin(&both);
        sw_pack_array(&both.ours, n);
        msgpack_pack_array(&both.packer, n);
        for (uint32_t k = 0; k < n; k++) {
            sw_pack_u64(&both.ours, k);
            msgpack_pack_uint64(&both.packer, k);
        }
        struct sw_cursor cursor = compare(&both, &exact), other = cursor;
        assert_int_equal(sw_read_array(&cursor), n);
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(sw_read_u64(&cursor), k);
        sw_read_skip(&other);
        assert_ptr_equal(other.at, cursor.at);
        end(&both, &cursor, exact);
    }
}

/* Every first byte, with what follows cut at every length: both accept, both want more, or both
 * refuse; only ext values are refused by us alone. */
static void every_first_byte(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[40] = {(uint8_t)first}; /* zeros: lengths and counts 0, or zeros as items */
        bool ext = (first >= 0xc7 && first <= 0xc9) || (first >= 0xd4 && first <= 0xd8);
        for (size_t size = 1; size <= sizeof bytes; size++) {
            uint8_t *exact = malloc(size);
            memcpy(exact, bytes, size);
            size_t used = 0, theirs_used = 0;
            int r = sw_pack_scan_front(exact, size, &used);
            msgpack_unpacked theirs;
            msgpack_unpacked_init(&theirs);
            msgpack_unpack_return got =
                msgpack_unpack_next(&theirs, (char *)exact, size, &theirs_used);
            bool whole = got == MSGPACK_UNPACK_SUCCESS || got == MSGPACK_UNPACK_EXTRA_BYTES;
            if (ext || first == 0xc1)
                assert_int_equal(r, -EBADMSG);
            else
                assert_int_equal(r, whole ? 0 : -ENODATA);
            if (r == 0)
                assert_int_equal(used, theirs_used);
            assert_int_equal(sw_pack_scan(exact, size), r == 0 && used == size ? 0 : -EBADMSG);
            msgpack_unpacked_destroy(&theirs);
            free(exact);
        }
    }
}

static void depth_and_counts(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int code;
    } table[] = {
        {"\x91\x91\x91\x91\x91\x91\x91\x90", 8, 0},
        {"\x91\x91\x91\x91\x91\x91\x91\x91\x01", 9, 0},
        {"\x91\x91\x91\x91\x91\x91\x91\x91\x90", 9, -EBADMSG},
        {"\x81\x01\x81\x01\x81\x01\x81\x01\x81\x01\x81\x01\x81\x01\x81\x01\x80", 17, -EBADMSG},
        {"\x92\x01", 2, -ENODATA},
        {"\xdc\xff\xff\x01", 4, -ENODATA},
        {"\xdd\xff\xff\xff\xff\x01", 6, -ENODATA},
        {"\xdf\xff\xff\xff\xff\x01\x02", 7, -ENODATA}, /* twice the count does not overflow */
        {"\xdb\xff\xff\xff\xff\x01", 6, -ENODATA},
        {"\x92\x01\xc1", 3, -EBADMSG},
    };
    for (size_t i = 0; i < SW_COUNT(table); i++) {
        size_t used;
        assert_int_equal(sw_pack_scan_front(table[i].bytes, table[i].size, &used), table[i].code);
    }
    assert_int_equal(sw_pack_scan("\x01\x02", 2), -EBADMSG); /* one value, and no more */
}

static void a_failed_cursor_stays_failed(void **state)
{
    (void)state;
    struct sw_cursor cursor = sw_cursor_of("\xa1x\x05\x91\x05", 5);
    size_t size = 7;
    assert_int_equal(sw_read_u64(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(sw_read_u64(&cursor), 0);
    assert_int_equal(sw_read_i64(&cursor), 0);
    assert_int_equal(sw_read_array(&cursor), 0);
    assert_true(sw_read_f64(&cursor) == 0);
    assert_string_equal(sw_read_bytes(&cursor, &size), "");
    assert_int_equal(size, 0);
    sw_read_skip(&cursor);
    assert_true(cursor.failed);
    struct sw_cursor nil = sw_cursor_of("\xc0", 1), truth = sw_cursor_of("\xc3", 1);
    sw_read_u64(&nil);
    assert_true(nil.failed);
    assert_int_equal(sw_read_u64(&truth), 1);
    assert_false(truth.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers), cmocka_unit_test(signed_numbers),
        cmocka_unit_test(real_numbers),     cmocka_unit_test(bytes_and_texts),
        cmocka_unit_test(arrays),           cmocka_unit_test(every_first_byte),
        cmocka_unit_test(depth_and_counts), cmocka_unit_test(a_failed_cursor_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
