/* transform's operations, one function each, and what they run on. Inside libshadow only. */
#ifndef SW_KERNELS_TRANSFORM_H
#define SW_KERNELS_TRANSFORM_H

#include "kernels/stream.h"

#pragma GCC visibility push(hidden)

/* One file on its way through an operation. */
struct transform_io {
    struct source source;
    struct sink sink;     /* sink.block is also free for direct use while sink.n is 0 */
    uint8_t *block;       /* STREAM_BLOCK bytes for input */
    uint64_t max_bytes;   /* decompress: the output's cap */
    void *tool;           /* what the operation's open made, or NULL */
    struct sw_err *error; /* words for -EBADMSG */
};

/* All: 0, -EBADMSG with words, or the run's own failure. */
int transform_upper(struct transform_io *io);
int transform_lower(struct transform_io *io);
int transform_crlf(struct transform_io *io);
int transform_lf(struct transform_io *io);
int transform_base64(struct transform_io *io);
int transform_unbase64(struct transform_io *io);

int transform_zstd_open(const char *from, const char *to, void **ret_tool, struct sw_err *err);
void transform_zstd_close(void *tool);
int transform_zstd(struct transform_io *io);

int transform_iconv_open(const char *from, const char *to, void **ret_tool, struct sw_err *err);
void transform_iconv_close(void *tool);
int transform_iconv(struct transform_io *io);

#pragma GCC visibility pop
#endif
