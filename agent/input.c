/* Where fetched bytes go: small inputs stay in memory, larger ones lie in a memfd, the largest go
 * through a pipe while they are worked on. The head of the stream tells how much there is. Called
 * by fetch.c. */
#include "agent.h"

#include "base/io.h"
#include "base/pack.h"

#include <errno.h>

#define HEAD_MAX ((size_t)8 << 20) /* 1,024 names of 4,096 bytes, and then some */

/* 0 when the head is whole: then it is known where the chunk's own bytes end. */
static int read_head(struct work *work)
{
    size_t size;
    int r = sw_pack_scan_front(work->in.head.data, work->in.head.size, &size);
    if (r < 0)
        return r;
    struct sw_cursor cursor = sw_cursor_of(work->in.head.data, size);
    uint32_t n = sw_read_array(&cursor);
    uint64_t owned = size;
    bool over = false;
    for (uint32_t i = 0; i < n && !cursor.failed; i++) {
        if (sw_read_array(&cursor) != 8)
            return -EBADMSG;
        for (int field = 0; field < 5; field++) /* name, mode, mtime, file size, offset */
            sw_read_skip(&cursor);
        over |= __builtin_add_overflow(owned, sw_read_u64(&cursor), &owned);
        over |= __builtin_add_overflow(owned, sw_read_u64(&cursor), &owned);
        sw_read_skip(&cursor); /* tail */
    }
    if (cursor.failed || over || owned > INT64_MAX)
        return -EBADMSG;
    work->in.owned = owned;
    work->in.head_known = true;
    return 0;
}

/* The next bytes of the stream go to where the slot will find them. */
static int keep(struct work *work, const uint8_t *bytes, size_t size, uint64_t offset)
{
    if (work->in.piped) {
        if (offset < work->in.owned)
            sw_buf_put(&work->in.out, bytes, SW_MIN((uint64_t)size, work->in.owned - offset));
        return 0;
    }
    return sw_pwrite_all(work->in.fd, bytes, size, offset);
}

/* After the head: a small input stays where it is, a larger one moves to its memfd or pipe. */
static int choose_place(struct work *work)
{
    if (!work->in.piped) {
        if (work->in.owned <= SW_SLICE_BYTES_MAX)
            return 0;
        work->in.fd = slot_memfd("chunk input");
        if (work->in.fd < 0)
            return work->in.fd;
    }
    int r = keep(work, work->in.head.data, work->in.head.size, 0);
    sw_buf_done(&work->in.head);
    return r;
}

int input_take(struct work *work, const void *bytes, size_t size)
{
    int r = 0;
    if (work->in.head_known && (work->in.piped || work->in.fd >= 0)) {
        r = keep(work, bytes, size, work->in.got);
    } else {
        sw_buf_put(&work->in.head, bytes, size);
        if (!work->in.head_known) {
            r = read_head(work);
            if (r == -ENODATA && work->in.head.size <= HEAD_MAX)
                r = 0;
            else if (r < 0)
                r = -EBADMSG;
            else
                r = choose_place(work);
        }
    }
    work->in.got += size;
    return r;
}
