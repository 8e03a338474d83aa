/* Who works on which chunk: a pool of leases, each in its chunk (at most two) and in its agent's
 * list, which is in the order given, since that is the order in which the agent runs them. */
#include "broker/core/state.h"

#include "base/own.h"

static uint32_t index_of(const struct core *core, const struct lease *lease)
{
    return (uint32_t)(lease - core->leases);
}

static uint16_t *held_of(struct job *job, uint32_t agent)
{
    if (job->n_chunks <= 1)
        return NULL; /* a share of one chunk is one chunk: nothing to count */
    size_t old = job->held_room;
    sw_grow(&job->held, &job->held_room, agent + 1, sizeof *job->held);
    for (size_t i = old; i < job->held_room; i++)
        job->held[i] = 0;
    return &job->held[agent];
}

void lease_count_first(struct core *core, struct job *job)
{
    for (int i = 0; i < CORE_LEASES_MAX; i++)
        if (job->chunks[0].lease[i] != NONE)
            ++*held_of(job, core->leases[job->chunks[0].lease[i]].agent);
}

static struct lease *take_from_pool(struct core *core)
{
    uint32_t index = core->free_lease;
    if (index != NONE) {
        core->free_lease = core->leases[index].next;
    } else {
        sw_grow(&core->leases, &core->lease_room, core->n_leases + 1, sizeof *core->leases);
        index = core->n_leases++;
    }
    core->live_leases++;
    core->leases[index] = (struct lease){0};
    return &core->leases[index];
}

struct lease *lease_adopt(
    struct core *core, struct job *job, uint32_t chunk, uint32_t agent, uint64_t n, int64_t now_ms)
{
    struct lease *lease = take_from_pool(core);
    uint32_t index = index_of(core, lease);
    struct agent *owner = agent_of(core, agent);
    *lease = (struct lease){.job = job, .chunk = chunk, .agent = agent, .n = n, .start_ms = now_ms};
    lease->prev = owner->last;
    if (owner->last != NONE)
        core->leases[owner->last].next = index;
    else
        owner->first = index;
    owner->last = index;
    owner->held++;
    uint32_t *place = job->chunks[chunk].lease;
    place[place[0] == NONE ? 0 : 1] = index;
    uint16_t *held = held_of(job, agent);
    if (held)
        (*held)++;
    if (job->first_lease_ms == 0)
        job->first_lease_ms = now_ms ? now_ms : 1;
    return lease;
}

struct lease *
lease_give(struct core *core, struct job *job, uint32_t chunk, uint32_t agent, int64_t now_ms)
{
    assert(core->counter < UINT32_MAX); /* four billion leases in one life of the broker */
    uint64_t n = (uint64_t)core->epoch << 32 | ++core->counter;
    return lease_adopt(core, job, chunk, agent, n, now_ms);
}

struct lease *
lease_find(struct core *core, const struct job *job, uint32_t chunk, uint32_t agent, uint64_t n)
{
    for (int i = 0; i < CORE_LEASES_MAX; i++) {
        uint32_t index = job->chunks[chunk].lease[i];
        if (index != NONE && core->leases[index].agent == agent && core->leases[index].n == n)
            return &core->leases[index];
    }
    return NULL;
}

bool lease_other_agent(const struct core *core, const struct chunk *chunk, uint32_t agent)
{
    for (int i = 0; i < CORE_LEASES_MAX; i++)
        if (chunk->lease[i] != NONE && core->leases[chunk->lease[i]].agent == agent)
            return false;
    return true;
}

bool lease_is_running(const struct core *core, const struct lease *lease)
{
    if (lease->running)
        return true;
    /* an agent runs its leases in order: the first ones, as many as it has slots */
    const struct agent *agent = &core->agents[lease->agent];
    uint32_t index = index_of(core, lease), at = agent->first;
    for (uint32_t i = 0; i < agent->slots && at != NONE; i++, at = core->leases[at].next)
        if (at == index)
            return true;
    return false;
}

void lease_free(struct core *core, struct lease *lease)
{
    struct agent *owner = &core->agents[lease->agent];
    uint32_t index = index_of(core, lease);
    uint32_t *link = lease->prev != NONE ? &core->leases[lease->prev].next : &owner->first;
    *link = lease->next;
    link = lease->next != NONE ? &core->leases[lease->next].prev : &owner->last;
    *link = lease->prev;
    owner->held--;
    uint16_t *held = held_of(lease->job, lease->agent);
    if (held)
        (*held)--;
    uint32_t *place = lease->job->chunks[lease->chunk].lease;
    if (place[0] == index)
        place[0] = place[1];
    place[1] = NONE;
    lease->job = NULL;
    lease->next = core->free_lease;
    core->free_lease = index;
    core->live_leases--;
    core->dirty = true;
}

void lease_revoke_others(struct core *core,
                         struct job *job,
                         uint32_t chunk,
                         const struct lease *keep)
{
    uint32_t places[CORE_LEASES_MAX];
    for (int i = 0; i < CORE_LEASES_MAX; i++)
        places[i] = job->chunks[chunk].lease[i];
    for (int i = 0; i < CORE_LEASES_MAX; i++) {
        struct lease *lease = &core->leases[places[i]];
        if (places[i] == NONE || lease == keep)
            continue;
        if (!BUG(revoke_forgotten))
            act(core, (struct core_action){.type = ACT_REVOKE,
                                           .agent = lease->agent,
                                           .session = core->agents[lease->agent].session,
                                           .job = job->id,
                                           .chunk = chunk,
                                           .n = lease->n});
        lease_free(core, lease);
    }
}

static void count_loss(struct core *core, struct chunk *chunk, uint32_t agent)
{
    struct trouble *trouble = chunk_trouble(core, chunk);
    if (BUG(loss_not_counted))
        return;
    trouble->losses = (uint8_t)SW_MIN(trouble->losses + 1, UINT8_MAX);
    for (uint32_t i = 0; i < trouble->n_lost_by; i++)
        if (trouble->lost_by[i] == agent)
            return;
    if (trouble->n_lost_by < CORE_LOSSES_MAX)
        trouble->lost_by[trouble->n_lost_by++] = agent;
}

void lease_drop(struct core *core, struct lease *lease, bool lost)
{
    struct job *job = lease->job;
    uint32_t index = lease->chunk;
    struct chunk *chunk = &job->chunks[index];
    if (lost)
        count_loss(core, chunk, lease->agent);
    lease_free(core, lease);
    if (chunk->state == CHUNK_LEASED && chunk->lease[0] == NONE)
        result_count_failure(core, job, index, NULL, 0);
    else if (chunk->state == CHUNK_VERIFYING)
        verify_unchecked(core, job, index);
}
