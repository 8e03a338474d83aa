/* Where fetched bytes go: small inputs stay in memory, larger ones lie in a memfd, the largest go
 * through a pipe while they are worked on. The head of the stream tells how much there is. Called
 * by fetch.c. */
#include "agent.h"

#include "base/io.h"
#include "base/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

/* ---- memfds ---- */

/* Pages that are there already cost a fraction of new ones, so a memfd serves a later input of the
 * same recipe, which might run in the same process anyway. */
static int take_memfd(struct agent *agent, struct recipe *recipe)
{
    if (!recipe->n_spares)
        return slot_memfd("chunk input");
    const struct spare *spare = &recipe->spares[--recipe->n_spares];
    agent->spare_bytes -= spare->size;
    return spare->fd;
}

/* A descriptor that only reads: a slot that keeps it can change nothing. Without /proc the slot
 * gets the memfd itself, which is sealed then and serves once. */
static int open_to_read(struct work *work)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", work->in.fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? TAKE_FD(work->in.fd) : fd;
}

int input_hand_over(struct work *work)
{
    work->run.input = work->in.head.data;
    work->run.input_size = work->in.head.size;
    if (work->in.fd < 0)
        return 0;
    if (ftruncate(work->in.fd, (off_t)work->in.got) < 0)
        return -errno; /* what an earlier input left behind this one would be read as its tail */
    work->run.input_fd = open_to_read(work);
    return 0;
}

void input_end(struct agent *agent, struct work *work)
{
    struct recipe *recipe = work->recipe;
    /* cut: one that was handed back early would keep more than it is counted for */
    if (work->in.fd >= 0 && !work->in.piped && recipe->n_spares < INPUT_SPARES &&
        work->in.got <= AGENT_SPARE_MAX - agent->spare_bytes &&
        ftruncate(work->in.fd, (off_t)work->in.got) == 0) {
        agent->spare_bytes += work->in.got;
        recipe->spares[recipe->n_spares++] =
            (struct spare){.fd = TAKE_FD(work->in.fd), .size = work->in.got};
    }
    sw_fd_close(&work->in.fd);
    sw_buf_done(&work->in.head);
    sw_buf_done(&work->in.out);
}

void input_drop_spares(struct agent *agent, struct recipe *recipe)
{
    while (recipe->n_spares) {
        int fd = take_memfd(agent, recipe);
        sw_fd_close(&fd);
    }
}

/* ---- bytes ---- */

/* After the head: a small input stays where it is, a larger one moves to its memfd or pipe. */
static int choose_place(struct agent *agent, struct work *work)
{
    if (!work->in.piped) {
        if (work->in.owned <= SW_SLICE_BYTES_MAX)
            return 0;
        work->in.fd = take_memfd(agent, work->recipe);
        if (work->in.fd < 0)
            return work->in.fd;
    }
    int r = keep(work, work->in.head.data, work->in.head.size, 0);
    sw_buf_done(&work->in.head);
    return r;
}

int input_take(struct agent *agent, struct work *work, const void *bytes, size_t size)
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
                r = choose_place(agent, work);
        }
    }
    work->in.got += size;
    return r;
}
