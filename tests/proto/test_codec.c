/* The codec against itself and against msgpack-c: every message round-trips, every truncation is
 * refused, extra fields are ignored and missing ones are zero. */
#include "base/pack.h"
#include "proto/message.h"

#include <errno.h>
#include <msgpack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Fills every field of a record with distinct values; lists get two items, strings point at `text`.
 */
static void fill(const struct sw_record *record, uint8_t *at, uint64_t *seed)
{
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        uint64_t number = ++*seed * 1000003;
        struct sw_str s = {"some text \xff\n and more of it", *seed % 27};
        double real = (double)number / 7;
        if (field->kind == SW_SUB) {
            fill(field->record, at, seed);
        } else if (field->kind == SW_LIST || field->kind == SW_MAP) {
            struct {
                uint8_t *p;
                size_t n;
            } list = {calloc(2, field->record->size),
                      2}; /* freed with the test process's arena: see release() */
            fill(field->record, list.p, seed);
            fill(field->record, list.p + field->record->size, seed);
            memcpy(at, &list, sizeof list);
        } else if (field->kind == SW_F64) {
            memcpy(at, &real, 8);
        } else {
            memcpy(at, sw_field_size(field) == 8 ? (void *)&number : (void *)&s,
                   sw_field_size(field));
        }
    }
}

static void release(const struct sw_record *record, uint8_t *at)
{
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        if (field->kind == SW_SUB)
            release(field->record, at);
        if (field->kind != SW_LIST && field->kind != SW_MAP)
            continue;
        struct {
            uint8_t *p;
            size_t n;
        } list;
        memcpy(&list, at, sizeof list);
        for (size_t i = 0; i < list.n; i++)
            release(field->record, list.p + i * field->record->size);
        free(list.p);
    }
}

static void every_message_round_trips(void **state)
{
    (void)state;
    struct sw_arena arena = {0};
    for (size_t i = 0; sw_all_records[i]; i++) {
        const struct sw_record *record = sw_all_records[i];
        if (!record->constant)
            continue;
        static struct sw_message sent, got;
        AUTO_BUF struct sw_buf bytes = {0}, again = {0};
        uint64_t seed = i * 100;
        memset(&sent, 0, sizeof sent);
        fill(record, (uint8_t *)&sent.of, &seed);
        sw_encode(record->type, &sent.of, &bytes);
        struct sw_err err;
        assert_int_equal(sw_decode(bytes.data, bytes.size, &arena, &got, &err), 0);
        assert_int_equal(got.type, record->type);
        sw_encode(got.type, &got.of, &again);
        assert_int_equal(bytes.size, again.size);
        assert_memory_equal(bytes.data, again.data, bytes.size);
        for (size_t cut = 0; cut < bytes.size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1); /* exact size, so that ASan sees an over-read */
            memcpy(exact, bytes.data, cut);
            assert_true(sw_decode(exact, cut, &arena, &got, &err) < 0);
            free(exact);
        }
        msgpack_unpacked unpacked; /* a stranger reads the same */
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(msgpack_unpack_next(&unpacked, (char *)bytes.data, bytes.size, NULL),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_ARRAY);
        msgpack_unpacked_destroy(&unpacked);
        release(record, (uint8_t *)&sent.of);
    }
    sw_arena_done(&arena);
}

static void structs_have_no_holes(void **state)
{
    (void)state;
    for (size_t i = 0; sw_all_records[i]; i++) {
        size_t size = 0;
        for (const struct sw_field *field = sw_all_records[i]->fields; field->name; field++)
            size += sw_field_size(field);
        assert_int_equal(size, sw_all_records[i]->size);
    }
}

static void missing_fields_are_zero_and_extra_ignored(void **state)
{
    (void)state;
    struct sw_arena arena = {0};
    struct sw_message got;
    struct sw_err err;
    const uint8_t shorter[] = {0x92, SW_MSG_CREDIT, 7};
    assert_int_equal(sw_decode(shorter, sizeof shorter, &arena, &got, &err), 0);
    assert_int_equal(got.of.credit.session, 7);
    assert_int_equal(got.of.credit.bytes, 0);
    const uint8_t longer[] = {0x97, SW_MSG_CREDIT, 7, 1, 2, 3, 0x92, 0xc0, 0xa1, 'x', 0x81, 1, 2};
    assert_int_equal(sw_decode(longer, sizeof longer, &arena, &got, &err), 0);
    assert_int_equal(got.of.credit.bytes, 3);
    sw_arena_done(&arena);
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int code;
    } table[] = {
        {"", 0, -EBADMSG},
        {"\xc1", 1, -EBADMSG},
        {"\x90", 1, -EBADMSG},                     /* no type */
        {"\x91\x7f", 2, -EBADMSG},                 /* unknown type */
        {"\x91\xd9\xff", 3, -EBADMSG},             /* a string longer than the message */
        {"\xdd\x10\x00\x00\x00", 5, -EBADMSG},     /* 268 million elements */
        {"\xdd\xff\xff\xff\xff\x01", 6, -EBADMSG}, /* */
        {"\x92\x02\xff", 3, -EBADMSG},             /* a negative session */
        {"\x92\x02\xa1x", 4, -EBADMSG},            /* text for a number */
        {"\x92\x02\x01\x01", 4, -EBADMSG},         /* trailing bytes */
        {"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91", 11, -EBADMSG}, /* deep */
    };
    struct sw_arena arena = {0};
    for (size_t i = 0; i < SW_COUNT(table); i++) {
        struct sw_message got;
        struct sw_err err;
        assert_int_equal(sw_decode(table[i].bytes, table[i].size, &arena, &got, &err),
                         table[i].code);
    }
    AUTO_BUF struct sw_buf many = {
        0}; /* HELLO with 200,000 empty leases: 40 bytes each when decoded */
    struct sw_message got;
    struct sw_err err;
    sw_pack_array(&many, 13);
    sw_pack_u64(&many, SW_MSG_HELLO);
    for (int i = 0; i < 3; i++)
        sw_pack_u64(&many, 1);
    sw_pack_text(&many, "", 0);
    sw_pack_text(&many, "", 0);
    sw_pack_array(&many, 0);
    for (int i = 0; i < 4; i++)
        sw_pack_u64(&many, 1);
    sw_pack_array(&many, 0);
    sw_pack_array(&many, 200000);
    for (int i = 0; i < 200000; i++)
        sw_pack_array(&many, 0);
    assert_int_equal(sw_decode(many.data, many.size, &arena, &got, &err), -E2BIG);
    sw_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structs_have_no_holes),
        cmocka_unit_test(every_message_round_trips),
        cmocka_unit_test(missing_fields_are_zero_and_extra_ignored),
        cmocka_unit_test(hostile_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
