/* The machine: an event goes to its handler, then what became possible is given out. See core.h for
 * the contract and state.h for what is remembered. */
#include "broker/core/state.h"

#include "base/own.h"

struct core *core_new(const struct core_config *config, int64_t now_ms)
{
    struct core *core = sw_alloc(1, sizeof *core);
    core->epoch = config->epoch;
    core->last_job = config->last_job;
    core->spot_permille = config->spot_permille;
    core->attempts_max = config->attempts_max ? config->attempts_max : CORE_ATTEMPTS_MAX;
    assert(core->attempts_max <= CORE_ATTEMPTS_MAX);
    core->tick_ms = now_ms + CORE_TICK_MS;
    core->settled = true;
    core->n_leases = core->n_troubles = core->n_candidates = 1; /* index 0 is NONE */
    sw_grow(&core->leases, &core->lease_room, 1, sizeof *core->leases);
    sw_grow(&core->troubles, &core->trouble_room, 1, sizeof *core->troubles);
    core->leases[0] = (struct lease){0};
    return core;
}

void core_destroy(struct core **core)
{
    if (!*core)
        return;
    struct job *job, *next_job;
    HASH_ITER(hh, (*core)->jobs, job, next_job)
    {
        job_free(*core, job);
    }
    key_drop_all(*core);
    for (uint32_t i = 0; i < (*core)->n_agents; i++)
        sw_release((*core)->agents[i].engines);
    sw_release((*core)->candidates);
    sw_release((*core)->agents);
    sw_release((*core)->rank);
    sw_release((*core)->leases);
    sw_release((*core)->troubles);
    sw_release((*core)->effects.items);
    sw_release((*core)->actions.items);
    sw_release(*core);
    *core = NULL;
}

static void tick(struct core *core, int64_t now_ms)
{
    int64_t lateness = SW_MAX(now_ms - core->tick_ms, 0);
    core->late_ms += lateness;
    core->tick_ms = now_ms + CORE_TICK_MS;
    agent_tick(core, lateness, now_ms);
    agent_settle(core, now_ms);
    job_tick(core, now_ms);
    key_tick(core, now_ms);
    pick_rank(core); /* speeds were learned since the last tick */
    verify_tick(core);
    core->dirty = true;
}

void core_feed(struct core *core, const struct core_event *event, int64_t now_ms)
{
    core->started = true;
    switch (event->type) {
    case EV_TICK:
        tick(core, now_ms);
        break;
    case EV_COMMITTED:
        committed(core, event->of.committed, now_ms);
        break;
    case EV_HELLO:
        hello_event(core, event, now_ms);
        break;
    case EV_BEAT:
    case EV_CREDIT:
    case EV_DONE:
    case EV_FAIL:
    case EV_RETURN:
    case EV_CHECKED:
    case EV_GONE:
    case EV_UNREACHABLE:
    case EV_DRAIN:
    case EV_RESUME:
    case EV_QUARANTINE:
        agent_event(core, event, now_ms);
        break;
    case EV_SUBMIT:
    case EV_ADD:
    case EV_SEAL:
    case EV_CANCEL:
    case EV_RETRY:
    case EV_SET:
    case EV_FORGET:
        job_event(core, event, now_ms);
        break;
    }
    pick_run(core, now_ms);
    if (event->type == EV_TICK)
        tail_run(core, now_ms);
}

int64_t core_wake(const struct core *core)
{
    return core->tick_ms;
}

uint64_t core_seq(const struct core *core)
{
    return core->seq;
}

uint32_t core_slots_online(const struct core *core)
{
    uint32_t slots = 0;
    for (uint32_t i = 0; i < core->n_rank; i++)
        slots += core->agents[core->rank[i]].slots;
    return slots;
}
