/* What compress gave, decoded and compared with its input: far cheaper than compressing again, and
 * right for every level and version of zstd. Called by compress.c. What the reference command would
 * pass over in silence (skippable frames, frames without checksum or size, more frames than there
 * are) is refused: a result of a device that nobody trusts holds nothing but the file. */
#include "kernels/compress.h"
#include "kernels/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define HEADER_MAX   18   /* of a frame */
#define CHECKSUM_BIT 0x04 /* in the frame header's descriptor, its fifth byte */

struct compress_decoder {
    ZSTD_DCtx *zstd;
    uint8_t frames[STREAM_BLOCK]; /* of the output: [begin, end) is not decoded yet */
    size_t begin, end;
    uint64_t at; /* of frames[begin] in the output */
    bool over;   /* the output gave its end */
    uint8_t plain[STREAM_BLOCK];
    uint8_t wanted[STREAM_BLOCK];
};

void compress_decoder_destroy(struct compress_decoder **decoder)
{
    if (!*decoder)
        return;
    ZSTD_freeDCtx((*decoder)->zstd);
    sw_release(*decoder);
    *decoder = NULL;
}

/* NULL: no memory. */
static struct compress_decoder *decoder_begin(struct compress_decoder **decoder)
{
    if (!*decoder) {
        ZSTD_DCtx *zstd = ZSTD_createDCtx();
        if (!zstd)
            return NULL;
        ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, FRAME_LOG);
        *decoder = sw_alloc(1, sizeof **decoder);
        (*decoder)->zstd = zstd;
    }
    struct compress_decoder *d = *decoder;
    d->begin = d->end = 0;
    d->at = 0;
    d->over = false;
    return d;
}

/* At least `least` bytes in `frames`, fewer only at the output's end. */
static int fill(struct compress_decoder *d, struct sw_reader *output, size_t least)
{
    if (d->begin) {
        memmove(d->frames, d->frames + d->begin, d->end - d->begin);
        d->end -= d->begin;
        d->begin = 0;
    }
    while (!d->over && d->end < least) {
        ssize_t n = output->read(output, d->frames + d->end, STREAM_BLOCK - d->end);
        if (n < 0)
            return (int)n;
        d->over = n == 0;
        d->end += (size_t)n;
    }
    return 0;
}

static int wrong(const struct compress_decoder *d, const char *what, struct sw_err *err)
{
    return sw_fail(err, EBADMSG, "the output is not right at byte %" PRIu64 ": %s", d->at, what);
}

/* The header stands in `frames`, as far as there is one. */
static int check_header(const struct compress_decoder *d, uint64_t size, struct sw_err *err)
{
    static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
    if (d->end < sizeof magic + 1 || memcmp(d->frames, magic, sizeof magic) != 0)
        return wrong(d, "no zstd frame", err);
    if (!(d->frames[sizeof magic] & CHECKSUM_BIT))
        return wrong(d, "a frame without checksum", err);
    if (ZSTD_getFrameContentSize(d->frames, d->end) != size)
        return wrong(d, "not a frame of the size that has its turn", err);
    return 0;
}

static int compare(struct compress_decoder *d, struct source *input, size_t n, struct sw_err *err)
{
    ssize_t got = source_read(input, d->wanted, n);
    if (got < 0)
        return (int)got;
    bool same = (size_t)got == n && memcmp(d->plain, d->wanted, n) == 0;
    return same ? 0 : wrong(d, "it unpacks to something else than the input", err);
}

/* One frame of `size` bytes. */
static int frame(struct compress_decoder *d,
                 uint64_t size,
                 struct source *input,
                 struct sw_reader *output,
                 struct sw_err *err)
{
    uint64_t before = input->left;
    int r = fill(d, output, HEADER_MAX);
    r = r < 0 ? r : check_header(d, size, err);
    ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
    for (size_t left = 1; r == 0 && left;) {
        r = d->begin == d->end ? fill(d, output, 1) : 0;
        if (r < 0)
            return r;
        ZSTD_inBuffer from = {d->frames, d->end, d->begin};
        ZSTD_outBuffer to = {d->plain, sizeof d->plain, 0};
        left = ZSTD_decompressStream(d->zstd, &to, &from);
        if (ZSTD_isError(left) && ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
            return sw_fail(err, ENOMEM, "no memory for zstd");
        if (ZSTD_isError(left))
            return wrong(d, ZSTD_getErrorName(left), err);
        if (left && from.pos == d->begin && to.pos == 0 && d->over)
            return wrong(d, "it ends too early", err);
        d->at += from.pos - d->begin;
        d->begin = from.pos;
        r = compare(d, input, to.pos, err);
    }
    if (r == 0 && before - input->left != size)
        return wrong(d, "a frame is shorter than it says", err);
    return r;
}

int compress_verify(struct compress_decoder **decoder,
                    uint64_t size,
                    struct sw_reader *in,
                    struct sw_reader *output,
                    struct sw_err *ret_why)
{
    struct source input = {.in = in, .left = size};
    struct compress_decoder *d = decoder_begin(decoder);
    int r;
    if (!d)
        return sw_fail(ret_why, ENOMEM, "no memory for zstd");
    do { /* an empty file is one empty frame */
        r = frame(d, SW_MIN(input.left, FRAME_BYTES), &input, output, ret_why);
        if (r < 0)
            return r;
    } while (input.left);
    r = fill(d, output, 1);
    if (r < 0)
        return r;
    return d->end ? wrong(d, "bytes after the last frame", ret_why) : 0;
}
