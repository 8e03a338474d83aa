/* HELLO and what follows WELCOME: who this agent is, what it can, and every lease that it has.
 * Called by session.c and inbox.c. */
#include "agent.h"

#include "base/log.h"

#include <systemd/sd-daemon.h>

/* As the broker counts losses: what runs, what waits, what is finished. A result that was not
 * reported is listed as finished too, so that its FAIL or RETURN still finds a lease. */
static uint64_t phase_of(const struct work *work)
{
    if (work->state == WORK_FETCHING || work->state == WORK_READY)
        return 0;
    if (work->state == WORK_IN_SLOT)
        return work->lane->first == work ? 1 : 0;
    return 2;
}

void hello_send(struct agent *agent)
{
    struct session *session = &agent->session;
    struct sw_msg_kernel kernels[SW_COUNT(agent->kernels)] = {0};
    size_t n_held = 0;
    struct sw_msg_held *held = sw_alloc(SW_MAX(agent->credit.held_chunks, 1U), sizeof *held);
    for (size_t i = 0; i < agent->n_kernels; i++)
        kernels[i] = (struct sw_msg_kernel){
            .type = sw_str_of(agent->kernels[i]->name),
            .rev = agent->kernels[i]->rev,
            .engine = sw_str_of(sw_kernel_engine(agent->kernels[i])),
        };
    for (struct work *work = agent->works; work; work = work->next)
        held[n_held++] = (struct sw_msg_held){
            .job = work->key.job,
            .chunk = work->key.chunk,
            .n = work->key.n,
            .token = work->token,
            .phase = phase_of(work),
        };
    struct sw_msg_hello hello = {
        .instance = agent->instance,
        .version = sw_str_of(SHADOW_VERSION),
        .name = sw_str_of(agent->config.name),
        .system_info = {.platform = sw_str_of(agent->platform),
                        .cpu_cores = agent->cores,
                        .memory = agent->memory_bytes},
        .slots = agent->n_lanes,
        .bytes_limit = agent->credit.bytes_max,
        .kernels = kernels,
        .n_kernels = agent->n_kernels,
        .held = held,
        .n_held = n_held,
    };
    credit_restart(&agent->credit);
    credit_tell(&agent->credit, agent->now_ms, &hello.chunks, &hello.bytes);
    session->serial_out = 0; /* it may be a repeat: the session, and its first message */
    session->hello_ms = agent->now_ms;
    session_send(agent, SW_MSG_HELLO, &hello, NULL, 0);
    sw_release(held);
}

/* Results are said again: DONE, and before it STORE where the output went there, since the broker
 * may have died before it was durable. */
static void repeat_results(struct agent *agent)
{
    for (struct work *work = agent->works; work; work = work->next) {
        if (work->state == WORK_DONE && work->out.n_parts) {
            work->state = WORK_STORING;
            report_undue(agent, work);
        }
        if (work->out.active || work->state == WORK_STORING)
            store_again(agent, work);
        else if (work->state == WORK_DONE)
            report_due(agent, work);
    }
}

void hello_welcomed(struct agent *agent, const struct sw_msg_welcome *welcome)
{
    struct session *session = &agent->session;
    session->welcomed = true;
    session->told_duplicate = false;
    session->heard_ms = agent->now_ms;
    session->beat_ms = agent->now_ms - AGENT_BEAT_MS; /* the first one at once */
    agent->data.window = SW_MAX(welcome->window, (uint64_t)SW_SLICE_BYTES_MAX);
    sw_log(SW_LOG_INFO, "welcomed device=%.*s epoch=%ju held=%ju", (int)welcome->device_id.n,
           welcome->device_id.p ? welcome->device_id.p : "", (uintmax_t)welcome->epoch,
           (uintmax_t)agent->credit.held_chunks);
    sd_notify(0, session->was_welcomed ? "STATUS=Welcomed by the broker"
                                       : "READY=1\nSTATUS=Welcomed by the broker");
    session->was_welcomed = true;
    repeat_results(agent);
}
