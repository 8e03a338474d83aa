/* The heartbeat: load, and how far the running chunks are. Called by session.c every two seconds
 * and by inbox.c when the broker asks whether this session still lives. */
#include "agent.h"

static uint64_t permille_of(const struct lane *lane, const struct work *work)
{
    uint64_t all = work->in.head_known ? work->in.owned : work->bytes;
    uint64_t done = slot_progress(lane->slot, &work->run);
    return all ? SW_MIN(done * 1000 / all, UINT64_C(1000)) : 0;
}

void beat_send(struct agent *agent)
{
    struct session *session = &agent->session;
    struct sw_msg_progress *running = sw_alloc(agent->n_lanes, sizeof *running);
    struct sw_msg_beat beat = {.running = running};
    for (size_t i = 0; i < agent->n_lanes; i++) {
        const struct lane *lane = &agent->lanes[i];
        const struct work *work = lane->first;
        if (!work)
            continue;
        running[beat.n_running++] = (struct sw_msg_progress){
            .job = work->key.job,
            .chunk = work->key.chunk,
            .n = work->key.n,
            .permille = permille_of(lane, work),
        };
    }
    beat.load = beat.n_running * 1000 / SW_MAX(agent->n_lanes, (size_t)1);
    session->beat_ms = agent->now_ms;
    session->beats_open++;
    session_send(agent, SW_MSG_BEAT, &beat, NULL, 0);
    sw_release(running);
}
