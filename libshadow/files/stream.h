/* A chunk's input as one byte stream. */
#ifndef SW_FILES_STREAM_H
#define SW_FILES_STREAM_H

#include "files/checked.h"
#include "files/manifest.h"
#include "files/planfile.h"

/* The stream of a chunk = a msgpack array of n arrays [name, mode, mtime, file size, offset, size,
 * lead, tail] (name as bin), then for each piece its lead + owned bytes, and after the last piece
 * its tail (only the last piece of a chunk can have one). */
void sw_stream_head(const struct sw_manifest *,
                    const struct sw_plan_piece *,
                    size_t n,
                    struct sw_buf *ret);

struct sw_stream; /* reads by offset, through checked files; copies what it needs of its arguments
                   */
int sw_stream_open(struct sw_checker *,
                   int job_fd /* kept open by the caller */,
                   uint32_t add,
                   const struct sw_manifest *,
                   const struct sw_plan_piece *,
                   size_t n,
                   struct sw_stream **ret,
                   struct sw_err *err); /* -EBADMSG when plan and manifest do not fit */
/* Takes over the file that `before` has open when both are of one ADD: chunks of a job follow one
 * another, mostly in the same file, and looking it up by name costs more than a small chunk's
 * bytes. */
void sw_stream_inherit(struct sw_stream *, struct sw_stream *before);
void sw_stream_destroy(struct sw_stream **);
uint64_t
sw_stream_owned(const struct sw_stream *); /* without the tail: what an agent fetches ahead */

/* *ret_n is less than n only at the end of the stream. -EBADMSG with words when a sum differs. */
int sw_stream_read(
    struct sw_stream *, void *p, size_t n, uint64_t offset, size_t *ret_n, struct sw_err *err);

#endif
