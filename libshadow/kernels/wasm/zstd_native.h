/* Before zstd_compress.c: zstd takes another match finder for small windows where it is compiled
 * without SIMD, and that changes results. Its one question is answered as on a machine (x86 and ARM
 * alike), after the headers that would use the instructions. */
#ifndef SW_WASM_ZSTD_NATIVE_H
#define SW_WASM_ZSTD_NATIVE_H

#include "common/zstd_internal.h"

#define ZSTD_ARCH_ARM_NEON

#endif
