/* Absolute deadlines of one connection, judged by the kernel's own count of bytes (TCP_INFO), once
 * a second. Called by the door's tick. libmicrohttpd's timeout is inactivity only: one byte a
 * second outlives it. */
#include "door.h"

#include "base/own.h"
#include "request.h"
#include "tcp.h"

#include <sys/socket.h>

#define HEAD_MS      10000 /* a head is complete within this */
#define IDLE_MS      60000 /* a kept connection without a request */
#define BODY_FREE_MS 10000 /* then a body comes with at least ... */
#define RATE_BYTES_S 1024
#define SEND_MS      30000 /* an answer moves by RATE_BYTES_S over each such stretch */

void visitor_cut(struct visitor *v)
{
    if (!v->cut)
        shutdown(v->fd, SHUT_RDWR);
    if (v->secure && v->phase != VISITOR_HEAD) /* else what was said before goes out */
        tcp_reset(v->tcp_fd);
    v->cut = true;
}

void watch_start(struct visitor *v, int64_t now_ms)
{
    v->phase = VISITOR_HEAD;
    v->phase_ms = v->head_ms = now_ms;
}

void watch_idle(struct visitor *v, int64_t now_ms)
{
    v->phase = VISITOR_HEAD;
    v->phase_ms = now_ms;
    v->head_ms = 0;
    v->marked = false;
}

static bool is_too_slow(struct visitor *v, int64_t now_ms, uint64_t received, uint64_t acked)
{
    uint64_t least;
    switch (v->phase) {
    case VISITOR_HEAD:
        if (!v->head_ms && received != v->mark_received)
            v->head_ms = now_ms; /* the next head has begun */
        return v->head_ms ? now_ms - v->head_ms >= HEAD_MS : now_ms - v->phase_ms >= IDLE_MS;
    case VISITOR_BODY:
        v->slow_ms += 1000; /* counted in ticks, so that our own waits are not held against it */
        if (v->slow_ms < BODY_FREE_MS)
            return false;
        least = (uint64_t)(v->slow_ms - BODY_FREE_MS) * RATE_BYTES_S / 1000;
        return received - v->mark_received <= least;
    case VISITOR_SEND:
        if (now_ms - v->phase_ms < SEND_MS)
            return false;
        if (acked - v->mark_acked < (uint64_t)SEND_MS * RATE_BYTES_S / 1000)
            return true;
        v->phase_ms = now_ms;
        v->mark_acked = acked;
        return false;
    case VISITOR_WORK:
        break;
    }
    return false;
}

void watch_visit(struct visitor *v, int64_t now_ms)
{
    uint64_t received = 0, acked = 0;
    enum visitor_phase phase = v->request ? request_phase(v->request) : VISITOR_HEAD;
    if (v->cut || !tcp_counts(v->tcp_fd, &received, &acked))
        return;
    if (phase == VISITOR_WORK && v->phase == VISITOR_BODY)
        return; /* a pause of ours within a body */
    if (phase != v->phase) {
        v->phase = phase;
        v->phase_ms = now_ms;
        v->head_ms = v->slow_ms = 0;
        v->mark_received = received;
        v->mark_acked = acked;
        v->marked = true;
        return;
    }
    if (!v->marked)
        v->mark_received = received;
    v->marked = true;
    if (is_too_slow(v, now_ms, received, acked)) {
        metric_add(v->gateway, METRIC_CUT_SLOW, 1);
        visitor_cut(v);
    }
}
