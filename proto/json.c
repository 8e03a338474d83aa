/* Struct to JSON, by descriptor. Called by the gateway; knows nothing of any message beyond its
 * descriptors. */
#include "proto/json.h"

#include "base/clock.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void *allocate(size_t size)
{
    return sw_alloc(1, size);
}

/* jansson says the same of bytes that are no text and of memory that is out: an answer with members
 * missing, or a name escaped that need not be. So it aborts as sw_alloc does; its sizes are bounded
 * by those of bodies and messages. */
__attribute__((constructor)) static void never_without_memory(void)
{
    json_set_alloc_funcs(allocate, sw_release);
}

/* Length of the valid UTF-8 sequence at p, 0 when there is none: jansson's own check decides. */
static size_t utf8_length(const char *p, size_t room)
{
    unsigned char first = (unsigned char)*p;
    size_t n = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    if (n <= 1 || n > room)
        return n > room ? 0 : n;
    json_t *probe = json_stringn(p, n);
    json_decref(probe);
    return probe ? n : 0;
}

json_t *sw_json_name(struct sw_str name, bool *ret_escaped)
{
    json_t *plain = json_stringn(name.n ? name.p : "", name.n);
    *ret_escaped = !plain;
    if (plain)
        return plain;
    AUTO_BUF struct sw_buf text = {0};
    for (size_t i = 0; i < name.n;) {
        size_t n = utf8_length(name.p + i, name.n - i);
        if (n == 0)
            sw_buf_printf(&text, "\\x%02x", (unsigned char)name.p[i]);
        else if (name.p[i] == '\\')
            sw_buf_text(&text, "\\\\");
        else
            sw_buf_put(&text, name.p + i, n);
        i += n ? n : 1;
    }
    return json_stringn((char *)text.data, text.size);
}

json_t *sw_json_text(struct sw_str s)
{
    json_t *plain = json_stringn(s.n ? s.p : "", s.n);
    if (plain)
        return plain;
    AUTO_BUF struct sw_buf text = {0};
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_length(s.p + i, s.n - i);
        sw_buf_put(&text, n ? s.p + i : "\xef\xbf\xbd", n ? n : 3);
        i += n ? n : 1;
    }
    return json_stringn((char *)text.data, text.size);
}

json_t *sw_json_base64(struct sw_str bytes)
{
    size_t room = sodium_base64_encoded_len(bytes.n, sodium_base64_VARIANT_ORIGINAL);
    char *text = sw_alloc(room, 1);
    sodium_bin2base64(text, room, (const unsigned char *)bytes.p, bytes.n,
                      sodium_base64_VARIANT_ORIGINAL);
    json_t *string = json_string(text);
    sw_release(text);
    return string;
}

json_t *sw_json_time(int64_t wall_ms)
{
    char text[SW_TIME_TEXT];
    if (wall_ms == 0)
        return json_null();
    sw_time_text(wall_ms, text);
    return json_string(text);
}

static json_t *map_of(const struct sw_msg_param *params, size_t n)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++) {
        AUTO(sw_text) char *key = sw_copy_text(params[i].name.p, params[i].name.n);
        AUTO(sw_text) char *value = sw_copy_text(params[i].value.p, params[i].value.n);
        json_t *item = params[i].kind == 1   ? json_integer(strtoll(value, NULL, 10))
                       : params[i].kind == 2 ? json_boolean(!strcmp(value, "true"))
                                             : sw_json_text(params[i].value);
        json_object_set_new(object, key, item);
    }
    return object;
}

static json_t *number_of(const struct sw_field *field, const void *at)
{
    union {
        uint64_t u;
        int64_t i;
        double f;
    } number;
    memcpy(&number, at, sizeof number);
    char text[24];
    switch (field->kind) {
    case SW_BOOL:
        return json_boolean(number.u);
    case SW_F64:
        return json_real(isfinite(number.f) ? number.f : 0); /* JSON has no others */
    case SW_TIME:
        return sw_json_time(number.i);
    case SW_ID:
        snprintf(text, sizeof text, "%ju", (uintmax_t)number.u);
        return json_string(text);
    case SW_U64:
        if (number.u > INT64_MAX)
            return json_real((double)number.u);
        break;
    case SW_I64:
    case SW_STR:
    case SW_OPT:
    case SW_BIN:
    case SW_NAME:
    case SW_JSON:
    case SW_LIST:
    case SW_MAP:
    case SW_SUB:
        break;
    }
    return json_integer((json_int_t)number.i);
}

static json_t *string_of(const struct sw_field *field, struct sw_str s, json_t *object)
{
    bool escaped = false;
    if (s.n == 0 && (field->kind == SW_OPT || field->kind == SW_JSON))
        return json_null();
    if (field->kind == SW_JSON) {
        json_t *parsed = json_loadb(s.p, s.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        return parsed ? parsed : json_null();
    }
    if (field->kind != SW_NAME)
        return sw_json_text(s);
    json_t *name = sw_json_name(s, &escaped);
    if (escaped) {
        AUTO_BUF struct sw_buf key = {0};
        sw_buf_printf(&key, "%sBytes", field->json);
        json_object_set_new(object, (char *)key.data, sw_json_base64(s));
    }
    return name;
}

json_t *sw_json(const struct sw_record *record, const void *value)
{
    json_t *object = json_object();
    const uint8_t *at = value;
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        struct {
            const char *p;
            size_t n;
        } pair;
        if (!*field->json)
            continue;
        json_t *item = NULL;
        if (field->kind == SW_SUB) {
            item = sw_json(field->record, at);
        } else if (sw_field_size(field) == 8) {
            item = number_of(field, at);
        } else {
            memcpy(&pair, at, sizeof pair);
            if (field->kind == SW_MAP) {
                item = map_of((const struct sw_msg_param *)(const void *)pair.p, pair.n);
            } else if (field->kind == SW_LIST) {
                item = json_array();
                for (size_t i = 0; i < pair.n; i++)
                    json_array_append_new(item,
                                          sw_json(field->record, pair.p + i * field->record->size));
            } else {
                item = string_of(field, (struct sw_str){pair.p, pair.n}, object);
            }
        }
        json_object_set_new(object, field->json, item);
    }
    return object;
}
