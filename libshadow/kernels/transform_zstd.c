/* transform decompress: zstd frames, one or many, as `zstd -d` takes them. Memory is the frame's
 * window, at most 128 MiB (zstd's own limit); the output is capped, so that a bomb is an error of
 * its file. */
#include "kernels/transform.h"

#include <errno.h>
#include <inttypes.h>
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 27
#define DESCRIPTOR     4    /* a frame's fifth byte */
#define CHECKSUM_BIT   0x04 /* in it */

/* The frame that is being decoded. */
struct frame {
    uint64_t seen; /* bytes of it decoded */
    bool checked;  /* it ends in a checksum */
};

/* Without a checksum a 32-bit decoder finds damage that a 64-bit one takes for data: a wasm device
 * leaves such a file to a native agent, else its honest word would look like a lie. */
static bool judges_damage(const struct frame *frame)
{
#ifdef __wasm__
    return frame->checked;
#else
    (void)frame;
    return true;
#endif
}

int transform_zstd_open(const char *from, const char *to, void **ret_tool, struct sw_err *err)
{
    (void)from;
    (void)to;
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    if (!zstd)
        return sw_fail(err, ENOMEM, "no memory for zstd");
    ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    *ret_tool = zstd;
    return 0;
}

void transform_zstd_close(void *tool)
{
    ZSTD_freeDCtx(tool);
}

/* Where damage is noticed, and as what, differs with the processor and between native and wasm, and
 * two devices that work on one file must say the same: so there is one text for it, without a
 * place. What a frame's header asks for is seen alike everywhere. */
static const char *header_words(ZSTD_ErrorCode error)
{
    switch ((int)error) {
    case ZSTD_error_prefix_unknown:
        return "this is no zstd frame";
    case ZSTD_error_frameParameter_windowTooLarge:
        return "the frame needs a window over 128 MiB";
    case ZSTD_error_version_unsupported:
    case ZSTD_error_frameParameter_unsupported:
    case ZSTD_error_dictionary_wrong:
        return ZSTD_getErrorString(error);
    default:
        return NULL;
    }
}

static int refuse(struct transform_io *io, size_t code, uint64_t at, const struct frame *frame)
{
    ZSTD_ErrorCode error = ZSTD_getErrorCode(code);
    if (error == ZSTD_error_memory_allocation)
        return sw_fail(io->error, ENOMEM, "no memory for zstd");
    const char *words = header_words(error);
    if (!words)
        return sw_fail(io->error, judges_damage(frame) ? EBADMSG : ENOTSUP,
                       "cannot decompress: the data is damaged");
    return sw_fail(io->error, EBADMSG, "cannot decompress at byte %" PRIu64 ": %s", at, words);
}

/* One block of input. *ret_left is 0 when a frame ended with it. */
static int decode(struct transform_io *io,
                  size_t n,
                  uint64_t at,
                  struct frame *frame,
                  uint64_t *total,
                  size_t *ret_left)
{
    ZSTD_inBuffer from = {io->block, n, 0};
    ZSTD_outBuffer to = {0};
    do {
        to = (ZSTD_outBuffer){io->sink.block, STREAM_BLOCK, 0};
        size_t before = from.pos;
        if (frame->seen <= DESCRIPTOR && DESCRIPTOR - frame->seen < n - before)
            frame->checked = io->block[before + DESCRIPTOR - frame->seen] & CHECKSUM_BIT;
        size_t left = ZSTD_decompressStream(io->tool, &to, &from);
        if (ZSTD_isError(left))
            return refuse(io, left, at + from.pos, frame);
        frame->seen += from.pos - before;
        if (left == 0)
            *frame = (struct frame){0};
        *ret_left = left;
        *total += to.pos;
        if (*total > io->max_bytes)
            return sw_fail(io->error, EBADMSG, "unpacks to more than %" PRIu64 " bytes (max-bytes)",
                           io->max_bytes);
        int r = to.pos ? io->sink.out->write(io->sink.out, io->sink.block, to.pos) : 0;
        if (r < 0)
            return r;
    } while (from.pos < from.size || (*ret_left && to.pos == to.size));
    return 0;
}

int transform_zstd(struct transform_io *io)
{
    ZSTD_DCtx_reset(io->tool, ZSTD_reset_session_only);
    struct frame frame = {0};
    uint64_t at = 0, total = 0;
    size_t left = 1; /* no input at all is no frame */
    for (;;) {
        ssize_t n = source_read(&io->source, io->block, STREAM_BLOCK);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        int r = decode(io, (size_t)n, at, &frame, &total, &left);
        if (r < 0)
            return r;
        at += (uint64_t)n;
    }
    if (left)
        return sw_fail(io->error, EBADMSG, "the zstd data ends too early, at byte %" PRIu64, at);
    return 0;
}
