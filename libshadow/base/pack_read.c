/* The bounded msgpack cursor. Called wherever bytes from outside are read; owns nothing, allocates
 * nothing. */
#include "base/pack.h"

#include <errno.h>
#include <string.h>

enum shape {
    SHAPE_BAD,
    SHAPE_UINT,
    SHAPE_INT,
    SHAPE_BOOL,
    SHAPE_NIL,
    SHAPE_FLOAT,
    SHAPE_BYTES,
    SHAPE_ARRAY,
    SHAPE_MAP
};

/* One value's head: what it is, how many bytes its head takes, its number (value, length or count).
 */
struct head {
    enum shape shape;
    uint32_t size;
    uint64_t number;
};

/* By first byte 0xc0 to 0xdf: shape and how many big-endian bytes follow as its number. ext types
 * are bad. */
static const struct {
    uint8_t shape, width;
} heads[32] = {
    {SHAPE_NIL, 0},   {SHAPE_BAD, 0},
    {SHAPE_BOOL, 0},  {SHAPE_BOOL, 0}, /* nil, -, false, true */
    {SHAPE_BYTES, 1}, {SHAPE_BYTES, 2},
    {SHAPE_BYTES, 4}, {SHAPE_BAD, 0}, /* bin 8 16 32, ext */
    {SHAPE_BAD, 0},   {SHAPE_BAD, 0},
    {SHAPE_FLOAT, 4}, {SHAPE_FLOAT, 8}, /* ext, ext, float */
    {SHAPE_UINT, 1},  {SHAPE_UINT, 2},
    {SHAPE_UINT, 4},  {SHAPE_UINT, 8}, /* uint */
    {SHAPE_INT, 1},   {SHAPE_INT, 2},
    {SHAPE_INT, 4},   {SHAPE_INT, 8}, /* int */
    {SHAPE_BAD, 0},   {SHAPE_BAD, 0},
    {SHAPE_BAD, 0},   {SHAPE_BAD, 0}, /* fixext */
    {SHAPE_BAD, 0},   {SHAPE_BYTES, 1},
    {SHAPE_BYTES, 2}, {SHAPE_BYTES, 4}, /* fixext, str 8 16 32 */
    {SHAPE_ARRAY, 2}, {SHAPE_ARRAY, 4},
    {SHAPE_MAP, 2},   {SHAPE_MAP, 4}, /* array, map */
};

static struct head read_head(const uint8_t *at, const uint8_t *end)
{
    if (at == end)
        return (struct head){SHAPE_BAD, 0, 0};
    uint8_t first = *at;
    if (first < 0x80)
        return (struct head){SHAPE_UINT, 1, first};
    if (first < 0x90)
        return (struct head){SHAPE_MAP, 1, first & 15U};
    if (first < 0xa0)
        return (struct head){SHAPE_ARRAY, 1, first & 15U};
    if (first < 0xc0)
        return (struct head){SHAPE_BYTES, 1, first & 31U};
    if (first >= 0xe0)
        return (struct head){SHAPE_INT, 1, (uint64_t)(int64_t)(int8_t)first};
    uint8_t width = heads[first - 0xc0].width;
    struct head head = {heads[first - 0xc0].shape, 1U + width, 0};
    if ((size_t)(end - at) < head.size)
        return (struct head){SHAPE_BAD, 0, 0};
    if (head.shape == SHAPE_BOOL)
        head.number = first & 1U;
    for (uint32_t i = 1; i <= width; i++)
        head.number = head.number << 8 | at[i];
    if (head.shape == SHAPE_INT && width > 0 && width < 8) { /* sign-extend */
        unsigned shift = 64U - 8U * width;
        head.number = (uint64_t)((int64_t)(head.number << shift) >> shift);
    }
    return head;
}

/* Walks one value with its own stack of open containers; -ENODATA when cut off, -EBADMSG when
 * wrong. */
static int walk(const uint8_t *at, const uint8_t *end, const uint8_t **ret_end)
{
    uint64_t left[SW_PACK_DEPTH_MAX + 1] = {1};
    int depth = 0;
    while (depth >= 0) {
        if (left[depth] == 0) {
            depth--;
            continue;
        }
        left[depth]--;
        struct head head = read_head(at, end);
        if (head.shape == SHAPE_BAD) {
            bool known =
                at == end || *at < 0xc0 || *at >= 0xe0 || heads[*at - 0xc0].shape != SHAPE_BAD;
            return known ? -ENODATA : -EBADMSG;
        }
        at += head.size;
        uint64_t room = (uint64_t)(end - at);
        if (head.shape == SHAPE_BYTES) {
            if (head.number > room)
                return -ENODATA;
            at += head.number;
        } else if (head.shape == SHAPE_ARRAY || head.shape == SHAPE_MAP) {
            uint64_t n = head.shape == SHAPE_MAP ? head.number * 2 : head.number;
            if (n > room) /* every element takes at least a byte */
                return -ENODATA;
            if (depth == SW_PACK_DEPTH_MAX)
                return -EBADMSG;
            left[++depth] = n;
        }
    }
    *ret_end = at;
    return 0;
}

int sw_pack_scan_front(const void *p, size_t size, size_t *ret_size)
{
    const uint8_t *end = NULL;
    int r = walk(p, (const uint8_t *)p + size, &end);
    if (r == 0)
        *ret_size = (size_t)(end - (const uint8_t *)p);
    return r;
}

int sw_pack_scan(const void *p, size_t size)
{
    size_t used = 0;
    int r = sw_pack_scan_front(p, size, &used);
    return r < 0 || used != size ? -EBADMSG : 0;
}

struct sw_cursor sw_cursor_of(const void *p, size_t size)
{
    return (struct sw_cursor){p, (const uint8_t *)p + size, false};
}

static struct head take(struct sw_cursor *cursor)
{
    struct head head = {SHAPE_BAD, 0, 0};
    if (!cursor->failed)
        head = read_head(cursor->at, cursor->end);
    cursor->at += head.size;
    cursor->failed |= head.shape == SHAPE_BAD;
    return head;
}

static uint64_t fail(struct sw_cursor *cursor)
{
    cursor->failed = true;
    return 0;
}

uint32_t sw_read_array(struct sw_cursor *cursor)
{
    struct head head = take(cursor);
    if (head.shape != SHAPE_ARRAY || head.number > (uint64_t)(cursor->end - cursor->at))
        return (uint32_t)fail(cursor);
    return (uint32_t)head.number;
}

uint64_t sw_read_u64(struct sw_cursor *cursor)
{
    struct head head = take(cursor);
    bool negative = head.shape == SHAPE_INT && (int64_t)head.number < 0;
    bool number = head.shape == SHAPE_UINT || head.shape == SHAPE_INT || head.shape == SHAPE_BOOL;
    return !number || negative ? fail(cursor) : head.number;
}

int64_t sw_read_i64(struct sw_cursor *cursor)
{
    struct head head = take(cursor);
    bool big = head.shape == SHAPE_UINT && head.number > INT64_MAX;
    bool number = head.shape == SHAPE_UINT || head.shape == SHAPE_INT || head.shape == SHAPE_BOOL;
    return !number || big ? (int64_t)fail(cursor) : (int64_t)head.number;
}

double sw_read_f64(struct sw_cursor *cursor)
{
    struct head head = take(cursor);
    if (head.shape == SHAPE_UINT)
        return (double)head.number;
    if (head.shape == SHAPE_INT)
        return (double)(int64_t)head.number;
    if (head.shape != SHAPE_FLOAT)
        return (double)fail(cursor);
    if (head.size == 9) {
        double value;
        memcpy(&value, &head.number, sizeof value);
        return value;
    }
    uint32_t bits = (uint32_t)head.number;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

const char *sw_read_bytes(struct sw_cursor *cursor, size_t *ret_size)
{
    struct head head = take(cursor);
    *ret_size = 0;
    if (head.shape != SHAPE_BYTES || head.number > (uint64_t)(cursor->end - cursor->at)) {
        fail(cursor);
        return "";
    }
    const char *bytes = (const char *)cursor->at;
    cursor->at += head.number;
    *ret_size = (size_t)head.number;
    return bytes;
}

void sw_read_skip(struct sw_cursor *cursor)
{
    const uint8_t *end = NULL;
    if (cursor->failed || walk(cursor->at, cursor->end, &end) < 0)
        fail(cursor);
    else
        cursor->at = end;
}
