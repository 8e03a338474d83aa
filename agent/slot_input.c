/* The run's input: the bytes that were handed over, and of the last file's tail what the kernel
 * asks for. Called by slot_child.c, slot_head.c and, through struct sw_reader, by kernels. */
#include "slot_child.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static ssize_t fetch(struct slot_stream *stream, void *p, size_t n)
{
    ssize_t got;
    if (stream->fd < 0)
        return 0;
    do
        got = stream->is_pipe ? read(stream->fd, p, n)
                              : pread(stream->fd, p, n, (off_t)stream->file_at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    stream->file_at += (uint64_t)got;
    return got;
}

ssize_t slot_stream_more(struct slot_stream *stream)
{
    size_t left = stream->end - stream->at;
    if (stream->fd < 0)
        return 0;
    if (left == stream->buffer_room) {
        stream->buffer_room *= 2;
        stream->buffer = sw_realloc(stream->buffer, stream->buffer_room, 1);
    }
    memmove(stream->buffer, stream->buffer + stream->at, left);
    stream->bytes = stream->buffer;
    stream->at = 0;
    stream->end = left;
    ssize_t got = fetch(stream, stream->buffer + left, stream->buffer_room - left);
    if (got > 0)
        stream->end += (size_t)got;
    return got;
}

ssize_t slot_stream_read(struct slot_stream *stream, void *p, size_t n)
{
    ssize_t got;
    if (stream->at == stream->end && n >= SLOT_STREAM_BUFFER / 2) {
        got = fetch(stream, p, n); /* large reads go straight to where they are wanted */
    } else {
        if (stream->at == stream->end) {
            got = slot_stream_more(stream);
            if (got <= 0)
                return got;
        }
        got = (ssize_t)SW_MIN(n, stream->end - stream->at);
        memcpy(p, stream->bytes + stream->at, (size_t)got);
        stream->at += (size_t)got;
    }
    if (got > 0) {
        stream->consumed += (uint64_t)got;
        atomic_store_explicit(stream->ret_consumed, stream->consumed, memory_order_relaxed);
    }
    return got;
}

int slot_stream_skip(struct slot_stream *stream, uint64_t n)
{
    if (stream->fd >= 0 && !stream->is_pipe && n > stream->end - stream->at) {
        uint64_t beyond = n - (stream->end - stream->at);
        stream->at = stream->end;
        stream->file_at += beyond; /* behind its end the next read says so */
        stream->consumed += n;
        return 0;
    }
    uint8_t sink[8192];
    while (n) {
        ssize_t got = slot_stream_read(stream, sink, (size_t)SW_MIN(n, (uint64_t)sizeof sink));
        if (got <= 0)
            return got < 0 ? (int)got : -EPIPE;
        n -= (uint64_t)got;
    }
    return 0;
}

/* Bytes behind the owned ones that were handed over all the same; never of a pipe, which may stay
 * open. */
static ssize_t read_handed_over(struct slot_stream *stream, void *p, size_t n)
{
    return stream->is_pipe ? 0 : slot_stream_read(stream, p, n);
}

static ssize_t read_tail(struct slot_source *source, void *p, size_t n)
{
    struct slot_child *child = source->child;
    if (n > source->tail_left)
        n = (size_t)source->tail_left;
    if (n == 0)
        return 0;
    if (child->tail_at == child->tail.size) {
        ssize_t got = read_handed_over(&child->stream, p, n);
        if (got > 0)
            source->tail_left -= (uint64_t)got;
        if (got != 0)
            return got;
        const uint8_t *body;
        size_t size;
        int fd;
        uint64_t offset = child->stream.consumed;
        slot_outbox_put(&child->outbox, SLOT_WANT_TAIL, child->number, &offset, sizeof offset, NULL,
                        0);
        slot_outbox_flush(&child->outbox);
        slot_child_await(child, SLOT_TAIL, &body, &size, &fd);
        sw_fd_close(&fd);
        sw_buf_clear(&child->tail);
        sw_buf_put(&child->tail, body, size);
        child->tail_at = 0;
        child->stream.consumed += size; /* the next one begins behind it */
        if (size == 0)
            source->tail_left = 0;
    }
    n = SW_MIN(n, child->tail.size - child->tail_at);
    memcpy(p, child->tail.data + child->tail_at, n);
    child->tail_at += n;
    source->tail_left -= n;
    return (ssize_t)n;
}

static ssize_t source_read(struct sw_reader *reader, void *p, size_t n)
{
    struct slot_source *source = (struct slot_source *)reader;
    struct slot_child *child = source->child;
    if (child->input_error)
        return child->input_error;
    if (source->left == 0)
        return read_tail(source, p, n);
    if (n > source->left)
        n = (size_t)source->left;
    if (n == 0)
        return 0;
    ssize_t got = slot_stream_read(&child->stream, p, n);
    if (got <= 0) {
        child->input_error = got < 0 ? (int)got : -EPIPE; /* handed over short */
        return child->input_error;
    }
    source->left -= (uint64_t)got;
    return got;
}

void slot_source_open(struct slot_source *source,
                      struct slot_child *child,
                      const struct sw_segment *segment)
{
    *source = (struct slot_source){
        .reader.read = source_read,
        .child = child,
        .left = segment->lead + segment->size,
        .tail_left = segment->tail,
    };
}
