/* Text from outside made fit for a terminal and for JSON, figures made fit for people. Pure. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

/* The length of the well-formed UTF-8 sequence at p (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t n, uint32_t *ret_point)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t i = 0; i < SW_COUNT(forms); i++) {
        if ((p[0] & forms[i].mask) != forms[i].lead)
            continue;
        if (i >= n)
            return 0;
        uint32_t point = p[0] & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k <= i; k++) {
            if ((p[k] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (p[k] & 0x3f);
        }
        if (point < forms[i].least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return 0;
        *ret_point = point;
        return i + 1;
    }
    return 0;
}

bool text_is_utf8(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0, step; i < size; i += step) {
        uint32_t point;
        step = utf8_length(p + i, size - i, &point);
        if (!step)
            return false;
    }
    return true;
}

static bool is_unsafe(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0xfeff;
}

void text_escape(struct sw_buf *buf, const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    sw_buf_put(buf, "", 0);
    for (size_t i = 0; i < size;) {
        uint32_t point = 0;
        size_t n = utf8_length(p + i, size - i, &point);
        if (n && !is_unsafe(point)) {
            sw_buf_put(buf, p + i, n);
            i += n;
            continue;
        }
        for (n = SW_MAX(n, (size_t)1); n; n--, i++)
            sw_buf_printf(buf, "\\x%02x", p[i]);
    }
    sw_buf_reserve(buf, 1)[0] = 0;
}

static bool is_inside(char c) /* of a UTF-8 character, not its first byte */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

struct text_short text_short(const char *text, size_t max)
{
    static const char gap[] = "\u2026";
    struct text_short ret = {{0}};
    size_t n = strlen(text);
    max = SW_MIN(max, sizeof ret.text - 1);
    if (n <= max) {
        memcpy(ret.text, text, n);
        return ret;
    }
    size_t head = (max - (sizeof gap - 1)) / 2, tail = head;
    for (int i = 0; i < 3 && head && is_inside(text[head]); i++)
        head--;
    for (int i = 0; i < 3 && tail && is_inside(text[n - tail]); i++)
        tail--;
    memcpy(ret.text, text, head);
    memcpy(ret.text + head, gap, sizeof gap - 1);
    memcpy(ret.text + head + sizeof gap - 1, text + n - tail, tail);
    return ret;
}

void text_bytes(struct sw_buf *buf, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < SW_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    if (unit && value < 9.95)
        sw_buf_printf(buf, "%.1f %s", value, units[unit]);
    else
        sw_buf_printf(buf, "%.0f %s", value, units[unit]);
}

void text_span(struct sw_buf *buf, int64_t seconds)
{
    if (seconds < 60)
        sw_buf_printf(buf, "%jd s", (intmax_t)seconds);
    else if (seconds < 3600)
        sw_buf_printf(buf, "%jd min %02jd s", (intmax_t)seconds / 60, (intmax_t)seconds % 60);
    else
        sw_buf_printf(buf, "%jd h %02jd min", (intmax_t)seconds / 3600,
                      (intmax_t)seconds / 60 % 60);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

void text_base64(struct sw_buf *buf, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)p[i] << 16;
        three |= i + 1 < size ? (uint32_t)p[i + 1] << 8 : 0;
        three |= i + 2 < size ? p[i + 2] : 0;
        char four[4] = {base64_digits[three >> 18], base64_digits[three >> 12 & 63],
                        base64_digits[i + 1 < size ? three >> 6 & 63 : 64],
                        base64_digits[i + 2 < size ? three & 63 : 64]};
        sw_buf_put(buf, four, 4);
    }
}

bool text_unbase64(struct sw_buf *buf, const char *text)
{
    uint32_t bits = 0;
    unsigned n = 0;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(base64_digits, *text);
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - base64_digits);
        n += 6;
        if (n >= 8) {
            n -= 8;
            unsigned char byte = (unsigned char)(bits >> n);
            sw_buf_put(buf, &byte, 1);
        }
    }
    return true;
}

void text_json_name(json_t *object, const char *key, const char *name, size_t size)
{
    AUTO_BUF struct sw_buf text = {0};
    char bytes_key[64];
    if (text_is_utf8(name, size)) {
        json_object_set_new(object, key, json_stringn(name, size));
        return;
    }
    text_escape(&text, name, size);
    json_object_set_new(object, key, json_string((const char *)text.data));
    sw_buf_clear(&text);
    text_base64(&text, name, size);
    snprintf(bytes_key, sizeof bytes_key, "%sBytes", key);
    json_object_set_new(object, bytes_key, json_string((const char *)text.data));
}

bool text_from_json(const json_t *object, const char *key, struct sw_buf *ret_name)
{
    char bytes_key[64];
    snprintf(bytes_key, sizeof bytes_key, "%sBytes", key);
    const json_t *bytes = json_object_get(object, bytes_key);
    const json_t *plain = json_object_get(object, key);
    if (json_is_string(bytes))
        return text_unbase64(ret_name, json_string_value(bytes));
    if (!json_is_string(plain))
        return false;
    sw_buf_put(ret_name, json_string_value(plain), json_string_length(plain));
    return true;
}
