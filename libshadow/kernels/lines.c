/* Cuts a stream into lines. Called by filter; holds one block, or one line when that is longer. */
#include "kernels/lines.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads a block behind the unread bytes. The tail only once the range is read, since reading it may
 * mean fetching it. 0 at the end. */
static ssize_t fill(struct lines *lines)
{
    if (lines->begin) {
        memmove(lines->data, lines->data + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->room - lines->end < STREAM_BLOCK) {
        size_t room = SW_MAX(lines->room * 2, 2 * STREAM_BLOCK);
        void *data = realloc(lines->data, room);
        if (!data)
            return -ENOMEM;
        lines->data = data;
        lines->room = room;
    }
    uint64_t in_range = lines->source.left > lines->tail ? lines->source.left - lines->tail : 0;
    uint64_t n = in_range ? SW_MIN(in_range, STREAM_BLOCK) : STREAM_BLOCK;
    ssize_t got = source_read(&lines->source, lines->data + lines->end, (size_t)n);
    if (got > 0)
        lines->end += (size_t)got;
    return got;
}

static void give(struct lines *lines, size_t n)
{
    lines->begin += n;
    lines->next += n;
}

/* Throws away the rest of a line that belongs to an earlier segment, a block at a time. */
static int skip_line(struct lines *lines)
{
    while (lines->next < lines->range_end) {
        const uint8_t *at = lines->data + lines->begin;
        const uint8_t *feed = memchr(at, '\n', lines->end - lines->begin);
        if (feed) {
            give(lines, (size_t)(feed - at) + 1);
            return 0;
        }
        give(lines, lines->end - lines->begin);
        ssize_t got = lines->next < lines->range_end ? fill(lines) : 0;
        if (got < 0)
            return (int)got;
    }
    return 0;
}

int lines_start(struct lines *lines, const struct sw_segment *segment, struct sw_reader *in)
{
    assert(segment->lead <= 1);
    lines->source = (struct source){in, segment->lead + segment->size + segment->tail};
    lines->tail = segment->tail;
    lines->next = segment->offset - segment->lead;
    lines->range_end = segment->offset + segment->size;
    lines->begin = lines->end = 0;
    if (!segment->lead)
        return 0;
    ssize_t got = fill(lines);
    return got < 0 ? (int)got : skip_line(lines); /* the byte before may end the line at once */
}

int lines_next(struct lines *lines, const char **ret_line, size_t *ret_size)
{
    if (lines->next >= lines->range_end)
        return 0;
    lines->start = lines->next;
    size_t n = 0; /* bytes of the line seen so far */
    const uint8_t *feed = NULL;
    for (;;) {
        size_t unread = lines->end - lines->begin;
        feed = unread > n ? memchr(lines->data + lines->begin + n, '\n', unread - n) : NULL;
        n = feed ? (size_t)(feed - lines->data) - lines->begin : unread;
        if (n > LINE_BYTES_MAX)
            return -EMSGSIZE;
        if (feed)
            break;
        ssize_t got = fill(lines);
        if (got < 0)
            return (int)got;
        if (got == 0)
            break; /* the file's last line has no line feed */
    }
    *ret_line = (const char *)lines->data + lines->begin;
    *ret_size = n;
    give(lines, n + (feed != NULL));
    return 1;
}

void lines_done(struct lines *lines)
{
    free(lines->data);
    *lines = (struct lines){0};
}
