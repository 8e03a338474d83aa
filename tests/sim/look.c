/* Looking at everything that can be seen of the core, after an event: each chunk goes to moves.c,
 * counters and credit are counted again here. Called by oracle.c. */
#include "oracle.h"

#include "base/own.h"

#include <string.h>

void look_make_room(struct sight *sight, uint32_t n)
{
    if (n > sight->room) {
        uint32_t room = SW_MAX(n, sight->room * 2);
        sight->chunks = sw_realloc(sight->chunks, room, sizeof *sight->chunks);
        sight->marks = sw_realloc(sight->marks, room, sizeof *sight->marks);
        memset(sight->marks + sight->room, 0, (room - sight->room) * sizeof *sight->marks);
        sight->room = room;
    }
}

void look_grow(struct sight *sight, uint32_t n)
{
    look_make_room(sight, n);
    for (; sight->n < n; sight->n++)
        sight->chunks[sight->n] = (struct core_chunk_view){.state = CHUNK_READY};
}

/* (3) the job's counters are those of its chunks. */
static void check_counts(struct world *w, uint64_t job, const struct core_job_view *view)
{
    const struct sight *sight = oracle_sight(w, job);
    uint32_t count[CHUNK_STATES] = {0};
    uint64_t bytes = 0, bytes_done = 0;
    for (uint32_t i = 0; i < sight->n; i++) {
        count[sight->chunks[i].state]++;
        bytes += sight->chunks[i].bytes;
        bytes_done += sight->chunks[i].state == CHUNK_DONE ? sight->chunks[i].bytes : 0;
    }
    if (count[CHUNK_READY] != view->ready || count[CHUNK_LEASED] != view->leased ||
        count[CHUNK_COMMITTING] != view->committing || count[CHUNK_DONE] != view->done ||
        count[CHUNK_VERIFYING] != view->verifying || count[CHUNK_FAILED] != view->failed ||
        count[CHUNK_CANCELLED] != view->cancelled || sight->n != view->chunks ||
        bytes != view->bytes_in || bytes_done != view->bytes_done)
        world_fail(w, 3, "counters of job %lu are not those of its chunks", (unsigned long)job);
}

static void look_at_job(struct world *w, const struct core_event *event, uint64_t job)
{
    struct oracle *o = w->oracle;
    struct sight *sight = oracle_sight(w, job);
    struct core_job_view view;
    if (!core_job(w->core, job, &view)) {
        sight->live = false;
        return;
    }
    if (!sight->live)
        sight->n = 0;
    look_grow(sight, view.chunks);
    for (uint32_t i = 0; i < view.chunks; i++) {
        struct core_chunk_view now;
        if (!core_chunk(w->core, job, i, &now))
            world_fail(w, 1, "chunk %u of job %lu cannot be seen", i, (unsigned long)job);
        moves_check(w, event, job, i, &now);
        sight->chunks[i] = now;
        for (uint32_t k = 0; k < now.n_leases; k++)
            w->oracle->agents[now.agents[k]].held++;
    }
    check_counts(w, job, &view);
    durable_shown(w, job, &view);
    sight->job = view;
    o->most.adds = SW_MAX(o->most.adds, view.adds);
    o->verifying += view.verifying;
    sight->live = true;
    o->chunks += view.chunks;
}

static void look_at_agent(struct world *w, uint32_t agent)
{
    struct watch *watch = &w->oracle->agents[agent];
    struct core_agent_view view;
    if (!core_agent(w->core, agent, &view))
        return;
    if (view.online != watch->online || (view.online && view.session != watch->session))
        world_fail(w, 8, "agent %u: online or session without WELCOME or DROP", agent);
    if (view.held != watch->held)
        world_fail(w, 3, "agent %u holds %u leases, its chunks say %u", agent, view.held,
                   watch->held);
    if (!view.online && watch->held)
        world_fail(w, 18, "agent %u is gone and still has %u leases", agent, watch->held);
    if (!view.online)
        return;
    if (view.spent_chunks != watch->spent_chunks || view.spent_bytes != watch->spent_bytes ||
        view.granted_chunks != watch->granted_chunks || view.granted_bytes != watch->granted_bytes)
        world_fail(w, 7, "agent %u: spent %lu of %lu chunks, not %lu of %lu", agent,
                   (unsigned long)view.spent_chunks, (unsigned long)view.granted_chunks,
                   (unsigned long)watch->spent_chunks, (unsigned long)watch->granted_chunks);
    bool over =
        watch->spent_chunks > watch->granted_chunks || watch->spent_bytes > watch->granted_bytes;
    if (watch->assigned && over && watch->held > 1)
        world_fail(w, 7, "agent %u was given more than it granted", agent);
}

void look_at_all(struct world *w, const struct core_event *event)
{
    struct oracle *o = w->oracle;
    struct core_job_view view;
    for (uint32_t i = 0; i < w->options.agents; i++)
        o->agents[i].held = 0;
    o->chunks = o->verifying = 0;
    for (size_t i = 0; i < o->n_sights; i++) /* those that were there before */
        if (o->sights[i].live)
            look_at_job(w, event, i);
    for (uint64_t job = 1, end = o->n_sights; job <= end; job++) /* new ones, and one beyond */
        if (!(job < end && o->sights[job].live) && core_job(w->core, job, &view))
            look_at_job(w, event, job);
    for (uint32_t i = 0; i < w->options.agents; i++)
        look_at_agent(w, i);
    core_check(w->core);
}
