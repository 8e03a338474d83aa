/* Records to and from the JSON of the golden vectors, by descriptor. Used by the program that makes
 * them and by the test that reads them; the codec is never asked. */
#include "vector.h"

#include "proto/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair { /* a string or a list as it lies in a struct */
    const uint8_t *p;
    size_t n;
};

static void *take(struct vector_memory *memory, size_t n, size_t size)
{
    void *block = sw_alloc(SW_MAX(n, 1U), size);
    sw_grow(&memory->blocks, &memory->room, memory->n + 1, sizeof *memory->blocks);
    memory->blocks[memory->n++] = block;
    return block;
}

void vector_memory_done(struct vector_memory *memory)
{
    for (size_t i = 0; i < memory->n; i++)
        sw_release(memory->blocks[i]);
    sw_release(memory->blocks);
    *memory = (struct vector_memory){0};
}

json_t *vector_hex(const void *p, size_t n)
{
    AUTO_BUF struct sw_buf text = {0};
    sw_buf_text(&text, "");
    for (size_t i = 0; i < n; i++)
        sw_buf_printf(&text, "%02x", ((const uint8_t *)p)[i]);
    return json_stringn((char *)text.data, text.size);
}

bool vector_bytes(const json_t *hex, struct sw_buf *ret_bytes)
{
    const char *text = json_string_value(hex);
    size_t n = text ? strlen(text) : 1;
    for (size_t i = 0; n % 2 == 0 && i < n; i += 2) {
        unsigned byte;
        if (sscanf(text + i, "%2x", &byte) != 1)
            return false;
        sw_buf_put(ret_bytes, &(uint8_t){(uint8_t)byte}, 1);
    }
    return n % 2 == 0;
}

static bool is_list(const struct sw_field *field)
{
    return field->kind == SW_LIST || field->kind == SW_MAP;
}

static bool is_signed(const struct sw_field *field)
{
    return field->kind == SW_I64 || field->kind == SW_TIME;
}

static bool is_binary(const struct sw_field *field)
{
    return field->kind == SW_BIN || field->kind == SW_NAME;
}

/* ---- to JSON ---- */

static json_t *number_out(const struct sw_field *field, const uint8_t *at)
{
    uint64_t number;
    double real;
    char text[24];
    memcpy(&number, at, sizeof number);
    memcpy(&real, at, sizeof real);
    if (field->kind == SW_F64)
        return json_real(real);
    if (is_signed(field))
        snprintf(text, sizeof text, "%jd", (intmax_t)(int64_t)number);
    else
        snprintf(text, sizeof text, "%ju", (uintmax_t)number);
    return json_string(text);
}

static json_t *field_out(const struct sw_field *field, const uint8_t *at)
{
    struct pair pair;
    if (field->kind == SW_SUB)
        return vector_fields(field->record, at);
    if (sw_field_size(field) == 8)
        return number_out(field, at);
    memcpy(&pair, at, sizeof pair);
    if (!is_list(field))
        return is_binary(field) ? vector_hex(pair.p, pair.n)
                                : json_stringn(pair.n ? (const char *)pair.p : "", pair.n);
    json_t *list = json_array();
    for (size_t i = 0; i < pair.n; i++)
        json_array_append_new(list, vector_fields(field->record, pair.p + i * field->record->size));
    return list;
}

json_t *vector_fields(const struct sw_record *record, const void *value)
{
    json_t *object = json_object();
    const uint8_t *at = value;
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++))
        json_object_set_new(object, field->name, field_out(field, at));
    return object;
}

json_t *vector_rendered(const struct sw_record *record, const void *value)
{
    const uint8_t *at = value;
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        struct pair pair;
        if (strcmp(field->name, "rows") != 0)
            continue;
        memcpy(&pair, at, sizeof pair);
        json_t *list = json_array();
        for (size_t i = 0; i < pair.n; i++)
            json_array_append_new(list, sw_json(field->record, pair.p + i * field->record->size));
        return list;
    }
    return NULL;
}

/* ---- from JSON ---- */

static bool number_in(const struct sw_field *field, const json_t *item, uint8_t *at)
{
    const char *text = json_string_value(item);
    double real = json_number_value(item);
    if (field->kind == SW_F64) {
        memcpy(at, &real, sizeof real);
        return json_is_number(item);
    }
    if (!text)
        return false;
    char *end = NULL;
    uint64_t number =
        is_signed(field) ? (uint64_t)strtoll(text, &end, 10) : (uint64_t)strtoull(text, &end, 10);
    memcpy(at, &number, sizeof number);
    return *text && *end == 0;
}

static bool string_in(const struct sw_field *field,
                      const json_t *item,
                      struct vector_memory *memory,
                      struct pair *ret)
{
    AUTO_BUF struct sw_buf bytes = {0};
    if (!json_is_string(item) || (is_binary(field) && !vector_bytes(item, &bytes)))
        return false;
    if (!is_binary(field))
        sw_buf_put(&bytes, json_string_value(item), json_string_length(item));
    uint8_t *copy = take(memory, bytes.size, 1);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    *ret = (struct pair){copy, bytes.size};
    return true;
}

static bool field_in(const struct sw_field *field,
                     const json_t *item,
                     struct vector_memory *memory,
                     uint8_t *at)
{
    struct pair pair = {NULL, json_array_size(item)};
    if (field->kind == SW_SUB)
        return vector_value(field->record, item, memory, at);
    if (sw_field_size(field) == 8)
        return number_in(field, item, at);
    if (is_list(field)) {
        uint8_t *items = take(memory, pair.n, field->record->size);
        for (size_t i = 0; i < pair.n; i++)
            if (!vector_value(field->record, json_array_get(item, i), memory,
                              items + i * field->record->size))
                return false;
        pair.p = items;
    } else if (!string_in(field, item, memory, &pair)) {
        return false;
    }
    memcpy(at, &pair, sizeof pair);
    return !is_list(field) || json_is_array(item);
}

bool vector_value(const struct sw_record *record,
                  const json_t *fields,
                  struct vector_memory *memory,
                  void *ret_value)
{
    uint8_t *at = ret_value;
    size_t n = 0;
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        if (!field_in(field, json_object_get(fields, field->name), memory, at))
            return false;
        n++;
    }
    return json_object_size(fields) == n;
}
