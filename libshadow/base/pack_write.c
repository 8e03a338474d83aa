/* The few msgpack writers that base itself needs, so that kernels, files and slots carry no library
 * for it; shortest forms, as every msgpack writer makes them. */
#include "base/pack.h"

static void put_head(struct sw_buf *buf, uint8_t first, uint64_t number, int width)
{
    uint8_t head[9] = {first};
    for (int i = 0; i < width; i++)
        head[1 + i] = (uint8_t)(number >> (8 * (width - 1 - i)));
    sw_buf_put(buf, head, (size_t)width + 1);
}

void sw_pack_array(struct sw_buf *buf, uint32_t n)
{
    if (n < 16)
        put_head(buf, (uint8_t)(0x90 | n), 0, 0);
    else if (n <= UINT16_MAX)
        put_head(buf, 0xdc, n, 2);
    else
        put_head(buf, 0xdd, n, 4);
}

void sw_pack_u64(struct sw_buf *buf, uint64_t value)
{
    if (value < 128)
        put_head(buf, (uint8_t)value, 0, 0);
    else if (value <= UINT8_MAX)
        put_head(buf, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        put_head(buf, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        put_head(buf, 0xce, value, 4);
    else
        put_head(buf, 0xcf, value, 8);
}

void sw_pack_i64(struct sw_buf *buf, int64_t value)
{
    if (value >= 0)
        sw_pack_u64(buf, (uint64_t)value);
    else if (value >= -32)
        put_head(buf, (uint8_t)value, 0, 0);
    else if (value >= INT8_MIN)
        put_head(buf, 0xd0, (uint64_t)value, 1);
    else if (value >= INT16_MIN)
        put_head(buf, 0xd1, (uint64_t)value, 2);
    else if (value >= INT32_MIN)
        put_head(buf, 0xd2, (uint64_t)value, 4);
    else
        put_head(buf, 0xd3, (uint64_t)value, 8);
}

void sw_pack_bytes(struct sw_buf *buf, const void *p, size_t size)
{
    if (size <= UINT8_MAX)
        put_head(buf, 0xc4, size, 1);
    else if (size <= UINT16_MAX)
        put_head(buf, 0xc5, size, 2);
    else
        put_head(buf, 0xc6, size, 4);
    sw_buf_put(buf, p, size);
}

void sw_pack_text(struct sw_buf *buf, const void *p, size_t size)
{
    if (size < 32)
        put_head(buf, (uint8_t)(0xa0 | size), 0, 0);
    else if (size <= UINT8_MAX)
        put_head(buf, 0xd9, size, 1);
    else if (size <= UINT16_MAX)
        put_head(buf, 0xda, size, 2);
    else
        put_head(buf, 0xdb, size, 4);
    sw_buf_put(buf, p, size);
}
