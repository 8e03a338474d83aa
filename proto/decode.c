/* Msgpack to struct, by descriptor. The bytes were walked by the scan before anything here looks at
 * them, and what one message may take of the arena is bounded: a hostile header costs its own
 * length and at most 4 MiB. */
#include "base/pack.h"
#include "proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sw_arena_done(struct sw_arena *arena)
{
    free(arena->data);
    *arena = (struct sw_arena){0};
}

/* One block for ever: it must not move under the pointers into it, and untouched pages cost
 * nothing. */
static void *arena_take(struct sw_arena *arena, size_t n, size_t size)
{
    if (!arena->data) {
        arena->data = sw_alloc(1, SW_ARENA_MAX);
        arena->room = SW_ARENA_MAX;
    }
    if (n > (arena->room - arena->used) / size)
        return NULL;
    void *p = arena->data + arena->used;
    arena->used += n * size;
    memset(p, 0, n * size);
    return p;
}

static int read_record(struct sw_cursor *in,
                       struct sw_arena *arena,
                       const struct sw_record *record,
                       uint8_t *at);

static int
read_list(struct sw_cursor *in, struct sw_arena *arena, const struct sw_record *record, uint8_t *at)
{
    struct {
        uint8_t *p;
        size_t n;
    } list = {NULL, sw_read_array(in)};
    if (list.n) {
        list.p = arena_take(arena, list.n, record->size);
        if (!list.p)
            return -E2BIG;
    }
    for (size_t i = 0; i < list.n; i++) {
        int r = read_record(in, arena, record, list.p + i * record->size);
        if (r < 0)
            return r;
    }
    memcpy(at, &list, sizeof list);
    return 0;
}

static int
read_field(struct sw_cursor *in, struct sw_arena *arena, const struct sw_field *field, uint8_t *at)
{
    union {
        uint64_t u;
        int64_t i;
        double f;
    } number = {0};
    struct sw_str s;
    switch (field->kind) {
    case SW_STR:
    case SW_OPT:
    case SW_BIN:
    case SW_NAME:
    case SW_JSON:
        s.p = sw_read_bytes(in, &s.n);
        memcpy(at, &s, sizeof s);
        return 0;
    case SW_LIST:
    case SW_MAP:
        return read_list(in, arena, field->record, at);
    case SW_SUB:
        return read_record(in, arena, field->record, at);
    case SW_F64:
        number.f = sw_read_f64(in);
        break;
    case SW_I64:
    case SW_TIME:
        number.i = sw_read_i64(in);
        break;
    case SW_U64:
    case SW_BOOL:
    case SW_ID:
        number.u = sw_read_u64(in);
        break;
    }
    memcpy(at, &number, sizeof number);
    return 0;
}

/* `n` elements: the record's fields in order, missing ones stay zero, extra ones are skipped. */
static int read_fields(struct sw_cursor *in,
                       struct sw_arena *arena,
                       const struct sw_record *record,
                       uint32_t n,
                       uint8_t *at)
{
    const struct sw_field *field = record->fields;
    for (uint32_t i = 0; i < n && !in->failed; i++) {
        if (!field->name) {
            sw_read_skip(in);
            continue;
        }
        int r = read_field(in, arena, field, at);
        if (r < 0)
            return r;
        at += sw_field_size(field++);
    }
    return in->failed ? -EBADMSG : 0;
}

static int read_record(struct sw_cursor *in,
                       struct sw_arena *arena,
                       const struct sw_record *record,
                       uint8_t *at)
{
    uint32_t n = sw_read_array(in);
    return read_fields(in, arena, record, n, at);
}

int sw_decode(
    const void *p, size_t size, struct sw_arena *arena, struct sw_message *ret, struct sw_err *err)
{
    arena->used = 0;
    if (sw_pack_scan(p, size) < 0)
        return sw_fail(err, EBADMSG, "header of %zu bytes is not one msgpack array", size);
    struct sw_cursor in = sw_cursor_of(p, size);
    uint32_t n = sw_read_array(&in);
    uint64_t type = n ? sw_read_u64(&in) : 0;
    const struct sw_record *record =
        type <= INT32_MAX ? sw_record_of((enum sw_message_type)type) : NULL;
    if (in.failed || !record)
        return sw_fail(err, EBADMSG, "message type %ju is not known", (uintmax_t)type);
    memset(&ret->of, 0, record->size);
    int r = read_fields(&in, arena, record, n - 1, (uint8_t *)&ret->of);
    if (r == -E2BIG)
        return sw_fail(err, E2BIG, "%s holds more than %zu bytes of lists", record->constant,
                       SW_ARENA_MAX);
    if (r < 0)
        return sw_fail(err, EBADMSG, "%s has a field of another kind", record->constant);
    ret->type = record->type;
    return 0;
}

int sw_decode_record(const struct sw_record *record,
                     const void *p,
                     size_t size,
                     struct sw_arena *arena,
                     bool keep,
                     void *ret_value)
{
    if (!keep)
        arena->used = 0;
    arena->used = (arena->used + 7) & ~(size_t)7;
    if (sw_pack_scan(p, size) < 0)
        return -EBADMSG;
    struct sw_cursor in = sw_cursor_of(p, size);
    memset(ret_value, 0, record->size);
    return read_record(&in, arena, record, ret_value);
}
