/* HELLO: a session begins. What the agent lists and what the books say are made one (design,
 * section 4); another instance with the same key is let in only when the old session no longer
 * answers. */
#include "broker/core/state.h"

#include "base/own.h"

#include <string.h>

/* False: the old session's holder has to be asked, or was and lives. */
static bool
may_replace(struct core *core, const struct core_event *event, struct agent *agent, int64_t now_ms)
{
    /* the instance of a session is kept in `instance`; a reconnect of the same process needs no
     * question */
    if (!agent->online || agent->session == event->session ||
        agent->instance == event->of.hello.instance)
        return true;
    if (now_ms < agent->answered_ms) {
        act(core, (struct core_action){
                      .type = ACT_DUPLICATE, .agent = event->agent, .session = event->session});
        return false;
    }
    if (agent->probe_ms == 0) {
        agent->probe_ms = now_ms + CORE_PROBE_MS;
        act(core, (struct core_action){
                      .type = ACT_PROBE, .agent = event->agent, .session = agent->session});
        return false;
    }
    if (now_ms < agent->probe_ms)
        return false;
    agent_gone(core, event->agent, true);
    return true;
}

static void send(struct core *core,
                 enum core_action_type type,
                 uint32_t agent,
                 const struct core_lease_ref *ref)
{
    act(core, (struct core_action){.type = type,
                                   .agent = agent,
                                   .session = core->agents[agent].session,
                                   .job = ref->job,
                                   .chunk = ref->chunk,
                                   .n = ref->n});
}

/* One lease that the agent lists. */
static void
reconcile(struct core *core, uint32_t agent, const struct core_lease_ref *ref, int64_t now_ms)
{
    struct job *job = job_of(core, ref->job);
    struct chunk *chunk = job && ref->chunk < job->n_chunks ? &job->chunks[ref->chunk] : NULL;
    if (!chunk || chunk_final(chunk) || chunk->state == CHUNK_COMMITTING) {
        taken_after(core, agent, ref); /* nobody wants it any more */
        return;
    }
    uint32_t booked = BUG(readopt_wrong_agent) ? (agent + 1) % core->n_agents : agent;
    if (ref->valid && verify_keeps(core, chunk, agent, ref->n))
        return; /* until a check decides */
    struct lease *lease = lease_find(core, job, ref->chunk, agent, ref->n);
    bool gone = ref->check || chunk->state == CHUNK_VERIFYING; /* a check is not begun again */
    bool barred = core->agents[agent].quarantined && !BUG(quarantine_ignored);
    bool room = chunk->lease[1] == NONE && lease_other_agent(core, chunk, agent);
    if (!ref->valid || (!lease && (job->ending || !room || barred || gone))) {
        send(core, ACT_REVOKE, agent, ref);
        return;
    }
    if (!lease)
        lease = lease_adopt(core, job, ref->chunk, booked, ref->n, now_ms);
    lease->stamp = core->stamp;
    lease->running = ref->phase == PHASE_RUNNING;
    if (chunk->state == CHUNK_READY)
        chunk_move(core, job, ref->chunk, CHUNK_LEASED);
}

/* On the books but not listed: it is not there. A new process lost what the old one ran; the same
 * process never got it. */
static void drop_unlisted(struct core *core, uint32_t index, bool lost)
{
    struct agent *agent = &core->agents[index];
    for (uint32_t at = agent->first; at != NONE; at = core->leases[at].next)
        core->leases[at].running = lease_is_running(core, &core->leases[at]);
    for (uint32_t at = agent->first, next; at != NONE; at = next) {
        struct lease *lease = &core->leases[at];
        next = lease->next;
        if (lease->stamp != core->stamp && !BUG(hello_keeps_unlisted))
            lease_drop(core, lease, lost && lease->running);
    }
}

static void set_role(struct agent *agent, const struct core_event *event)
{
    agent->checked = event->of.hello.checked;
    agent->owner = event->of.hello.owner;
    sw_release(agent->engines);
    agent->engines = NULL;
    if (!event->of.hello.engines)
        return;
    agent->engines = sw_alloc(CORE_KINDS_MAX, sizeof *agent->engines);
    memcpy(agent->engines, event->of.hello.engines, CORE_KINDS_MAX * sizeof *agent->engines);
}

void hello_event(struct core *core, const struct core_event *event, int64_t now_ms)
{
    struct agent *agent = agent_of(core, event->agent);
    if (!may_replace(core, event, agent, now_ms))
        return;
    bool other_instance = agent->instance != 0 && agent->instance != event->of.hello.instance;
    agent->online = true;
    if (agent->waited_for && !core->settled)
        core->settle_ms = SW_MIN(now_ms + CORE_SETTLE_MS, core->settle_max_ms);
    agent->waited_for = false;
    agent->session = event->session;
    agent->serial = event->serial;
    agent->instance = event->of.hello.instance;
    agent->kinds = event->of.hello.kinds;
    agent->slots = event->of.hello.slots;
    agent->bytes_limit = event->of.hello.bytes_limit;
    set_role(agent, event);
    agent->granted_chunks = agent->granted_bytes = agent->spent_chunks = agent->spent_bytes = 0;
    agent->probe_ms = agent->answered_ms = 0;
    agent->seen_ms = now_ms;
    agent->gone_ms = now_ms + CORE_GONE_MS;
    agent->busy_until_ms = now_ms;
    core->stamp++;
    core->ranked = false;
    core->dirty = true;
    act(core, (struct core_action){
                  .type = ACT_WELCOME, .agent = event->agent, .session = event->session});
    for (size_t i = 0; i < event->of.hello.n_held; i++)
        reconcile(core, event->agent, &event->of.hello.held[i], now_ms);
    drop_unlisted(core, event->agent, other_instance);
    agent_settle(core, now_ms);
    note(core, NOTE_AGENT, 0, 0, event->agent);
}
