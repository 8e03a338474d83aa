/* Any bytes as a header frame from outside: scan and decode, held against msgpack-c's unpacker.
 * What is accepted, msgpack-c accepts with the same meaning, field for field; it encodes to bytes
 * that decode to the same. */
#include "fuzz.h"

#include "base/pack.h"
#include "proto/message.h"

#include <assert.h>
#include <errno.h>
#include <msgpack.h>
#include <string.h>

struct pair { /* a string or a list as it lies in a struct */
    const uint8_t *p;
    size_t n;
};

static void same_fields(const struct sw_record *record,
                        const uint8_t *at,
                        const msgpack_object *items,
                        size_t n);

static void same_number(enum sw_field_kind kind, const uint8_t *at, const msgpack_object *item)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    bool whole = item->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                 item->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
    bool negative = item->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
    if (kind == SW_F64) {
        double real = !whole     ? item->via.f64
                      : negative ? (double)item->via.i64
                                 : (double)item->via.u64;
        assert(whole || item->type == MSGPACK_OBJECT_FLOAT32 ||
               item->type == MSGPACK_OBJECT_FLOAT64);
        uint64_t bits; /* every NaN is itself */
        memcpy(&bits, &real, sizeof bits);
        assert(number == bits);
    } else if (item->type == MSGPACK_OBJECT_BOOLEAN) {
        assert(number == item->via.boolean);
    } else {
        bool is_signed = kind == SW_I64 || kind == SW_TIME;
        assert(whole && (is_signed ? negative || number <= INT64_MAX : !negative));
        assert(number == (negative ? (uint64_t)item->via.i64 : item->via.u64));
    }
}

static void same_field(const struct sw_field *field, const uint8_t *at, const msgpack_object *item)
{
    struct pair pair;
    if (field->kind == SW_SUB) {
        assert(item->type == MSGPACK_OBJECT_ARRAY);
        same_fields(field->record, at, item->via.array.ptr, item->via.array.size);
        return;
    }
    if (sw_field_size(field) == 8) {
        same_number(field->kind, at, item);
        return;
    }
    memcpy(&pair, at, sizeof pair);
    if (field->kind == SW_LIST || field->kind == SW_MAP) {
        assert(item->type == MSGPACK_OBJECT_ARRAY && item->via.array.size == pair.n);
        for (size_t i = 0; i < pair.n; i++) {
            const msgpack_object *inner = &item->via.array.ptr[i];
            assert(inner->type == MSGPACK_OBJECT_ARRAY);
            same_fields(field->record, pair.p + i * field->record->size, inner->via.array.ptr,
                        inner->via.array.size);
        }
        return;
    }
    bool binary = item->type == MSGPACK_OBJECT_BIN;
    assert(binary || item->type == MSGPACK_OBJECT_STR);
    assert(pair.n == (binary ? item->via.bin.size : item->via.str.size));
    if (pair.n)
        assert(memcmp(pair.p, binary ? item->via.bin.ptr : item->via.str.ptr, pair.n) == 0);
}

/* Fields that are not there are zero, others there may be. */
static void same_fields(const struct sw_record *record,
                        const uint8_t *at,
                        const msgpack_object *items,
                        size_t n)
{
    static const uint8_t zeros[4096];
    size_t i = 0;
    for (const struct sw_field *field = record->fields; field->name; i++) {
        if (i < n)
            same_field(field, at, &items[i]);
        else
            assert(memcmp(at, zeros, sw_field_size(field)) == 0);
        at += sw_field_size(field++);
    }
}

static void same_as_msgpack_c(const struct sw_message *message, const uint8_t *data, size_t size)
{
    msgpack_unpacked theirs;
    size_t used = 0;
    msgpack_unpacked_init(&theirs);
    int r = msgpack_unpack_next(&theirs, (const char *)data, size, &used);
    assert(r == MSGPACK_UNPACK_SUCCESS && used == size);
    const msgpack_object_array *array = &theirs.data.via.array;
    assert(theirs.data.type == MSGPACK_OBJECT_ARRAY && array->size > 0);
    assert(array->ptr[0].type == MSGPACK_OBJECT_BOOLEAN ||
           array->ptr[0].via.u64 == (uint64_t)message->type);
    same_fields(sw_record_of(message->type), (const uint8_t *)&message->of, array->ptr + 1,
                array->size - 1);
    msgpack_unpacked_destroy(&theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sw_message message;
    struct sw_arena arena = {0};
    struct sw_err err = {0};
    AUTO_BUF struct sw_buf first = {0};
    AUTO_BUF struct sw_buf second = {0};
    int r = sw_decode(data, size, &arena, &message, &err);
    if (r < 0) {
        assert((r == -EBADMSG || r == -E2BIG) && err.text[0]);
        sw_arena_done(&arena);
        return 0;
    }
    assert(sw_pack_scan(data, size) == 0); /* nothing was decoded that the scan refuses */
    same_as_msgpack_c(&message, data, size);
    enum sw_message_type type = message.type;
    sw_encode(type, &message.of, &first);
    r = sw_decode(first.data, first.size, &arena, &message, &err);
    assert(r == 0 && message.type == type);
    same_as_msgpack_c(&message, first.data, first.size);
    sw_encode(type, &message.of, &second);
    assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    sw_arena_done(&arena);
    return 0;
}
