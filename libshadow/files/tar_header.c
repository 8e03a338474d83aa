/* Tar headers, written and recognised. Called by result_tar (bytes of a result's tar) and by the
 * gateway through sw_is_tar; deterministic, owns nothing. */
#include "files/tar_header.h"

#include "files/untar.h"

#include <stdio.h>
#include <string.h>

/* Offsets and sizes of the fields that are used; the others stay zero. */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_SUM = 148,
    SUM_SIZE = 8,
    AT_TYPE = 156,
    AT_MAGIC = 257,
};

uint64_t tar_padded(uint64_t size)
{
    return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

uint64_t tar_header_size(size_t name_size)
{
    return name_size <= TAR_NAME_SIZE ? TAR_BLOCK : 2 * TAR_BLOCK + tar_padded(name_size + 1);
}

/* `width` bytes: octal digits and a NUL, or base 256 when it does not fit in them. */
static void put_number(uint8_t *at, size_t width, int64_t value)
{
    if (value >= 0 && value < INT64_C(1) << 3 * (width - 1)) {
        char digits[16];
        snprintf(digits, sizeof digits, "%0*jo", (int)width - 1, (uintmax_t)value);
        memcpy(at, digits, width);
        return;
    }
    for (size_t i = 0; i < width; i++)
        at[width - 1 - i] = (uint8_t)(value >> SW_MIN(8 * i, (size_t)63)); /* sign beyond 64 bits */
    at[0] |= 0x80;
}

/* The two sums in use: of unsigned and of signed bytes, the sum field counted as spaces. */
static void sum_block(const uint8_t *block, uint64_t *ret_plain, int64_t *ret_signed)
{
    *ret_plain = 0;
    *ret_signed = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        uint8_t byte = i >= AT_SUM && i < AT_SUM + SUM_SIZE ? ' ' : block[i];
        *ret_plain += byte;
        *ret_signed += (int8_t)byte;
    }
}

static void put_block(struct sw_buf *buf,
                      char type,
                      const char *name,
                      size_t name_size,
                      const struct tar_member *member)
{
    uint8_t block[TAR_BLOCK] = {0};
    memcpy(block + AT_NAME, name, SW_MIN(name_size, (size_t)TAR_NAME_SIZE));
    put_number(block + AT_MODE, 8, member->mode);
    put_number(block + AT_UID, 8, 0);
    put_number(block + AT_GID, 8, 0);
    put_number(block + AT_SIZE, 12, (int64_t)member->size);
    put_number(block + AT_MTIME, 12, member->mtime);
    block[AT_TYPE] = (uint8_t)type;
    memcpy(block + AT_MAGIC, "ustar  ", 8); /* GNU's, with its NUL */
    uint64_t sum;
    int64_t ignored;
    sum_block(block, &sum, &ignored);
    char digits[SUM_SIZE];
    snprintf(digits, sizeof digits, "%06jo", (uintmax_t)sum);
    memcpy(block + AT_SUM, digits, 7);
    block[AT_SUM + 7] = ' ';
    sw_buf_put(buf, block, sizeof block);
}

void tar_header_put(struct sw_buf *buf, const struct tar_member *member)
{
    if (member->name_size > TAR_NAME_SIZE) {
        struct tar_member name = {.size = member->name_size + 1};
        const char *link = "././@LongLink";
        put_block(buf, 'L', link, strlen(link), &name);
        size_t end = buf->size + (size_t)tar_padded(name.size);
        sw_buf_put(buf, member->name, member->name_size);
        memset(sw_buf_reserve(buf, end - buf->size), 0, end - buf->size);
        buf->size = end;
    }
    put_block(buf, '0', member->name, member->name_size, member);
}

bool tar_header_valid(const uint8_t block[TAR_BLOCK])
{
    uint64_t said = 0, plain;
    int64_t with_sign;
    size_t i = AT_SUM, digits = 0;
    while (i < AT_SUM + SUM_SIZE && block[i] == ' ')
        i++;
    for (; i < AT_SUM + SUM_SIZE && block[i] >= '0' && block[i] <= '7'; i++, digits++)
        said = said * 8 + (block[i] - (uint64_t)'0');
    if (digits == 0 || block[AT_NAME] == 0)
        return false;
    sum_block(block, &plain, &with_sign);
    return said == plain || (int64_t)said == with_sign;
}

bool sw_is_tar(const uint8_t *block_512)
{
    return tar_header_valid(block_512);
}
