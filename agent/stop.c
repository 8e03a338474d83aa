/* Leaving: on SIGTERM nothing new is taken, what waits is handed back at once, what runs may end
 * within a few seconds, results are delivered, and the rest is handed back. No attempt is counted.
 * Called by the loop. */
#include "agent.h"

#include "base/log.h"

#include <systemd/sd-daemon.h>

void stop_begin(struct agent *agent)
{
    struct work *work, *next;
    sd_notify(0, "STOPPING=1");
    sw_log(SW_LOG_INFO, "stopping held=%ju", (uintmax_t)agent->credit.held_chunks);
    agent->stopping = true;
    agent->stop_ms = agent->now_ms + AGENT_DRAIN_MS;
    agent->credit.closed = true;
    DL_FOREACH_SAFE(agent->works, work, next)
    {
        if (work->state == WORK_FETCHING || work->state == WORK_READY)
            work_back(agent, work, "the agent stops", false);
    }
}

static void give_back_all(struct agent *agent)
{
    struct work *work, *next;
    DL_FOREACH_SAFE(agent->works, work, next)
    {
        if (work->state == WORK_IN_SLOT || work->state == WORK_STORING)
            work_back(agent, work, "the agent stops", false);
    }
    report_flush(agent);
}

/* What is worth waiting for a session. */
static bool has_results(const struct agent *agent)
{
    for (const struct work *work = agent->works; work; work = work->next)
        if (work->state == WORK_IN_SLOT || work->state == WORK_STORING || work->state == WORK_DONE)
            return true;
    return false;
}

/* Done when every result is TAKEN, and at the deadline in any case. */
void stop_look(struct agent *agent)
{
    if (!agent->stopping)
        return;
    bool late = agent->now_ms >= agent->stop_ms;
    if (agent->works && !late && (agent->session.welcomed || has_results(agent)))
        return; /* TAKEN ends it, or the deadline */
    if (agent->session.welcomed) {
        give_back_all(agent);
        struct sw_msg_bye bye = {0};
        if (agent->session.welcomed)
            session_send(agent, SW_MSG_BYE, &bye, NULL, 0);
    }
    agent->stop = true;
}
