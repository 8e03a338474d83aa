/* Outputs that do not fit in DONE: sent slice by slice, the first parts while the rest is still
 * computed, and kept until TAKEN. STORED tells how many bytes the broker has; from there it goes
 * on, whatever was lost. Called by data.c, result.c and hello.c. */
#include "agent.h"

#include "base/io.h"

#include <string.h>
#include <unistd.h>

static void leave_list(struct agent *agent, struct work *work)
{
    agent->data.open_bytes -= work->out.asks * work->out.cost;
    work->out.asks = 0;
    if (work->out.active)
        DL_DELETE2(agent->storing, work, store_prev, store_next);
    work->out.active = false;
}

static void join_list(struct agent *agent, struct work *work)
{
    if (work->out.active)
        return;
    work->out.active = true;
    work->out.cost =
        work->out.whole ? SW_MIN((uint64_t)SW_SLICE_BYTES_MAX, work->out.size) : SW_SLICE_BYTES_MAX;
    DL_APPEND2(agent->storing, work, store_prev, store_next);
}

static void set_acked(struct agent *agent, struct work *work, uint64_t acked)
{
    agent->unsent_bytes += work->out.acked; /* of size, acked is not unsent */
    agent->unsent_bytes -= acked;
    work->out.acked = acked;
    agent->lane_free = true; /* too much of it keeps new runs back */
}

void store_end(struct agent *agent, struct work *work)
{
    leave_list(agent, work);
    agent->unsent_bytes -= work->out.size - work->out.acked;
    for (size_t i = 0; i < work->out.n_parts; i++)
        sw_fd_close(&work->out.parts[i].fd);
    sw_release(work->out.parts);
    memset(&work->out, 0, sizeof work->out);
}

void store_part(struct agent *agent, struct work *work, int fd, uint64_t size)
{
    sw_grow(&work->out.parts, &work->out.room, work->out.n_parts + 1, sizeof *work->out.parts);
    work->out.parts[work->out.n_parts++] = (struct work_part){fd, work->out.size, size};
    work->out.size += size;
    agent->unsent_bytes += size;
    join_list(agent, work);
}

void store_finish(struct agent *agent, struct work *work)
{
    work->out.whole = true;
    join_list(agent, work);
}

void store_again(struct agent *agent, struct work *work)
{
    agent->data.open_bytes -= work->out.asks * work->out.cost;
    work->out.asks = 0;
    work->out.last_asked = false;
    work->out.next = work->out.acked;
    join_list(agent, work);
}

static const struct work_part *part_at(const struct work *work, uint64_t offset)
{
    for (size_t i = work->out.n_parts; i-- > 0;)
        if (work->out.parts[i].offset <= offset)
            return &work->out.parts[i];
    return NULL;
}

/* Fills the payload with the next slice; its size, 0 at the end, -errno. */
static ssize_t read_slice(struct agent *agent, const struct work *work)
{
    uint64_t offset = work->out.next;
    const struct work_part *part = part_at(work, offset);
    if (!part || offset == work->out.size)
        return 0;
    size_t n = SW_MIN(SW_SLICE_BYTES_MAX, part->offset + part->size - offset);
    sw_buf_clear(&agent->payload);
    uint8_t *room = sw_buf_reserve(&agent->payload, n);
    int r = part->fd < 0 ? -1 : sw_pread_all(part->fd, room, n, offset - part->offset);
    return r < 0 ? r : (ssize_t)n;
}

static bool send_slice(struct agent *agent, struct work *work, size_t n)
{
    struct sw_msg_store store = {
        .job = work->key.job,
        .chunk = work->key.chunk,
        .n = work->key.n,
        .token = work->token,
        .offset = work->out.next,
        .last = work->out.whole && work->out.next + n == work->out.size,
    };
    if (!data_send(agent, SW_MSG_STORE, &store, agent->payload.data, n))
        return false;
    work->out.next += n;
    work->out.last_asked = store.last;
    work->out.asks++;
    work->out.asked_ms = agent->now_ms;
    agent->data.open_bytes += work->out.cost;
    return true;
}

bool store_next(struct agent *agent)
{
    struct work *work, *next;
    DL_FOREACH_SAFE2(agent->storing, work, next, store_next)
    {
        bool all_sent = work->out.next == work->out.size;
        if (all_sent && (!work->out.whole || work->out.last_asked || work->out.asks))
            continue; /* more is to come, or the answer is */
        ssize_t n = read_slice(agent, work);
        if (n >= 0)
            return send_slice(agent, work, (size_t)n);
        work_back(agent, work, "the broker lost its output, and here it is gone too", false);
    }
    return false;
}

/* A running kernel whose parts are all held waits for one to be let go. Until then they are kept,
 * so that an output of up to 64 MiB can be sent again whole. */
static void let_go(struct work *work)
{
    struct work_part *first = NULL;
    size_t held = 0;
    for (size_t i = 0; i < work->out.n_parts; i++) {
        struct work_part *part = &work->out.parts[i];
        first = !first && part->fd >= 0 ? part : first;
        held += part->fd >= 0;
    }
    if (work->state != WORK_IN_SLOT || held < SLOT_PARTS_MAX ||
        first->offset + first->size > work->out.acked)
        return;
    sw_fd_close(&first->fd);
    slot_part_done(work->lane->slot, &work->run);
    work->lane->touched = true;
    work->lane->agent->lane_free = true;
}

static void refused(struct agent *agent, struct work *work, struct sw_str error)
{
    char text[SLOT_ERROR_MAX];
    snprintf(text, sizeof text, "output not stored: %.*s", (int)SW_MIN(error.n, (size_t)120),
             error.p);
    work_back(agent, work, text, !sw_str_is(error, "stale"));
}

void store_stored(struct agent *agent, const struct sw_msg_stored *stored)
{
    struct work *work = work_find(agent, stored->job, stored->chunk, stored->n);
    if (!work || !work->out.active)
        return;
    if (work->out.asks) {
        work->out.asks--;
        agent->data.open_bytes -= work->out.cost;
    }
    work->out.asked_ms = agent->now_ms;
    if (stored->error.n || stored->size > work->out.size) {
        refused(agent, work, stored->error.n ? stored->error : sw_str_of("it has other bytes"));
        return;
    }
    set_acked(agent, work, stored->size);
    if (stored->last && work->out.whole && stored->size == work->out.size) {
        leave_list(agent, work);
        work_done(agent, work);
        return;
    }
    let_go(work);
    if (work->out.asks == 0) { /* what was refused, or lost, is sent again from where it stands */
        work->out.next = work->out.acked;
        work->out.last_asked = false;
    }
}
