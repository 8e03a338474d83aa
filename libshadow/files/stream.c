/* A chunk's input as one stream: head, pieces, tail, found by offset. Called by the broker's data
 * actor; reads only through checked files and keeps one of them open at a time. */
#include "files/stream.h"

#include "base/pack.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct span {
    uint64_t at; /* in the stream */
    uint32_t part;
    uint64_t offset, size; /* in the part: lead and owned bytes, and the tail of the last one */
};

struct sw_stream {
    struct sw_checker *checker;
    int job_fd;
    uint32_t add;
    struct sw_buf head;
    uint64_t size, tail;
    struct sw_checked *file; /* the part read last */
    uint32_t file_part;
    size_t n;
    struct span spans[];
};

void sw_stream_head(const struct sw_manifest *manifest,
                    const struct sw_plan_piece *pieces,
                    size_t n,
                    struct sw_buf *ret)
{
    sw_pack_array(ret, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        assert(pieces[i].entry < manifest->n);
        const struct sw_entry *entry = &manifest->entries[pieces[i].entry];
        sw_pack_array(ret, 8);
        sw_pack_bytes(ret, entry->name, entry->name_size);
        sw_pack_u64(ret, entry->mode);
        sw_pack_i64(ret, entry->mtime);
        sw_pack_u64(ret, entry->size);
        sw_pack_u64(ret, pieces[i].offset);
        sw_pack_u64(ret, pieces[i].size);
        sw_pack_u64(ret, pieces[i].lead);
        sw_pack_u64(ret, pieces[i].tail);
    }
}

void sw_stream_destroy(struct sw_stream **p)
{
    struct sw_stream *stream = TAKE(*p);
    if (!stream)
        return;
    sw_checked_destroy(&stream->file);
    sw_buf_done(&stream->head);
    sw_release(stream);
}

static bool piece_fits(const struct sw_manifest *manifest, const struct sw_plan_piece *piece)
{
    if (piece->entry >= manifest->n)
        return false;
    const struct sw_entry *entry = &manifest->entries[piece->entry];
    return entry->state == SW_ENTRY_FILE && piece->lead <= piece->offset &&
           piece->offset <= entry->size && piece->size <= entry->size - piece->offset &&
           piece->tail <= entry->size - piece->offset - piece->size;
}

int sw_stream_open(struct sw_checker *checker,
                   int job_fd,
                   uint32_t add,
                   const struct sw_manifest *manifest,
                   const struct sw_plan_piece *pieces,
                   size_t n,
                   struct sw_stream **ret,
                   struct sw_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!piece_fits(manifest, &pieces[i]) || (i + 1 < n && pieces[i].tail))
            return sw_fail(err, EBADMSG, "plan.%u does not fit manifest.%u", add, add);
    AUTO(sw_stream)
    struct sw_stream *stream = sw_alloc(1, sizeof *stream + n * sizeof stream->spans[0]);
    stream->checker = checker;
    stream->job_fd = job_fd;
    stream->add = add;
    stream->n = n;
    sw_stream_head(manifest, pieces, n, &stream->head);
    stream->size = stream->head.size;
    stream->tail = n ? pieces[n - 1].tail : 0;
    for (size_t i = 0; i < n; i++) {
        const struct sw_entry *entry = &manifest->entries[pieces[i].entry];
        struct span *span = &stream->spans[i];
        span->at = stream->size;
        span->part = entry->part;
        span->offset = entry->offset + pieces[i].offset - pieces[i].lead;
        span->size = pieces[i].lead + pieces[i].size + pieces[i].tail;
        if (span->size > INT64_MAX - stream->size)
            return sw_fail(err, EBADMSG, "plan.%u has a chunk larger than any file", add);
        stream->size += span->size;
    }
    *ret = TAKE(stream);
    return 0;
}

void sw_stream_inherit(struct sw_stream *stream, struct sw_stream *before)
{
    if (stream->file || before->checker != stream->checker || before->job_fd != stream->job_fd ||
        before->add != stream->add)
        return;
    stream->file = TAKE(before->file);
    stream->file_part = before->file_part;
}

uint64_t sw_stream_owned(const struct sw_stream *stream)
{
    return stream->size - stream->tail;
}

static int open_part(struct sw_stream *stream, uint32_t part, struct sw_err *err)
{
    char name[48];
    if (stream->file && stream->file_part == part)
        return 0;
    sw_checked_destroy(&stream->file);
    snprintf(name, sizeof name, "in.%" PRIu32 ".%" PRIu32, stream->add, part);
    int r = sw_checked_open(stream->checker, stream->job_fd, name, &stream->file);
    if (r < 0)
        return sw_fail(err, -r, "%s cannot be opened: %s", name, strerror(-r));
    stream->file_part = part;
    return 0;
}

/* The span that holds the byte at `offset`: the last that begins at or before it. */
static size_t find_span(const struct sw_stream *stream, uint64_t offset)
{
    size_t low = 0, high = stream->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (stream->spans[middle].at <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int sw_stream_read(
    struct sw_stream *stream, void *p, size_t n, uint64_t offset, size_t *ret_n, struct sw_err *err)
{
    uint8_t *at = p;
    n = offset < stream->size ? SW_MIN(n, stream->size - offset) : 0;
    *ret_n = n;
    if (n && offset < stream->head.size) {
        size_t part = SW_MIN(n, stream->head.size - offset);
        memcpy(at, stream->head.data + offset, part);
        at += part;
        offset += part;
        n -= part;
    }
    for (size_t i = n ? find_span(stream, offset) : 0; n; i++) {
        const struct span *span = &stream->spans[i];
        uint64_t skip = offset - span->at;
        size_t part = (size_t)SW_MIN((uint64_t)n, span->size - skip);
        if (part == 0)
            continue;
        int r = open_part(stream, span->part, err);
        if (r == 0)
            r = sw_checked_read(stream->file, at, part, span->offset + skip, err);
        if (r < 0)
            return r;
        at += part;
        offset += part;
        n -= part;
    }
    return 0;
}
