/* How an agent process talks: sessions, serials, credit, repeats, and the lies of a liar. Called by
 * agents.c and faults.c; the rules are those of the design's section 4 as a real agent has to
 * follow them. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t BYTES_LIMIT = UINT64_C(64) << 20;

void session_send(struct world *w,
                  struct process *p,
                  enum message_type type,
                  const struct item *items,
                  uint32_t n)
{
    struct message *m = message_new(type, n);
    m->process = p->index;
    m->connection = p->connection;
    m->session = p->session;
    m->serial = ++p->serial_out;
    if (n)
        memcpy(m->items, items, n * sizeof *items);
    if (type == MESSAGE_HELLO) {
        m->instance = p->instance;
        m->kinds = p->kinds;
        m->slots = p->slots;
        m->bytes_limit = BYTES_LIMIT;
    } else if (type == MESSAGE_CREDIT) {
        m->chunks = p->granted_chunks;
        m->bytes = p->granted_bytes;
    }
    network_to_broker_take(w, m);
}

/* A new socket and a new session: everything not TAKEN is listed, credit starts again at nothing.
 */
void session_connect(struct world *w, struct process *p)
{
    w->counts[COUNT_SESSIONS]++;
    network_break(w, p, rng_chance(&w->agent_rng, 700));
    p->session = rng_next(&w->agent_rng) | 1;
    p->generation++;
    p->serial_out = p->serial_in = 0;
    p->welcomed = false;
    p->granted_chunks = p->granted_bytes = p->released_chunks = p->released_bytes = 0;
    p->adopted_chunks = p->n_held;
    p->adopted_bytes = 0;
    for (size_t i = 0; i < p->n_held; i++)
        p->adopted_bytes += p->held[i].item.bytes;
    p->answered_ms = w->now_ms;
    uint32_t n = (uint32_t)p->n_held, more = p->liar && !w->healed ? SW_MIN(p->n_old, 2U) : 0;
    struct item *items = sw_alloc(n + more, sizeof *items);
    for (uint32_t i = 0; i < n; i++)
        items[i] = p->held[i].item;
    for (uint32_t i = 0; i < more; i++) { /* leases that are over, and one of another agent's */
        items[n + i] = p->old[i];
        items[n + i].token ^= i & 1;
    }
    session_send(w, p, MESSAGE_HELLO, items, n + more);
    free(items);
}

/* For about 2 s ahead, at least 2 a slot, at most 64 here; held ones are in it. */
void session_grant(struct world *w, struct process *p)
{
    uint64_t window =
        SW_MAX(UINT64_C(32000) * p->slots / SW_MAX(p->took_ms, 1), UINT64_C(2) * p->slots);
    window = SW_MIN(window, 64);
    uint64_t window_bytes = SW_MAX(p->speed * p->slots * 2000, BYTES_LIMIT / 64);
    if (p->paused_until_ms > w->now_ms || p->leaving)
        return;
    uint64_t chunks = p->released_chunks + window, bytes = p->released_bytes + window_bytes;
    chunks -= SW_MIN(chunks, p->adopted_chunks); /* what was held at HELLO is not paid again */
    bytes -= SW_MIN(bytes, p->adopted_bytes);
    if (chunks <= p->granted_chunks && bytes <= p->granted_bytes)
        return;
    p->granted_chunks = SW_MAX(p->granted_chunks, chunks);
    p->granted_bytes = SW_MAX(p->granted_bytes, bytes);
    session_send(w, p, MESSAGE_CREDIT, NULL, 0);
}

/* What is finished and not TAKEN: all of it after WELCOME, else what was not sent in this session
 * yet. */
void session_repeat(struct world *w, struct process *p)
{
    struct item done[32];
    uint32_t n = 0;
    for (size_t i = 0; i < p->n_held; i++) {
        struct lease *lease = &p->held[i];
        if (lease->item.phase != PHASE_FINISHED || lease->sent)
            continue;
        lease->sent = true;
        if (lease->item.check) {
            session_send(w, p, MESSAGE_CHECKED, &lease->item, 1);
            continue;
        }
        done[n++] = lease->item;
        if (n == SW_COUNT(done)) {
            session_send(w, p, MESSAGE_DONE, done, n);
            n = 0;
        }
    }
    if (n)
        session_send(w, p, MESSAGE_DONE, done, n);
    if (!BUG(agent_forgets_early))
        return;
    for (size_t i = p->n_held; i-- > 0;)
        if (p->held[i].sent)
            p->held[i] = p->held[--p->n_held];
}

/* Messages that an honest agent would not send: of them only a late DONE with its own token may
 * count. */
void session_lie(struct world *w, struct process *p)
{
    struct rng *r = &w->agent_rng;
    if (p->n_old == 0)
        return;
    struct item item = p->old[rng_below(r, p->n_old)];
    uint64_t session = p->session;
    switch (rng_below(r, 7)) {
    case 0: /* a result out of thin air */
        item.token ^= 1 + rng_below(r, 1000);
        item.result ^= 1;
        session_send(w, p, MESSAGE_DONE, &item, 1);
        break;
    case 1: /* the right token for another chunk */
        item.chunk ^= 1;
        item.result ^= 1;
        session_send(w, p, MESSAGE_DONE, &item, 1);
        break;
    case 2: /* honest but late: this one may count */
        session_send(w, p, MESSAGE_DONE, &item, 1);
        break;
    case 3:
        session_send(w, p, MESSAGE_FAIL, &item, 1);
        break;
    case 4:
        session_send(w, p, MESSAGE_RETURN, &item, 1);
        break;
    case 5: /* of a lease it holds, but in a session that is over or never was */
        if (p->n_held)
            item = p->held[rng_below(r, p->n_held)].item;
        p->session ^= 2;
        session_send(w, p, rng_chance(r, 500) ? MESSAGE_FAIL : MESSAGE_RETURN, &item, 1);
        p->session = session;
        p->serial_out--;
        break;
    case 6: /* less than granted before, in effect a repeat */
        session_send(w, p, MESSAGE_CREDIT, NULL, 0);
        break;
    }
}
