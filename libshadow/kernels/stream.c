/* Exact reading of a segment, gathered writing, and output names by suffix. Called by the kernels;
 * allocates nothing. */
#include "kernels/stream.h"

#include <errno.h>
#include <string.h>

ssize_t source_read(struct source *source, void *p, size_t n)
{
    uint8_t *at = p;
    size_t wanted = (size_t)SW_MIN((uint64_t)n, source->left);
    size_t done = 0;
    while (done < wanted) {
        ssize_t got = source->in->read(source->in, at + done, wanted - done);
        if (got < 0)
            return got;
        if (got == 0)
            return -ENODATA;
        done += (size_t)got;
    }
    source->left -= done;
    return (ssize_t)done;
}

int sink_flush(struct sink *sink)
{
    size_t n = sink->n;
    sink->n = 0;
    return n ? sink->out->write(sink->out, sink->block, n) : 0;
}

int sink_put(struct sink *sink, const void *p, size_t n)
{
    int r = n > STREAM_BLOCK - sink->n ? sink_flush(sink) : 0;
    if (r < 0)
        return r;
    if (n > STREAM_BLOCK)
        return sink->out->write(sink->out, p, n);
    memcpy(sink->block + sink->n, p, n);
    sink->n += n;
    return 0;
}

void name_add(struct sw_buf *ret_name, const char *name, size_t size, const char *suffix)
{
    sw_buf_put(ret_name, name, size);
    sw_buf_text(ret_name, suffix);
}

void name_drop(
    struct sw_buf *ret_name, const char *name, size_t size, const char *suffix, const char *other)
{
    size_t n = strlen(suffix);
    bool ends = size > n && memcmp(name + size - n, suffix, n) == 0 && name[size - n - 1] != '/';
    if (ends)
        sw_buf_put(ret_name, name, size - n);
    else
        name_add(ret_name, name, size, other);
}
