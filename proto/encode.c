/* Struct to msgpack, by descriptor, through msgpack-c's packer. Never fails: structs are ours. */
#include "proto/message.h"

#include <msgpack.h>
#include <string.h>

static int append(void *data, const char *bytes, size_t size)
{
    sw_buf_put(data, bytes, size);
    return 0;
}

static void pack_bytes(msgpack_packer *packer, struct sw_str s, bool binary)
{
    if (binary) {
        msgpack_pack_bin(packer, s.n);
        msgpack_pack_bin_body(packer, s.p ? s.p : "", s.n);
    } else {
        msgpack_pack_str(packer, s.n);
        msgpack_pack_str_body(packer, s.p ? s.p : "", s.n);
    }
}

static void pack_fields(msgpack_packer *packer, const struct sw_record *record, const uint8_t *at);

static void pack_record(msgpack_packer *packer, const struct sw_record *record, const uint8_t *at)
{
    size_t n = 0;
    while (record->fields[n].name)
        n++;
    msgpack_pack_array(packer, n);
    pack_fields(packer, record, at);
}

static void pack_list(msgpack_packer *packer, const struct sw_record *record, const uint8_t *at)
{
    struct {
        const uint8_t *p;
        size_t n;
    } list;
    memcpy(&list, at, sizeof list);
    msgpack_pack_array(packer, list.n);
    for (size_t i = 0; i < list.n; i++)
        pack_record(packer, record, list.p + i * record->size);
}

static void pack_number(msgpack_packer *packer, enum sw_field_kind kind, const uint8_t *at)
{
    union {
        uint64_t u;
        int64_t i;
        double f;
    } number;
    memcpy(&number, at, sizeof number);
    if (kind == SW_F64)
        msgpack_pack_double(packer, number.f);
    else if (kind == SW_I64 || kind == SW_TIME)
        msgpack_pack_int64(packer, number.i);
    else
        msgpack_pack_uint64(packer, number.u);
}

static void pack_fields(msgpack_packer *packer, const struct sw_record *record, const uint8_t *at)
{
    for (const struct sw_field *field = record->fields; field->name; field++) {
        struct sw_str s;
        switch (field->kind) {
        case SW_STR:
        case SW_OPT:
        case SW_BIN:
        case SW_NAME:
        case SW_JSON:
            memcpy(&s, at, sizeof s);
            pack_bytes(packer, s, field->kind == SW_BIN || field->kind == SW_NAME);
            break;
        case SW_LIST:
        case SW_MAP:
            pack_list(packer, field->record, at);
            break;
        case SW_SUB:
            pack_record(packer, field->record, at);
            break;
        case SW_U64:
        case SW_I64:
        case SW_F64:
        case SW_BOOL:
        case SW_TIME:
        case SW_ID:
            pack_number(packer, field->kind, at);
            break;
        }
        at += sw_field_size(field);
    }
}

void sw_encode(enum sw_message_type type, const void *message, struct sw_buf *ret_bytes)
{
    const struct sw_record *record = sw_record_of(type);
    msgpack_packer packer;
    msgpack_packer_init(&packer, ret_bytes, append);
    size_t n = 1;
    while (record->fields[n - 1].name)
        n++;
    msgpack_pack_array(&packer, n);
    msgpack_pack_uint64(&packer, (uint64_t)type);
    pack_fields(&packer, record, message);
}

void sw_encode_record(const struct sw_record *record, const void *value, struct sw_buf *ret_bytes)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, ret_bytes, append);
    pack_record(&packer, record, value);
}
