/* Inputs that do not travel in ASSIGN: fetched slice by slice ahead of the slots, into memory, a
 * memfd, or (large ones, while they run) a pipe; and, when a kernel asks, bytes of the tail behind
 * them. Called by data.c, the loop and result.c.
 *
 * Slices of one stream are asked for and answered in order; what comes twice or too late is
 * dropped, and what does not come is asked for again from where the stream stands. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIPE_BYTES  (1 << 20)
#define PIPED_AHEAD ((size_t)512 << 10) /* of a piped input, not yet in its pipe */

static void leave_list(struct agent *agent, struct work *work)
{
    agent->data.open_bytes -= work->in.asks * work->in.cost;
    work->in.asks = 0;
    if (work->in.active)
        DL_DELETE2(agent->fetching, work, fetch_prev, fetch_next);
    work->in.active = false;
}

void fetch_end(struct agent *agent, struct work *work)
{
    leave_list(agent, work);
    input_end(agent, work);
    work->in.wants_tail = false;
}

void fetch_again(struct agent *agent, struct work *work)
{
    agent->data.open_bytes -= work->in.asks * work->in.cost;
    work->in.asks = 0;
    work->in.tail_asked = false;
    work->in.next = work->in.got;
}

/* Those that somebody waits for stand in front. */
static void join_list(struct agent *agent, struct work *work, bool urgent)
{
    if (work->in.active)
        return;
    work->in.active = true;
    work->in.cost = SW_MIN((uint64_t)SW_SLICE_BYTES_MAX, work->bytes + SW_INLINE_BYTES_MAX);
    if (urgent)
        DL_PREPEND2(agent->fetching, work, fetch_prev, fetch_next);
    else
        DL_APPEND2(agent->fetching, work, fetch_prev, fetch_next);
}

void fetch_begin(struct agent *agent, struct work *work)
{
    work->state = WORK_FETCHING;
    work->in.piped = work->bytes > AGENT_INPUT_MAX;
    if (work->in.piped)
        work_ready(agent, work); /* fetched while it runs */
    else
        join_list(agent, work, false);
}

int fetch_open_pipe(struct agent *agent, struct work *work)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* as much as there is: a smaller one works too */
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    work->in.fd = ends[1];
    join_list(agent, work, true);
    return ends[0];
}

void fetch_tail(struct agent *agent, struct work *work, uint64_t offset)
{
    work->in.wants_tail = true;
    work->in.tail_asked = false;
    work->in.tail_at = offset;
    work->in.asked_ms = agent->now_ms;
    leave_list(agent, work); /* it is whole: nothing else is under way */
    join_list(agent, work, true);
}

/* Up to where it may be asked for now. */
static uint64_t limit_of(const struct work *work)
{
    size_t waiting = work->in.out.size - work->in.out_at;
    uint64_t limit = work->in.head_known ? work->in.owned
                                         : SW_MAX(work->bytes, work->in.got + SW_SLICE_BYTES_MAX);
    if (work->in.piped)
        limit = SW_MIN(limit, work->in.got + (waiting < PIPED_AHEAD ? PIPED_AHEAD - waiting : 0));
    return limit;
}

static bool ask(struct agent *agent, struct work *work, uint64_t offset, uint64_t size)
{
    struct sw_msg_fetch fetch = {
        .job = work->key.job,
        .chunk = work->key.chunk,
        .n = work->key.n,
        .token = work->token,
        .offset = offset,
        .size = size,
    };
    if (!data_send(agent, SW_MSG_FETCH, &fetch, NULL, 0))
        return false;
    work->in.asks++;
    work->in.asked_ms = agent->now_ms;
    agent->data.open_bytes += work->in.cost;
    return true;
}

bool fetch_next(struct agent *agent)
{
    struct work *work;
    DL_FOREACH2(agent->fetching, work, fetch_next)
    {
        if (work->in.wants_tail && !work->in.tail_asked) {
            work->in.tail_asked = ask(agent, work, work->in.tail_at, SW_SLICE_BYTES_MAX);
            return work->in.tail_asked;
        }
        if (work->in.whole || work->in.next >= limit_of(work))
            continue;
        uint64_t size = SW_SLICE_BYTES_MAX;
        if (work->in.head_known)
            size = SW_MIN(size, work->in.owned - work->in.next);
        if (!ask(agent, work, work->in.next, size))
            return false;
        work->in.next += size;
        return true;
    }
    return false;
}

/* All owned bytes are here. */
static void finish(struct agent *agent, struct work *work)
{
    work->in.whole = true;
    if (work->in.piped) {
        fetch_feed(agent, work);
        return;
    }
    leave_list(agent, work);
    int r = input_hand_over(work);
    if (r < 0)
        work_back(agent, work, strerror(-r), true);
    else
        work_ready(agent, work);
}

static void take_tail(struct agent *agent, struct work *work, const void *bytes, size_t size)
{
    struct lane *lane = work->lane;
    work->in.wants_tail = false;
    leave_list(agent, work);
    slot_tail(lane->slot, &work->run, bytes, SW_MIN(size, SLOT_TAIL_MAX));
    lane->touched = true;
    agent->lane_free = true;
}

static void refused(struct agent *agent, struct work *work, const struct sw_msg_slice *slice)
{
    char text[SLOT_ERROR_MAX];
    if (!sw_str_is(slice->error, "stale")) {
        snprintf(text, sizeof text, "input: %.*s", (int)SW_MIN(slice->error.n, (size_t)140),
                 slice->error.p);
        work_fail(agent, work, text, "");
    } else if (work->in.stale++) {
        work_back(agent, work, "the broker does not know its lease", false);
    } else {
        work->in.asks++; /* asked once more when this one is late */
        agent->data.open_bytes += work->in.cost;
    }
}

void fetch_slice(struct agent *agent,
                 const struct sw_msg_slice *slice,
                 const void *bytes,
                 size_t size)
{
    struct work *work = work_find(agent, slice->job, slice->chunk, slice->n);
    if (!work || !work->in.active)
        return;
    if (work->in.asks) {
        work->in.asks--;
        agent->data.open_bytes -= work->in.cost;
    }
    work->in.asked_ms = agent->now_ms;
    if (slice->error.n) {
        refused(agent, work, slice);
        return;
    }
    if (work->in.wants_tail && slice->offset == work->in.tail_at) {
        take_tail(agent, work, bytes, size);
        return;
    }
    if (work->in.whole || slice->offset != work->in.got)
        return; /* a late answer to what was asked again */
    bool piped_away = work->in.piped && work->in.fd < 0;
    int r = piped_away ? 0 : input_take(agent, work, bytes, size);
    bool ended =
        size < SW_SLICE_BYTES_MAX && (!work->in.head_known || work->in.got < work->in.owned);
    if (r == -EBADMSG || (r == 0 && ended && !piped_away))
        work_fail(agent, work, "input: malformed, or shorter than its head says", "");
    else if (r < 0)
        work_back(agent, work, strerror(-r), true);
    else if (work->in.head_known && work->in.got >= work->in.owned)
        finish(agent, work);
    else if (work->in.piped)
        fetch_feed(agent, work);
}

void fetch_feed(struct agent *agent, struct work *work)
{
    struct sw_buf *out = &work->in.out;
    while (work->in.fd >= 0 && work->in.out_at < out->size) {
        ssize_t n = write(work->in.fd, out->data + work->in.out_at, out->size - work->in.out_at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* nobody reads it any more: the run's end follows */
            fetch_end(agent, work);
            return;
        }
        work->in.out_at += (size_t)n;
    }
    if (work->in.out_at && work->in.out_at >= out->size / 2) {
        /* what is written goes now: a busy pipe may never run dry */
        out->size -= work->in.out_at;
        memmove(out->data, out->data + work->in.out_at, out->size);
        work->in.out_at = 0;
    }
    if (out->size == 0 && work->in.whole && work->in.fd >= 0) {
        leave_list(agent, work);
        sw_fd_close(&work->in.fd);
    }
}
