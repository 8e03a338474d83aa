/* Results that nobody has to believe: one of a browser, and a few of native agents, are held
 * (VERIFYING) until a check agrees. What a check says is judged here: who is right, who lied, what
 * is done again. Called by result.c, lease.c, agent.c and job.c; who checks is checks.c's. */
#include "broker/core/state.h"

#include "base/own.h"

struct candidate *verify_of(const struct core *core, const struct chunk *chunk)
{
    uint32_t index = chunk_trouble_view(core, chunk)->candidate;
    return index == NONE ? NULL : &core->candidates[index];
}

static bool is_checked(const struct core *core, const struct core_event *done)
{
    return core->agents[done->agent].checked || done->of.result.checked;
}

static struct result result_of(const struct core_event *event)
{
    return (struct result){.agent = event->agent,
                           .n = event->of.result.lease.n,
                           .bytes_out = event->of.result.bytes_out,
                           .hash = event->of.result.hash,
                           .failed_files = event->of.result.failed_files,
                           .payload = event->payload};
}

bool verify_wanted(const struct core *core, const struct core_event *event, const struct job *job)
{
    if (BUG(accept_unchecked))
        return false;
    if (is_checked(core, event) || job->verify_all)
        return true;
    return event->of.result.draw < core->spot_permille &&
           checks_native(core, job, event->agent, event->agent);
}

void verify_hold(struct core *core, struct job *job, const struct core_event *event)
{
    uint32_t index = core->free_candidate, chunk = event->of.result.lease.chunk;
    if (index != NONE) {
        core->free_candidate = core->candidates[index].next;
    } else {
        index = core->n_candidates++;
        sw_grow(&core->candidates, &core->candidate_room, core->n_candidates,
                sizeof *core->candidates);
    }
    const struct agent *agent = &core->agents[event->agent];
    struct candidate *c = &core->candidates[index];
    *c = (struct candidate){.job = job,
                            .chunk = chunk,
                            .result = result_of(event),
                            .checked = is_checked(core, event),
                            .owner = agent->owner,
                            .engine = agent->engines ? agent->engines[job->kind] : 0};
    c->result.held = true;
    c->result.payload = NULL; /* borrowed: it is gone with the event */
    chunk_trouble(core, &job->chunks[chunk])->candidate = index;
    core->agents[event->agent].unchecked++;
    act(core, (struct core_action){.type = ACT_HOLD,
                                   .agent = event->agent,
                                   .job = job->id,
                                   .chunk = chunk,
                                   .n = c->result.n,
                                   .payload = event->payload});
    chunk_move(core, job, chunk, CHUNK_VERIFYING);
    checks_wait(core, c, true);
}

/* Out of the pool. Returns what it was. */
static struct candidate take(struct core *core, struct job *job, uint32_t index)
{
    struct chunk *chunk = &job->chunks[index];
    struct candidate *c = verify_of(core, chunk), was = *c;
    checks_wait(core, c, false);
    *c = (struct candidate){.next = core->free_candidate};
    core->free_candidate = (uint32_t)(c - core->candidates);
    struct trouble *trouble = chunk_trouble(core, chunk);
    trouble->candidate = NONE;
    if (trouble->attempts == 0 && trouble->losses == 0 && trouble->n_failed_by == 0)
        chunk_forget_trouble(core, chunk);
    lease_revoke_others(core, job, index, NULL); /* the check under way */
    core->agents[was.result.agent].unchecked--;
    if (was.against_repeats) {
        core->agents[was.against_agent].unchecked--;
        agent_revoke(core, was.against_agent, job->id, index, was.against_n);
    }
    return was;
}

static void let_go(struct core *core, const struct candidate *was)
{
    act(core, (struct core_action){.type = ACT_LET_GO,
                                   .agent = was->result.agent,
                                   .job = was->job->id,
                                   .chunk = was->chunk,
                                   .n = was->result.n});
}

void verify_forget(struct core *core, struct job *job, uint32_t index)
{
    struct candidate was = take(core, job, index);
    let_go(core, &was);
    agent_revoke(core, was.result.agent, job->id, index, was.result.n);
}

void verify_reject(
    struct core *core, struct job *job, uint32_t index, const void *payload, uint32_t failed_files)
{
    verify_forget(core, job, index);
    result_count_failure(core, job, index, payload, failed_files);
}

static void caught(struct core *core, uint32_t agent)
{
    if (core->agents[agent].quarantined || BUG(liar_not_caught))
        return;
    act(core, (struct core_action){.type = ACT_CAUGHT, .agent = agent});
    agent_quarantine(core, agent);
}

static void agree(struct core *core, struct job *job, uint32_t index)
{
    struct candidate was = take(core, job, index);
    result_accept(core, job, index, &was.result);
    if (was.against)
        caught(core, was.against_agent);
}

/* The first check disagrees, and no agent is left that could decide: the word of a native agent is
 * enough against a browser; two native agents against each other are a failure of the chunk; two
 * browsers wait for somebody else. */
static void decide_alone(struct core *core, struct candidate *c)
{
    struct job *job = c->job;
    uint32_t chunk = c->chunk;
    if (c->against_repeats) {
        checks_wait(core, c, true);
    } else if (c->checked) {
        uint32_t liar = c->result.agent;
        if (BUG(liar_not_redone))
            agree(core, job, chunk);
        caught(core, liar);
    } else {
        result_count_attempt(core, &job->chunks[chunk], c->result.agent);
        verify_reject(core, job, chunk, NULL, 0);
    }
}

static void disagree(struct core *core, struct candidate *c, const struct core_event *event)
{
    bool repeats = event->type == EV_DONE;
    struct job *job = c->job;
    uint32_t chunk = c->chunk;
    if (!c->against) {
        c->against = true;
        c->against_repeats = repeats;
        core->agents[event->agent].unchecked += repeats;
        c->against_agent = event->agent;
        c->against_owner = core->agents[event->agent].owner;
        c->against_hash = event->of.result.hash;
        c->against_n = event->of.result.lease.n;
        if (checks_possible(core, c))
            checks_wait(core, c, true);
        else
            decide_alone(core, c);
        return;
    }
    if (repeats)
        agent_revoke(core, event->agent, job->id, chunk, event->of.result.lease.n);
    if (!repeats || event->of.result.hash == c->against_hash) {
        caught(core, c->result.agent);
        return;
    }
    result_count_attempt(core, &job->chunks[chunk], c->result.agent); /* three of three minds */
    verify_reject(core, job, chunk, NULL, 0);
}

static bool same_bytes(const struct result *a, const struct result *b)
{
    return a->hash == b->hash && a->bytes_out == b->bytes_out && a->failed_files == b->failed_files;
}

static void repeated(struct core *core, struct candidate *c, const struct core_event *event)
{
    struct result other = result_of(event);
    if (!same_bytes(&c->result, &other)) {
        disagree(core, c, event);
        return;
    }
    agree(core, c->job, c->chunk);
    taken_after(core, event->agent, &event->of.result.lease);
}

bool verify_keeps(const struct core *core, const struct chunk *chunk, uint32_t agent, uint64_t n)
{
    const struct candidate *c = verify_of(core, chunk);
    return c && ((c->result.agent == agent && c->result.n == n) ||
                 (c->against_repeats && c->against_agent == agent && c->against_n == n));
}

void verify_done(struct core *core,
                 struct job *job,
                 struct lease *lease,
                 const struct core_event *event)
{
    uint32_t chunk = event->of.result.lease.chunk;
    uint64_t n = event->of.result.lease.n;
    struct candidate *c = verify_of(core, &job->chunks[chunk]);
    bool trusted = !is_checked(core, event) && c->checked && !job->verify_all;
    if (lease && lease->check == CHECK_REPEAT) {
        lease_free(core, lease);
        repeated(core, c, event);
    } else if (!lease && trusted) { /* a late result of a native agent: nothing left to check */
        struct candidate was = take(core, job, chunk);
        let_go(core, &was);
        struct result result = result_of(event);
        result_accept(core, job, chunk, &result);
        taken_after(core, was.result.agent,
                    &(struct core_lease_ref){.job = job->id, .chunk = chunk, .n = was.result.n});
    } else if (!lease && !verify_keeps(core, &job->chunks[chunk], event->agent, n)) {
        agent_revoke(core, event->agent, job->id, chunk, n);
    }
}

void verify_event(struct core *core, const struct core_event *event)
{
    const struct core_lease_ref *ref = &event->of.result.lease;
    struct job *job = job_of(core, ref->job);
    struct lease *lease = job && ref->chunk < job->n_chunks
                              ? lease_find(core, job, ref->chunk, event->agent, ref->n)
                              : NULL;
    if (!ref->valid || (lease && lease->check != CHECK_VERIFY))
        return;
    taken_after(core, event->agent, ref);
    if (!lease)
        return;
    lease_free(core, lease);
    if (event->of.result.agrees)
        agree(core, job, ref->chunk);
    else
        disagree(core, verify_of(core, &job->chunks[ref->chunk]), event);
}

void verify_unchecked(struct core *core, struct job *job, uint32_t index)
{
    if (chunk_is_over(core, &job->chunks[index]))
        verify_reject(core, job, index, NULL, 0);
    else
        checks_wait(core, verify_of(core, &job->chunks[index]), true);
}

void verify_distrust(struct core *core, uint32_t agent)
{
    for (uint32_t i = 1; i < core->n_candidates; i++) {
        struct candidate *c = &core->candidates[i];
        if (!c->job)
            continue;
        if (c->result.agent == agent) {
            verify_reject(core, c->job, c->chunk, NULL, 0);
            continue;
        }
        if (!c->against || c->against_agent != agent)
            continue;
        if (c->against_repeats) {
            core->agents[agent].unchecked--;
            agent_revoke(core, agent, c->job->id, c->chunk, c->against_n);
        }
        c->against = c->against_repeats = false;
    }
}

void verify_tick(struct core *core)
{
    for (uint32_t i = 1; i < core->n_candidates; i++) {
        struct candidate *c = &core->candidates[i];
        if (!c->job || !c->waiting || checks_possible(core, c))
            continue;
        if (c->against)
            decide_alone(core, c);
        else if (!c->checked && !c->job->verify_all)
            agree(core, c->job, c->chunk); /* a spot check that nobody is there to do */
        else if (checks_blocked(core, c))
            verify_reject(core, c->job, c->chunk, NULL, 0);
    }
}
