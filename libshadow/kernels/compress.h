/* Between compress.c and compress_verify.c. */
#ifndef SW_KERNELS_COMPRESS_H
#define SW_KERNELS_COMPRESS_H

#include "kernels/kernel.h"

#pragma GCC visibility push(hidden)

#define FRAME_LOG   24
#define FRAME_BYTES ((uint64_t)1 << FRAME_LOG)

struct compress_decoder;

/* Is `output` whole frames, each of its 16 MiB, that give `size` bytes of `in` back? As
 * sw_kernel_verify. *decoder is made when it is NULL, and serves the next one too. */
int compress_verify(struct compress_decoder **decoder,
                    uint64_t size,
                    struct sw_reader *in,
                    struct sw_reader *output,
                    struct sw_err *ret_why);
void compress_decoder_destroy(struct compress_decoder **decoder);

#pragma GCC visibility pop
#endif
