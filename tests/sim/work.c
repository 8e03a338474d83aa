/* The work of an agent process: queue, fetch, run, finish, keep until TAKEN, give back. Called by
 * agents.c when a message or a timer says so; talks through session.c. */
#include "world.h"

#include "base/own.h"

#include <string.h>

struct lease *work_find(struct process *p, uint64_t n)
{
    for (size_t i = 0; i < p->n_held; i++)
        if (p->held[i].item.n == n)
            return &p->held[i];
    return NULL;
}

static void drop(struct process *p, struct lease *lease)
{
    p->released_chunks++;
    p->released_bytes += lease->item.bytes;
    if (lease->item.trait == TRAIT_GOOD && !lease->item.check) {
        struct item old = lease->item;
        old.phase = PHASE_FINISHED;
        old.result = world_result(old.content) + p->engine;
        p->old[p->n_old < SW_COUNT(p->old) ? p->n_old++ : old.n % SW_COUNT(p->old)] = old;
    }
    size_t i = (size_t)(lease - p->held);
    memmove(lease, lease + 1, (--p->n_held - i) * sizeof *lease);
}

/* Results and credit leave together, a moment later, so that one message carries many. */
void work_flush_soon(struct world *w, struct process *p)
{
    if (p->flush_armed)
        return;
    p->flush_armed = true;
    agents_arm(w, p, TIMER_FLUSH, w->laboratory ? 1 : rng_between(&w->agent_rng, 1, 20), 0);
}

static int64_t run_ms(struct world *w, const struct process *p, const struct item *item)
{
    int64_t ms = 1 + (int64_t)(item->bytes / p->speed);
    if (item->trait == TRAIT_POISON)
        return rng_between(&w->agent_rng, 1, 3000);
    if (world_has(w, FAULT_straggle) && rng_chance(&w->agent_rng, 20))
        ms *= 100;
    return ms;
}

void work_start(struct world *w, struct process *p)
{
    uint32_t running = 0;
    for (size_t i = 0; i < p->n_held; i++)
        running += p->held[i].item.phase == PHASE_RUNNING;
    for (size_t i = 0; i < p->n_held && running < p->slots; i++) {
        struct lease *lease = &p->held[i];
        if (!lease->fetched || lease->item.phase != PHASE_QUEUED)
            continue;
        lease->item.phase = PHASE_RUNNING;
        lease->started_ms = w->now_ms;
        lease->ends_ms = w->now_ms + run_ms(w, p, &lease->item);
        agents_arm(w, p, TIMER_FINISH, lease->ends_ms - w->now_ms, lease->item.n);
        running++;
    }
}

static bool fails(struct world *w, const struct process *p, const struct item *item)
{
    if (item->trait == TRAIT_HOPELESS)
        return true;
    if (item->trait == TRAIT_BAD_FILE && !item->isolate)
        return true;
    return world_has(w, FAULT_flaky) && rng_chance(&w->agent_rng, p->fail_permille);
}

/* A cheat lies about one chunk in ten, and all of its owner about the same ones in the same way. */
static bool lies(const struct process *p, const struct item *item)
{
    if (p->broken)
        return item->trait == TRAIT_GOOD && rng_mix(item->content, p->index) % 10 == 0;
    return p->cheat && rng_mix(item->content, p->owner) % 10 == 0;
}

static void finish(struct process *p, struct item *item)
{
    uint32_t failed_files = item->trait == TRAIT_BAD_FILE;
    item->phase = PHASE_FINISHED;
    if (item->check) {
        item->agrees =
            world_is_right(item->content, item->result) && item->failed_files == failed_files;
        return;
    }
    bool lie = lies(p, item), about_files = lie && p->cheat && item->content % 4 == 0;
    item->result = lie && !about_files
                       ? rng_mix(item->content, p->broken ? p->index + 100 : p->owner + 1U)
                       : world_result(item->content) + p->engine;
    item->failed_files = failed_files + (about_files ? 1 + p->owner : 0);
}

void work_finish(struct world *w, struct process *p, uint64_t n)
{
    struct lease *lease = work_find(p, n);
    if (!lease || lease->item.phase != PHASE_RUNNING)
        return;
    if (lease->item.trait == TRAIT_POISON) {
        agents_die(w, p);
        return;
    }
    int64_t took = w->now_ms - lease->started_ms;
    p->took_ms += (uint64_t)took - p->took_ms / 16;
    lease->item.took_ms = (uint32_t)took;
    if (fails(w, p, &lease->item) && !lies(p, &lease->item)) {
        struct item item = lease->item;
        drop(p, lease);
        session_send(w, p, MESSAGE_FAIL, &item, 1);
    } else {
        finish(p, &lease->item);
    }
    work_flush_soon(w, p);
    work_start(w, p);
}

void work_give_back(struct world *w, struct process *p)
{
    for (size_t i = p->n_held; i-- > 0;) {
        if (p->held[i].item.phase == PHASE_FINISHED)
            continue;
        struct item item = p->held[i].item;
        drop(p, &p->held[i]);
        session_send(w, p, MESSAGE_RETURN, &item, 1);
    }
}

void work_accept(struct world *w, struct process *p, const struct item *item)
{
    if (work_find(p, item->n))
        return;
    if (p->leaving || p->paused_until_ms > w->now_ms) {
        session_send(w, p, MESSAGE_RETURN, item, 1);
        p->released_chunks++;
        p->released_bytes += item->bytes;
        return;
    }
    sw_grow(&p->held, &p->held_room, p->n_held + 1, sizeof *p->held);
    p->held[p->n_held++] = (struct lease){.item = *item};
    p->link_free_ms = SW_MAX(p->link_free_ms, w->now_ms) + (int64_t)(item->bytes / p->link);
    agents_arm(w, p, TIMER_FETCHED, p->link_free_ms - w->now_ms, item->n);
}

void work_let_go(struct world *w, struct process *p, uint64_t n)
{
    struct lease *lease = work_find(p, n);
    if (!lease)
        return;
    drop(p, lease);
    work_flush_soon(w, p);
    work_start(w, p);
}
