/* Takes an uncompressed tar apart: where each member's bytes lie, by the rules of design.md section
 * 6, "Tar". */
#ifndef SW_FILES_UNTAR_H
#define SW_FILES_UNTAR_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads the tar in data_fd (an upload, all there) and appends entries to ret_manifest (no end
 * mark); offsets point into the same file (part 0) where members are contiguous; sparse members and
 * others that are not are expanded into `expand_fd` (part 1, an empty file), whose size is
 * *ret_expanded. size_max bounds the expanded bytes: a member beyond it is FAILED. -EBADMSG with
 * words when it is no tar, damaged or cut short; -EFBIG with more entries or name bytes than a
 * manifest may have. */
int sw_untar(int data_fd,
             int expand_fd,
             uint64_t size_max,
             struct sw_buf *ret_manifest,
             uint64_t *ret_expanded,
             struct sw_err *err);

bool sw_is_tar(const uint8_t *block_512); /* a valid first header block */

#endif
