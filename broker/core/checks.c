/* Who checks what: a native agent looks at the result; where none is active, a device of another
 * owner with the same engine runs the chunk as well, without knowing why. One check at a time, the
 * oldest result first, before new work is given out. Called by pick.c and verify.c. */
#include "broker/core/state.h"

#include "base/own.h"

/* Paused ones are there and take nothing: nobody waits for them. */
static bool is_active(const struct agent *agent)
{
    return pick_allowed(agent) && (agent->held || pick_credit(agent, 0));
}

bool checks_native(const struct core *core, const struct job *job, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < core->n_rank; i++) {
        const struct agent *agent = &core->agents[core->rank[i]];
        if (core->rank[i] != a && core->rank[i] != b && !agent->checked && is_active(agent) &&
            pick_can_run(agent, job))
            return true;
    }
    return false;
}

/* A device may speak only about devices, and never about one of its own owner. */
static bool may_repeat(const struct candidate *c, const struct agent *agent)
{
    if (!c->checked || (c->against && !c->against_repeats))
        return false;
    bool stranger = agent->owner && c->owner && agent->owner != c->owner &&
                    !(c->against && agent->owner == c->against_owner);
    return (stranger || BUG(checker_same_owner)) && c->engine && agent->engines &&
           agent->engines[c->job->kind] == c->engine;
}

static bool may_check(const struct core *core, const struct candidate *c, uint32_t index)
{
    const struct agent *agent = &core->agents[index];
    if (index == c->result.agent || (c->against && index == c->against_agent) ||
        !pick_allowed(agent) || !pick_can_run(agent, c->job))
        return false;
    return !agent->checked || may_repeat(c, agent);
}

bool checks_possible(const struct core *core, const struct candidate *c)
{
    for (uint32_t i = 0; i < core->n_rank; i++)
        if (is_active(&core->agents[core->rank[i]]) && may_check(core, c, core->rank[i]))
            return true;
    return false;
}

bool checks_blocked(const struct core *core, const struct candidate *c)
{
    const struct agent *giver = &core->agents[c->result.agent];
    if (!giver->online || is_active(giver))
        return false;
    for (uint32_t at = core->first_waiting; at != NONE; at = core->candidates[at].next)
        if (may_check(core, &core->candidates[at], c->result.agent) &&
            !checks_possible(core, &core->candidates[at]))
            return true;
    return false;
}

void checks_wait(struct core *core, struct candidate *c, bool waiting)
{
    if (c->waiting == waiting)
        return;
    uint32_t index = (uint32_t)(c - core->candidates);
    c->waiting = waiting;
    if (waiting) {
        c->next = NONE;
        c->prev = core->last_waiting;
    }
    uint32_t *after = c->prev != NONE ? &core->candidates[c->prev].next : &core->first_waiting;
    uint32_t *before = c->next != NONE ? &core->candidates[c->next].prev : &core->last_waiting;
    *after = waiting ? index : c->next;
    *before = waiting ? index : c->prev;
    core->dirty = true;
}

bool checks_wanted(const struct core *core, const struct job *job)
{
    for (uint32_t at = core->first_waiting; at != NONE; at = core->candidates[at].next)
        if (core->candidates[at].job == job)
            return true;
    return false;
}

/* The oldest that this agent may check. */
static struct candidate *first_for(const struct core *core, uint32_t index, uint64_t native_kinds)
{
    bool device = core->agents[index].checked;
    for (uint32_t at = core->first_waiting; at != NONE; at = core->candidates[at].next) {
        struct candidate *c = &core->candidates[at];
        if (device && native_kinds >> c->job->kind & 1)
            continue; /* there is somebody better */
        if (may_check(core, c, index) &&
            pick_credit(&core->agents[index], c->job->chunks[c->chunk].bytes))
            return c;
    }
    return NULL;
}

void checks_run(struct core *core, int64_t now_ms)
{
    uint64_t native_kinds = 0;
    for (uint32_t i = 0; i < core->n_rank && core->first_waiting != NONE; i++) {
        const struct agent *agent = &core->agents[core->rank[i]];
        if (!agent->checked && is_active(agent))
            native_kinds |= agent->kinds;
    }
    for (int round = 0; round < 2; round++) { /* every slot first, as pick_run does */
        for (uint32_t i = 0; i < core->n_rank && core->first_waiting != NONE; i++) {
            const struct agent *agent = &core->agents[core->rank[i]];
            uint32_t until = round == 0 ? agent->slots : CORE_HELD_MAX;
            while (agent->held < until && pick_credit(agent, 0)) {
                struct candidate *c = first_for(core, core->rank[i], native_kinds);
                if (!c)
                    break;
                checks_wait(core, c, false);
                pick_assign(core, c->job, c->chunk, core->rank[i], now_ms);
            }
        }
    }
}
