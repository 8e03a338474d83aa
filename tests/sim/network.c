/* What lies between an agent process and the broker: loss, delay, reordering, duplicates, cuts of
 * one direction, connections that break, seen or not. Owns every message under way (in the heap).
 * Called by session.c and shell.c; never looks into a message beyond who and which connection. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum { TO_BROKER = 0, TO_AGENT = 1 };

struct message *message_new(enum message_type type, uint32_t n)
{
    struct message *m = sw_alloc(1, sizeof *m + n * sizeof m->items[0]);
    m->type = type;
    m->n = n;
    return m;
}

static struct message *copy(const struct message *m)
{
    size_t size = sizeof *m + m->n * sizeof m->items[0];
    struct message *twin = sw_alloc(1, size);
    memcpy(twin, m, size);
    return twin;
}

static int64_t delay_ms(struct world *w)
{
    struct rng *r = &w->network_rng;
    if (w->laboratory)
        return 0;
    if (world_has(w, FAULT_delay) && rng_chance(r, 50))
        return rng_between(r, 100, 4000);
    return rng_between(r, 0, 5);
}

static void carry(struct world *w, struct message *m, int direction)
{
    struct rng *r = &w->network_rng;
    int64_t at = w->now_ms + delay_ms(w);
    int64_t *last = &w->last_arrival_ms[m->process][direction];
    bool overtakes = world_has(w, FAULT_reorder) && rng_chance(r, 30);
    if (!overtakes)
        at = SW_MAX(at, *last);
    *last = SW_MAX(at, *last);
    heap_push(&w->heap,
              (struct entry){.at_ms = at,
                             .kind = direction == TO_BROKER ? ENTRY_TO_BROKER : ENTRY_TO_AGENT,
                             .who = m->process,
                             .owned = m});
}

static void send(struct world *w, struct message *m, int direction)
{
    struct rng *r = &w->network_rng;
    bool cut = w->cut_until_ms[m->process][direction] > w->now_ms;
    if (cut || (world_has(w, FAULT_loss) && rng_chance(r, 20))) {
        w->counts[COUNT_LOST]++;
        free(m);
        return;
    }
    if (world_has(w, FAULT_duplicate) && rng_chance(r, 30))
        carry(w, copy(m), direction);
    carry(w, m, direction);
}

void network_to_broker_take(struct world *w, struct message *m)
{
    send(w, m, TO_BROKER);
}

void network_to_agent_take(struct world *w, struct message *m)
{
    send(w, m, TO_AGENT);
}

/* What ROUTER_MANDATORY would say: false only when the broken connection was noticed. */
bool network_reachable(const struct world *w, uint32_t process, uint64_t connection)
{
    const struct process *p = &w->processes[process];
    return p->connection == connection || p->silent_until_ms > w->now_ms;
}

/* What is under way stays so and is dropped on arrival: it belongs to a connection that is no more.
 */
void network_break(struct world *w, struct process *p, bool seen)
{
    p->connection++;
    p->silent_until_ms = seen ? w->now_ms : w->now_ms + rng_between(&w->network_rng, 1, 8000);
}
