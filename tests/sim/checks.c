/* Results that are held until a check decides: who may check whose, which of them count, and that
 * only liars are caught, and soon. A part of the judge, called by oracle.c, assign.c and moves.c.
 */
#include "oracle.h"

#include "base/own.h"

enum { LIES_MAX = 100 }; /* held from one cheat before it is caught; a restart forgets some */

static const struct process *of_key(const struct world *w, uint32_t agent)
{
    return &w->processes[agent];
}

bool oracle_caught(const struct world *w)
{
    for (size_t i = 0; i < w->oracle->n_actions; i++)
        if (w->oracle->actions[i].type == ACT_CAUGHT)
            return true;
    return false;
}

bool checks_reserved(const struct world *w, uint32_t agent, const struct core_job_view *job)
{
    const struct watch *watch = &w->oracle->agents[agent];
    struct core_agent_view view;
    return (of_key(w, agent)->browser || job->verify_all) &&
           watch->granted_chunks == watch->spent_chunks + 1 && core_agent(w->core, agent, &view) &&
           view.unchecked > 0;
}

bool checks_was_one(const struct world *w, uint64_t n)
{
    const struct oracle *o = w->oracle;
    size_t low = 0, high = o->n_checks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (o->checks[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < o->n_checks && o->checks[low] == n;
}

void checks_held(struct world *w, const struct core_event *event, const struct core_action *a)
{
    const struct item *item = event->payload;
    const struct process *p = of_key(w, a->agent);
    if (event->type != EV_DONE || event->agent != a->agent)
        world_fail(w, 8, "a result is held that did not come");
    look_make_room(oracle_sight(w, a->job), a->chunk + 1);
    oracle_sight(w, a->job)->marks[a->chunk].candidate = a->agent;
    if (world_is_right(item->content, item->result) &&
        item->failed_files == (item->trait == TRAIT_BAD_FILE))
        return;
    w->counts[COUNT_LIES]++;
    if (!p->cheat && !p->broken)
        world_fail(w, 16, "agent %u is honest and gave a wrong result", a->agent);
    if (++w->oracle->agents[a->agent].lies > LIES_MAX)
        world_fail(w, 11, "agent %u lied %u times and is not caught", a->agent, LIES_MAX);
}

void checks_caught(struct world *w, uint32_t agent)
{
    w->counts[COUNT_CAUGHT]++;
    w->oracle->agents[agent].lies = 0;
    if (!of_key(w, agent)->cheat && !of_key(w, agent)->broken)
        world_fail(w, 11, "agent %u is honest and caught", agent);
}

void checks_assigned(struct world *w, const struct core_action *a)
{
    struct oracle *o = w->oracle;
    uint32_t candidate = oracle_sight(w, a->job)->marks[a->chunk].candidate;
    const struct process *of = of_key(w, candidate), *by = of_key(w, a->agent);
    const struct kept *kept = kept_find(w, a->job, a->chunk, a->candidate_n);
    w->counts[COUNT_CHECKS]++;
    if (!kept)
        world_fail(w, 8, "a check of nothing");
    if (candidate == a->agent)
        world_fail(w, 8, "agent %u is to check itself", a->agent);
    if (by->browser != (a->check == CHECK_REPEAT))
        world_fail(w, 8, "a browser is asked for a verdict, or a native agent not");
    if (a->check == CHECK_REPEAT &&
        (!of->browser || by->engine != of->engine || !by->owner || by->owner == of->owner))
        world_fail(w, 8, "agent %u may not check agent %u", a->agent, candidate);
    if (a->check != CHECK_VERIFY)
        return;
    sw_grow(&o->checks, &o->checks_room, o->n_checks + 1, sizeof *o->checks);
    o->checks[o->n_checks++] = a->n;
}

/* The row that was written of it in this event says so. */
static bool saved(const struct world *w, uint64_t job, uint32_t chunk, enum core_chunk_state state)
{
    for (size_t i = 0; i < w->oracle->n_actions; i++) {
        const struct core_action *a = &w->oracle->actions[i];
        if (a->type == ACT_SAVE && a->row == ROW_CHUNK && a->job == job && a->chunk == chunk &&
            a->state == state)
            return true;
    }
    return false;
}

const char *checks_moved(struct world *w,
                         const struct core_event *event,
                         uint64_t job,
                         uint32_t chunk,
                         const struct core_chunk_view *was,
                         const struct core_chunk_view *now)
{
    const struct core_lease_ref *ref = &event->of.result.lease;
    bool result = (event->type == EV_DONE || event->type == EV_CHECKED) && ref->job == job &&
                  ref->chunk == chunk && ref->valid;
    bool accepted = now->state == CHUNK_COMMITTING && was->state != now->state &&
                    saved(w, job, chunk, CHUNK_DONE);
    bool waits = now->state == CHUNK_VERIFYING && was->state != now->state;
    uint32_t candidate = oracle_sight(w, job)->marks[chunk].candidate;
    if ((accepted || waits) && result && event->type == EV_DONE && w->quarantined[event->agent])
        return "a result of an agent in quarantine counts";
    if (was->state != CHUNK_VERIFYING)
        return accepted && result && of_key(w, event->agent)->browser
                   ? "a result of a browser counts without a check"
                   : NULL;
    if (now->n_leases > 1 && now->state == CHUNK_VERIFYING)
        return "two checks at a time";
    bool spot = event->type == EV_TICK && !of_key(w, candidate)->browser;
    if (accepted && !spot && !(result && (event->type == EV_DONE || event->of.result.agrees)))
        return "it counts, but nobody agreed";
    return NULL;
}

/* Nobody knows who lies, which counts as a failure: three devices gave three results, or two native
 * agents say two things and there is no third. */
bool checks_undecided(const struct world *w,
                      const struct core_event *event,
                      const struct core_chunk_view *was,
                      const struct mark *mark)
{
    bool native = !of_key(w, mark->candidate)->browser;
    bool may =
        native ? event->type == EV_CHECKED || event->type == EV_TICK : event->type == EV_DONE;
    return was->state == CHUNK_VERIFYING && may;
}
