/* transform base64 and unbase64: as `base64` (lines of 76) and `base64 -d` (line feeds ignored,
 * anything else that is not base64 an error). */
#include "kernels/transform.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>

#define LINE_IN  57
#define LINE_OUT 77 /* with its line feed */

int transform_base64(struct transform_io *io)
{
    uint8_t line[LINE_OUT + 1]; /* EVP_EncodeBlock ends with a NUL */
    for (;;) {
        ssize_t n = source_read(&io->source, io->block, STREAM_BLOCK / LINE_IN * LINE_IN);
        if (n <= 0)
            return (int)n;
        for (ssize_t at = 0; at < n; at += LINE_IN) {
            int size = EVP_EncodeBlock(line, io->block + at, (int)SW_MIN(n - at, LINE_IN));
            line[size] = '\n';
            int r = sink_put(&io->sink, line, (size_t)size + 1);
            if (r < 0)
                return r;
        }
    }
}

/* 0 to 63; -1 for a byte that is none of the 64. */
static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters into 1 to 3 bytes; 0 when they are not base64. Padding may end any group, as
 * files that were joined have it; the bits it leaves unused are not looked at. */
static size_t decode_group(const uint8_t *group, uint8_t *ret_bytes)
{
    int a = digit(group[0]), b = digit(group[1]), c = digit(group[2]), d = digit(group[3]);
    size_t n = 3;
    if (group[3] == '=') {
        d = 0;
        n = 2;
        if (group[2] == '=') {
            c = 0;
            n = 1;
        }
    }
    if (a < 0 || b < 0 || c < 0 || d < 0)
        return 0;
    ret_bytes[0] = (uint8_t)(a << 2 | b >> 4);
    ret_bytes[1] = (uint8_t)(b << 4 | c >> 2);
    ret_bytes[2] = (uint8_t)(c << 6 | d);
    return n;
}

int transform_unbase64(struct transform_io *io)
{
    uint8_t group[4], bytes[3];
    size_t n_group = 0;
    uint64_t offset = 0;
    for (;;) {
        ssize_t n = source_read(&io->source, io->block, STREAM_BLOCK);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++) {
            if (io->block[i] == '\n')
                continue;
            group[n_group++] = io->block[i];
            if (n_group < 4)
                continue;
            n_group = 0;
            size_t size = decode_group(group, bytes);
            if (size == 0)
                return sw_fail(io->error, EBADMSG,
                               "not base64: the group of four that ends at byte %" PRIu64,
                               offset + (uint64_t)i);
            int r = sink_put(&io->sink, bytes, size);
            if (r < 0)
                return r;
        }
        offset += (uint64_t)n;
    }
    if (n_group)
        return sw_fail(io->error, EBADMSG,
                       "not base64: it ends in the middle of a group of four characters");
    return 0;
}
