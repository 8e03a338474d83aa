/* Deep copies of records, by descriptor: what outlives the message it came in. */
#include "proto/message.h"

#include <assert.h>
#include <string.h>

struct pair { /* a string or a list as it lies in a struct */
    const uint8_t *p;
    size_t n;
};

static bool is_list(const struct sw_field *field)
{
    return field->kind == SW_LIST || field->kind == SW_MAP;
}

/* Bytes that the things a record points to need, 8-aligned each. */
static size_t measure(const struct sw_record *record, const uint8_t *at)
{
    size_t size = 0;
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        struct pair pair;
        if (field->kind == SW_SUB)
            size += measure(field->record, at);
        if (field->kind == SW_SUB || sw_field_size(field) == 8)
            continue;
        memcpy(&pair, at, sizeof pair);
        size_t own = is_list(field) ? pair.n * field->record->size : pair.n + 1;
        size += (own + 7) & ~(size_t)7;
        for (size_t i = 0; is_list(field) && i < pair.n; i++)
            size += measure(field->record, pair.p + i * field->record->size);
    }
    return size;
}

static void copy(const struct sw_record *record, uint8_t *at, uint8_t **free_at)
{
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        struct pair pair;
        if (field->kind == SW_SUB)
            copy(field->record, at, free_at);
        if (field->kind == SW_SUB || sw_field_size(field) == 8)
            continue;
        memcpy(&pair, at, sizeof pair);
        size_t bytes = is_list(field) ? pair.n * field->record->size : pair.n;
        uint8_t *to = *free_at;
        if (bytes)
            memcpy(to, pair.p, bytes);
        if (!is_list(field))
            to[bytes++] = 0;
        *free_at += (bytes + 7) & ~(size_t)7;
        pair.p = to;
        memcpy(at, &pair, sizeof pair);
        for (size_t i = 0; is_list(field) && i < pair.n; i++)
            copy(field->record, to + i * field->record->size, free_at);
    }
}

void *sw_record_clone(const struct sw_record *record, const void *value)
{
    size_t size = record->size + measure(record, value);
    uint8_t *block = sw_alloc(1, size), *free_at = block + record->size;
    memcpy(block, value, record->size);
    copy(record, block, &free_at);
    assert(free_at == block + size);
    return block;
}
