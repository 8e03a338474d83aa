/* The invariants that can be seen from inside (design, section 3), asserted one by one; for tests
 * and the simulator. Reads everything, changes nothing. */
#include "broker/core/state.h"

static uint32_t check_chunk(const struct core *core, const struct job *job, uint32_t index)
{
    const struct chunk *chunk = &job->chunks[index];
    const struct trouble *trouble = chunk_trouble_view(core, chunk);
    uint32_t leases = 0;
    for (int i = 0; i < CORE_LEASES_MAX; i++) {
        if (chunk->lease[i] == NONE)
            continue;
        const struct lease *lease = &core->leases[chunk->lease[i]];
        assert(lease->job == job && lease->chunk == index);
        leases++;
    }
    const struct candidate *candidate = verify_of(core, chunk);
    assert((candidate != NULL) == (chunk->state == CHUNK_VERIFYING));
    if (candidate) {
        assert(candidate->job == job && candidate->chunk == index);
        assert(leases == (candidate->waiting ? 0 : 1)); /* one check at a time */
        assert(leases == 0 || core->leases[chunk->lease[0]].check != CHECK_NONE);
        assert(!core->agents[candidate->result.agent].quarantined); /* 11 */
        return leases;
    }
    assert(leases == 0 || chunk->state == CHUNK_LEASED); /* 8 */
    assert(leases > 0 || chunk->state != CHUNK_LEASED);  /* 18 */
    assert(leases < 2 ||
           core->leases[chunk->lease[0]].agent != core->leases[chunk->lease[1]].agent); /* 6 */
    bool attempts_over = trouble->attempts >= core->attempts_max;
    bool losses_over = trouble->losses >= CORE_LOSSES_MAX;
    assert(chunk->state != CHUNK_READY || !attempts_over); /* 10 */
    assert(chunk->state != CHUNK_FAILED || attempts_over ||
           losses_over);                                    /* 10: only at the limit */
    assert(chunk->state != CHUNK_CANCELLED || job->ending); /* 12 */
    return leases;
}

static void check_job(const struct core *core, const struct job *job)
{
    uint32_t count[CHUNK_STATES] = {0}, leases = 0;
    for (uint32_t i = 0; i < job->n_chunks; i++) {
        assert(job->chunks[i].state < CHUNK_STATES); /* 1 */
        count[job->chunks[i].state]++;
        leases += check_chunk(core, job, i);
    }
    for (int s = 0; s < CHUNK_STATES; s++)
        assert(count[s] == job->count[s]); /* 3 */
    for (size_t i = 0; i < job->held_room; i++)
        leases -= job->held[i];
    assert(leases == 0 || job->n_chunks <= 1); /* 3 */
    bool wanted = count[CHUNK_READY] > 0 && !job->ending;
    assert(wanted == (job->ring_next != NULL));
    assert(!job->ending || (count[CHUNK_LEASED] == 0 && count[CHUNK_VERIFYING] == 0)); /* 12 */
}

static void check_agent(const struct core *core, uint32_t index)
{
    const struct agent *agent = &core->agents[index];
    uint32_t held = 0, before = NONE, unchecked = 0;
    for (uint32_t i = 1; i < core->n_candidates; i++) {
        const struct candidate *c = &core->candidates[i];
        unchecked += c->job && c->result.agent == index;
        unchecked += c->job && c->against_repeats && c->against_agent == index;
    }
    assert(unchecked == agent->unchecked);
    for (uint32_t at = agent->first; at != NONE; at = core->leases[at].next) {
        const struct lease *lease = &core->leases[at];
        assert(lease->agent == index && lease->job && lease->prev == before);
        before = at;
        held++;
    }
    assert(before == agent->last && held == agent->held);
    assert(agent->online || held == 0);                                     /* 18 */
    assert(!agent->quarantined || held == 0);                               /* 11 */
    assert(agent->spent_chunks <= agent->granted_chunks || !agent->online); /* 7 */
}

void core_check(const struct core *core)
{
    size_t chunks = 0;
    for (const struct job *job = core->jobs; job; job = job->hh.next) {
        check_job(core, job);
        chunks += job->n_chunks;
    }
    assert(chunks == core->n_chunks);
    for (uint32_t i = 0; i < core->n_agents; i++)
        check_agent(core, i);
    for (size_t i = 1; i < core->effects.n;
         i++) { /* 5: what waits is in order, and not yet durable */
        const struct effects *q = &core->effects;
        assert(q->items[(q->head + i) % q->room].seq >= q->items[(q->head + i - 1) % q->room].seq);
    }
    assert(core->effects.n == 0 || core->effects.items[core->effects.head].seq > core->committed);
}
