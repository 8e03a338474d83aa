/* Agents: who is there, what they will take, when they count as gone. Sessions and serials are
 * checked here, before anything else sees an agent's event. */
#include "broker/core/state.h"

#include "base/own.h"

struct agent *agent_of(struct core *core, uint32_t agent)
{
    assert(agent < CORE_AGENTS_MAX);
    if (agent >= core->n_agents) {
        sw_grow(&core->agents, &core->agent_room, agent + 1, sizeof *core->agents);
        for (uint32_t i = core->n_agents; i <= agent; i++)
            core->agents[i] = (struct agent){0};
        core->n_agents = agent + 1;
    }
    core->agents[agent].known = true;
    return &core->agents[agent];
}

static void agent_away(struct core *core, uint32_t index)
{
    struct agent *agent = &core->agents[index];
    act(core, (struct core_action){.type = ACT_DROP, .agent = index, .session = agent->session});
    agent->online = false;
    agent->session = agent->serial = 0;
    agent->granted_chunks = agent->granted_bytes = agent->spent_chunks = agent->spent_bytes = 0;
    agent->probe_ms = agent->answered_ms = 0;
    core->ranked = false;
    core->dirty = true;
    note(core, NOTE_AGENT, 0, 0, index);
}

void agent_gone(struct core *core, uint32_t index, bool lost)
{
    struct agent *agent = agent_of(core, index);
    /* which of them ran is known only while all of them stand in the list */
    for (uint32_t at = agent->first; at != NONE; at = core->leases[at].next)
        core->leases[at].running = lease_is_running(core, &core->leases[at]);
    while (agent->first != NONE) {
        struct lease *lease = &core->leases[agent->first];
        lease_drop(core, lease, lost && lease->running);
    }
    agent_away(core, index);
}

/* The message belongs to the agent's session and none before it was lost. Events of one message
 * share a serial. */
static bool is_current(struct agent *agent, const struct core_event *event)
{
    bool session = agent->online && agent->session == event->session;
    if (BUG(old_session_counts) && agent->online)
        session = true;
    bool next = event->serial == agent->serial || event->serial == agent->serial + 1;
    if (!session || !(next || BUG(serial_gap_ignored)))
        return false;
    agent->serial = event->serial;
    return true;
}

static void
beat(struct core *core, const struct core_event *event, struct agent *agent, int64_t now_ms)
{
    if (agent->probe_ms) { /* it lives: who else uses its key is the duplicate */
        agent->probe_ms = 0;
        agent->answered_ms = now_ms + INT64_C(3) * CORE_PROBE_MS;
    }
    for (size_t i = 0; i < event->of.beat.n_running; i++) {
        const struct core_lease_ref *ref = &event->of.beat.running[i];
        struct job *job = job_of(core, ref->job);
        if (!job || ref->chunk >= job->n_chunks)
            continue;
        struct lease *lease = lease_find(core, job, ref->chunk, event->agent, ref->n);
        if (!lease)
            continue;
        lease->running = true;
        lease->permille = ref->permille;
    }
    act(core,
        (struct core_action){.type = ACT_BEAT, .agent = event->agent, .session = event->session});
}

static void credit(struct core *core, const struct core_event *event, struct agent *agent)
{
    agent->granted_chunks = SW_MAX(agent->granted_chunks, event->of.credit.chunks);
    agent->granted_bytes = SW_MAX(agent->granted_bytes, event->of.credit.bytes);
    core->dirty = true;
}

void agent_revoke(struct core *core, uint32_t index, uint64_t job, uint32_t chunk, uint64_t n)
{
    const struct agent *agent = &core->agents[index];
    if (agent->online)
        act(core, (struct core_action){.type = ACT_REVOKE,
                                       .agent = index,
                                       .session = agent->session,
                                       .job = job,
                                       .chunk = chunk,
                                       .n = n});
}

void agent_quarantine(struct core *core, uint32_t index)
{
    struct agent *agent = &core->agents[index];
    agent->quarantined = true;
    for (uint32_t at; (at = agent->first) != NONE;) {
        struct lease *lease = &core->leases[at];
        agent_revoke(core, index, lease->job->id, lease->chunk, lease->n);
        lease_drop(core, lease, false);
    }
    verify_distrust(core, index);
    core->ranked = false;
    core->dirty = true;
    note(core, NOTE_AGENT, 0, 0, index);
}

static void drain(struct core *core, const struct core_event *event, struct agent *agent)
{
    agent->draining = event->type == EV_DRAIN;
    if (event->type == EV_RESUME)
        agent->quarantined = false;
    core->ranked = false;
    core->dirty = true;
    note(core, NOTE_AGENT, 0, 0, event->agent);
    reply(core, event->ref, CORE_OK, 0, 0);
}

void agent_event(struct core *core, const struct core_event *event, int64_t now_ms)
{
    struct agent *agent = agent_of(core, event->agent);
    if (event->type == EV_DRAIN || event->type == EV_RESUME) {
        drain(core, event, agent);
        return;
    }
    if (event->type == EV_QUARANTINE) {
        agent_quarantine(core, event->agent);
        return;
    }
    if (event->type == EV_UNREACHABLE) {
        if (agent->online && agent->session == event->session)
            agent_gone(core, event->agent, true);
        return;
    }
    bool current = is_current(agent, event);
    if (current) {
        agent->seen_ms = now_ms;
        agent->gone_ms = now_ms + CORE_GONE_MS;
    } else {
        act(core, (struct core_action){
                      .type = ACT_AGAIN, .agent = event->agent, .session = event->session});
    }
    if (event->type == EV_DONE || event->type == EV_FAIL || event->type == EV_RETURN)
        result_event(core, event, current, now_ms);
    else if (event->type == EV_CHECKED)
        verify_event(core, event);
    else if (current && event->type == EV_BEAT)
        beat(core, event, agent, now_ms);
    else if (current && event->type == EV_CREDIT)
        credit(core, event, agent);
    else if (current && event->type == EV_GONE)
        agent_gone(core, event->agent, false);
}

void agent_tick(struct core *core, int64_t lateness_ms, int64_t now_ms)
{
    for (uint32_t i = 0; i < core->n_agents; i++) {
        struct agent *agent = &core->agents[i];
        if (!agent->online)
            continue;
        if (!BUG(late_tick_kills_fleet))
            agent->gone_ms += lateness_ms; /* we were deaf for that long, not they silent */
        if (now_ms >= agent->gone_ms)
            agent_gone(core, i, true);
    }
}

void agent_settle(struct core *core, int64_t now_ms)
{
    bool waiting = false;
    for (uint32_t i = 0; i < core->n_agents && !core->settled && !waiting; i++)
        waiting = core->agents[i].waited_for;
    if (!core->settled && (!waiting || now_ms >= core->settle_ms)) {
        core->settled = true;
        core->dirty = true;
    }
}
