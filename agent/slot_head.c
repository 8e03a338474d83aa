/* Reads the head of a chunk's stream: a msgpack array of [name, mode, mtime, file size, offset,
 * size, lead, tail]. It came over the network, so every value is bounded before a kernel sees it.
 * Called by slot_child.c. */
#include "slot_child.h"

#include "base/pack.h"

#include <errno.h>
#include <string.h>

#define NAME_BYTES_MAX 4096
#define FIELDS         8
/* 1,024 files with the longest names and numbers. */
#define HEAD_BYTES_MAX ((size_t)SW_CHUNK_FILES_MAX * (NAME_BYTES_MAX + 64) + 8)

static bool makes_sense(const struct sw_segment *segment)
{
    uint64_t size = segment->file_size;
    return size <= INT64_MAX && segment->offset <= size &&
           segment->size <= size - segment->offset &&
           segment->tail <= size - segment->offset - segment->size && segment->lead <= 1 &&
           segment->lead <= segment->offset;
}

static int take_segment(struct slot_head *head, struct sw_cursor *cursor)
{
    struct sw_segment segment = {0};
    if (sw_read_array(cursor) != FIELDS)
        return -EBADMSG;
    const char *name = sw_read_bytes(cursor, &segment.name_size);
    uint64_t mode = sw_read_u64(cursor);
    segment.mtime = sw_read_i64(cursor);
    segment.file_size = sw_read_u64(cursor);
    segment.offset = sw_read_u64(cursor);
    segment.size = sw_read_u64(cursor);
    uint64_t lead = sw_read_u64(cursor);
    segment.tail = sw_read_u64(cursor);
    if (cursor->failed || segment.name_size > NAME_BYTES_MAX || mode > UINT32_MAX || lead > 1 ||
        (segment.name_size && memchr(name, 0, segment.name_size)))
        return -EBADMSG;
    segment.mode = (uint32_t)mode;
    segment.lead = (uint32_t)lead;
    if (!makes_sense(&segment))
        return -EBADMSG;
    sw_buf_put(&head->names, name, segment.name_size);
    sw_buf_put(&head->names, "", 1);
    sw_grow(&head->segments, &head->room, head->n + 1, sizeof *head->segments);
    head->segments[head->n++] = segment;
    return 0;
}

/* Only the last one can read on, and all together fit in a stream. */
static int check_whole(struct slot_head *head)
{
    uint64_t total = 0;
    size_t at = 0;
    for (size_t i = 0; i < head->n; i++) {
        struct sw_segment *segment = &head->segments[i];
        segment->name = (const char *)head->names.data + at; /* the buffer moved while it grew */
        at += segment->name_size + 1;
        if (__builtin_add_overflow(total, segment->lead + segment->size, &total) ||
            (segment->tail && i + 1 < head->n))
            return -EBADMSG;
    }
    return 0;
}

int slot_head_read(struct slot_head *head, struct slot_stream *stream)
{
    size_t size;
    int r;
    while ((r = sw_pack_scan_front(stream->bytes + stream->at, stream->end - stream->at, &size)) ==
           -ENODATA) {
        if (stream->end - stream->at > HEAD_BYTES_MAX)
            return -EBADMSG;
        ssize_t got = slot_stream_more(stream);
        if (got <= 0)
            return got < 0 ? (int)got : -EPIPE;
    }
    if (r < 0)
        return -EBADMSG;
    struct sw_cursor cursor = sw_cursor_of(stream->bytes + stream->at, size);
    head->n = 0;
    sw_buf_clear(&head->names);
    uint32_t n = sw_read_array(&cursor);
    if (cursor.failed || n > SW_CHUNK_FILES_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++) {
        r = take_segment(head, &cursor);
        if (r < 0)
            return r;
    }
    stream->at += size;
    stream->consumed += size;
    return check_whole(head);
}
