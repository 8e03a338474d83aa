/* Who gets what: jobs by priority, then round-robin; fast agents first; nobody hoards near a job's
 * end. Runs after every event that changed something, until nothing more can be given out. */
#include "broker/core/state.h"

#include "base/own.h"

#include <math.h>
#include <stdlib.h>

bool pick_allowed(const struct agent *agent)
{
    return agent->online && (!agent->draining || BUG(drain_ignored)) &&
           (!agent->quarantined || BUG(quarantine_ignored));
}

bool pick_can_run(const struct agent *agent, const struct job *job)
{
    return agent->kinds >> job->kind & 1;
}

static double weight_of(const struct agent *agent, double slot_speed)
{
    return agent->speed > 0 ? agent->speed : slot_speed * SW_MAX(agent->slots, 1U);
}

/* Orders agents by speed; those not yet measured count as average. */
void pick_rank(struct core *core)
{
    double speed = 0, slots = 0;
    core->n_rank = 0;
    for (uint32_t i = 0; i < core->n_agents; i++) {
        const struct agent *agent = &core->agents[i];
        if (!pick_allowed(agent))
            continue;
        sw_grow(&core->rank, &core->rank_room, core->n_rank + 1, sizeof *core->rank);
        core->rank[core->n_rank++] = i;
        if (agent->speed > 0) {
            speed += agent->speed;
            slots += agent->slots;
        }
    }
    double slot_speed = slots > 0 ? speed / slots : 1;
    for (uint32_t k = 0; k < CORE_KINDS_MAX; k++)
        core->weight_by_kind[k] = 0;
    for (uint32_t i = 0; i < core->n_rank;
         i++) { /* insertion sort: nearly sorted from the last time */
        uint32_t moving = core->rank[i], at = i;
        double weight = weight_of(&core->agents[moving], slot_speed);
        for (; at > 0 && weight_of(&core->agents[core->rank[at - 1]], slot_speed) < weight; at--)
            core->rank[at] = core->rank[at - 1];
        core->rank[at] = moving;
        for (uint32_t k = 0; k < CORE_KINDS_MAX; k++)
            if (core->agents[moving].kinds >> k & 1)
                core->weight_by_kind[k] += weight;
    }
    core->ranked = true;
}

bool pick_credit(const struct agent *agent, uint64_t bytes)
{
    if (BUG(credit_ignored))
        return true;
    if (agent->granted_chunks <= agent->spent_chunks || agent->held >= CORE_HELD_MAX)
        return false;
    uint64_t charge = SW_MIN(bytes, agent->bytes_limit);
    bool fits = agent->granted_bytes >= agent->spent_bytes + charge;
    return fits || agent->held == 0 ||
           BUG(bytes_not_charged); /* who holds nothing may always get one */
}

bool pick_leaves_one(const struct agent *agent, const struct job *job)
{
    if (!agent->checked && !job->verify_all)
        return true;
    return agent->granted_chunks > agent->spent_chunks + 1 ||
           (agent->held == 0 && agent->unchecked == 0);
}

static bool failed_on(const struct trouble *trouble, uint32_t agent)
{
    for (uint32_t i = 0; i < trouble->n_failed_by; i++)
        if (trouble->failed_by[i] == agent)
            return true;
    return false;
}

/* An agent that failed a chunk gets it again only where no other one is there that did not. */
bool pick_fits(const struct core *core,
               const struct job *job,
               const struct chunk *chunk,
               uint32_t agent)
{
    const struct trouble *trouble = chunk_trouble_view(core, chunk);
    if (trouble->n_failed_by == 0 || !failed_on(trouble, agent))
        return true;
    for (uint32_t i = 0; i < core->n_rank; i++) {
        uint32_t other = core->rank[i];
        if (other != agent && pick_can_run(&core->agents[other], job) && !failed_on(trouble, other))
            return false;
    }
    return true;
}

uint32_t pick_held(const struct job *job, uint32_t agent)
{
    return agent < job->held_room ? job->held[agent] : 0;
}

/* What it may hold of a job: its part, by speed, of what remains; at least one. */
uint32_t pick_share(const struct core *core, const struct job *job, uint32_t agent)
{
    double remaining = job->count[CHUNK_READY] + (double)job->count[CHUNK_LEASED];
    double all = core->weight_by_kind[job->kind];
    const struct agent *a = &core->agents[agent];
    double weight = a->speed > 0 ? a->speed : all * a->slots / SW_MAX(core_slots_online(core), 1U);
    if (all <= 0 || BUG(share_ignored))
        return UINT32_MAX;
    return SW_MAX((uint32_t)ceil(remaining * SW_MIN(weight / all, 1.0)), 1U);
}

void pick_assign(struct core *core, struct job *job, uint32_t index, uint32_t agent, int64_t now_ms)
{
    struct agent *a = &core->agents[agent];
    struct chunk *chunk = &job->chunks[index];
    uint32_t attempts = chunk_trouble_view(core, chunk)->attempts;
    const struct candidate *candidate = verify_of(core, chunk);
    struct lease *lease = lease_give(core, job, index, agent, now_ms);
    if (candidate)
        lease->check = a->checked ? CHECK_REPEAT : CHECK_VERIFY;
    a->spent_chunks++;
    a->spent_bytes += SW_MIN(chunk->bytes, a->bytes_limit);
    if (a->speed > 0) {
        double took = (double)SW_MAX(chunk->bytes, 1U) * 1000.0 / a->speed;
        a->busy_until_ms = SW_MAX(a->busy_until_ms, now_ms) + (int64_t)took + 1;
        lease->expect_ms = a->busy_until_ms;
    }
    if (chunk->state == CHUNK_READY)
        chunk_move(core, job, index, CHUNK_LEASED);
    if (job->status == JOB_PENDING) {
        job->status = JOB_PROCESSING;
        note(core, NOTE_JOB, job->id, 0, 0);
    }
    act(core, (struct core_action){.type = ACT_ASSIGN,
                                   .agent = agent,
                                   .session = a->session,
                                   .job = job->id,
                                   .chunk = index,
                                   .n = lease->n,
                                   .attempts = attempts,
                                   .check = lease->check,
                                   .candidate_n = candidate ? candidate->result.n : 0,
                                   .isolate = attempts + 1 >= core->attempts_max});
}

/* Takes a chunk out of the retry queue: the first READY one that fits; others that are READY stay.
 */
static uint32_t from_queue(struct core *core, struct job *job, uint32_t agent)
{
    uint32_t *link = &job->retry_head, before = NONE;
    while (*link != NONE) {
        uint32_t index = *link - 1;
        struct chunk *chunk = &job->chunks[index];
        bool stale = chunk->state != CHUNK_READY &&
                     !(BUG(assign_committing) && chunk->state == CHUNK_COMMITTING);
        bool fits = !stale && pick_fits(core, job, chunk, agent);
        if (fits && !pick_credit(&core->agents[agent], chunk->bytes))
            return NONE;
        if (stale || fits) {
            *link = chunk->retry_next;
            if (job->retry_tail == index + 1)
                job->retry_tail = before;
            chunk->queued = false;
        }
        if (fits)
            return index + 1;
        if (!stale) {
            before = index + 1;
            link = &chunk->retry_next;
        }
    }
    return NONE;
}

static uint32_t take_ready(struct core *core, struct job *job, uint32_t agent)
{
    uint32_t queued = from_queue(core, job, agent);
    if (queued != NONE)
        return queued;
    while (job->cursor < job->n_chunks) {
        const struct chunk *chunk = &job->chunks[job->cursor];
        if (chunk->state == CHUNK_READY && pick_fits(core, job, chunk, agent))
            break;
        job->cursor++;
        if (chunk->state == CHUNK_READY) /* adopted and failed before: it waits, not those behind */
            chunk_requeue(job, job->cursor - 1);
    }
    if (job->cursor == job->n_chunks ||
        !pick_credit(&core->agents[agent], job->chunks[job->cursor].bytes))
        return NONE;
    return ++job->cursor; /* index + 1 */
}

/* One chunk for one agent, from the next job in turn that has one for it. */
static bool pick_one(struct core *core, uint32_t agent, int64_t now_ms)
{
    for (int word = 3; word >= 0; word--) {
        uint64_t used = core->ring_used[word];
        while (used) {
            int bit = 63 - __builtin_clzll(used);
            used &= ~((uint64_t)1 << bit);
            struct job **head = &core->ring[word * 64 + bit], *first = *head, *job = first;
            do {
                struct job *next_job = job->ring_next;
                bool may = pick_can_run(&core->agents[agent], job) &&
                           pick_leaves_one(&core->agents[agent], job) &&
                           pick_held(job, agent) < pick_share(core, job, agent);
                uint32_t chunk = may ? take_ready(core, job, agent) : NONE;
                if (chunk != NONE) {
                    if (!BUG(starves_low))
                        *head = next_job; /* pick_assign may take the job out of the ring: then head
                                             moves on */
                    pick_assign(core, job, chunk - 1, agent, now_ms);
                    return true;
                }
                job = next_job;
            } while (job != first);
        }
    }
    return false;
}

void pick_run(struct core *core, int64_t now_ms)
{
    if (!core->dirty || core->loading || (!core->settled && !BUG(settle_ignored)))
        return;
    core->dirty = false;
    if (!core->ranked)
        pick_rank(core);
    checks_run(core, now_ms);
    bool any = false;
    for (int word = 0; word < 4; word++)
        any |= core->ring_used[word] != 0;
    if (!any)
        return;
    for (int round = 0; round < 2;
         round++) { /* first every slot gets work, then everyone looks ahead */
        for (uint32_t i = 0; i < core->n_rank; i++) {
            struct agent *agent = &core->agents[core->rank[i]];
            uint32_t until = round == 0 ? agent->slots : CORE_HELD_MAX;
            while (agent->held < until && pick_credit(agent, 0) &&
                   pick_one(core, core->rank[i], now_ms))
                ;
        }
    }
    core->dirty = false;
}
