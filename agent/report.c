/* DONE, FAIL and RETURN, gathered: many results travel in one DONE, sent when it is large and at
 * the end of the loop's turn. Works that are due stand in a list in the order they ended; nothing
 * is said without a session, and after WELCOME every result is due again. */
#include "agent.h"

void report_due(struct agent *agent, struct work *work)
{
    if (work->is_due)
        return;
    work->is_due = true;
    DL_APPEND2(agent->due, work, due_prev, due_next);
}

void report_undue(struct agent *agent, struct work *work)
{
    if (!work->is_due)
        return;
    work->is_due = false;
    DL_DELETE2(agent->due, work, due_prev, due_next);
}

static size_t size_of(const struct work *work)
{
    size_t size = 64 + work->output_size;
    for (size_t i = 0; i < work->n_pieces; i++)
        size += 12 + work->pieces[i].error.n;
    return size;
}

/* As many results from the front of the list as fit in one message. */
static bool send_done(struct agent *agent)
{
    static struct sw_msg_result results[AGENT_BATCH_RESULTS];
    struct sw_msg_done done = {.results = results};
    size_t size = 0;
    sw_buf_clear(&agent->payload);
    while (agent->due && agent->due->state == WORK_DONE && done.n_results < AGENT_BATCH_RESULTS) {
        struct work *work = agent->due;
        size += size_of(work);
        if (done.n_results && size > AGENT_BATCH_BYTES)
            break;
        results[done.n_results++] = (struct sw_msg_result){
            .job = work->key.job,
            .chunk = work->key.chunk,
            .n = work->key.n,
            .token = work->token,
            .took_ms = work->took_ms,
            .bytes_out = work->bytes_out,
            .inline_bytes = work->output_size,
            .pieces = work->pieces,
            .n_pieces = work->n_pieces,
        };
        sw_buf_put(&agent->payload, work->output, work->output_size);
        report_undue(agent, work); /* if it is lost, the next WELCOME makes it due again */
    }
    return session_send(agent, SW_MSG_DONE, &done, agent->payload.data, agent->payload.size);
}

static bool send_fail(struct agent *agent, struct work *work)
{
    struct sw_msg_fail fail = {
        .job = work->key.job,
        .chunk = work->key.chunk,
        .n = work->key.n,
        .token = work->token,
        .error = sw_str_of(work->error),
        .stderr_tail = sw_str_of(work->stderr_tail),
    };
    bool sent = session_send(agent, SW_MSG_FAIL, &fail, NULL, 0);
    if (sent) /* lost: the next HELLO does not list it, which makes it READY */
        work_forget(agent, work);
    return sent;
}

/* Those of one reason, as many as stand together. */
static bool send_back(struct agent *agent)
{
    static struct sw_msg_lease leases[AGENT_BATCH_RESULTS];
    struct sw_msg_give_back back = {.leases = leases};
    AUTO(sw_text) char *reason = TAKE(agent->due->error);
    back.reason = sw_str_of(reason);
    while (agent->due && agent->due->state == WORK_BACK && back.n_leases < AGENT_BATCH_RESULTS) {
        struct work *work = agent->due;
        if (back.n_leases && !sw_str_is(back.reason, work->error))
            break;
        leases[back.n_leases++] =
            (struct sw_msg_lease){work->key.job, work->key.chunk, work->key.n, work->token};
        work_forget(agent, work);
    }
    return session_send(agent, SW_MSG_RETURN, &back, NULL, 0);
}

void report_flush(struct agent *agent)
{
    bool sent = true;
    while (sent && agent->due && agent->session.welcomed) {
        if (agent->due->state == WORK_DONE)
            sent = send_done(agent);
        else if (agent->due->state == WORK_FAILED)
            sent = send_fail(agent, agent->due);
        else
            sent = send_back(agent);
    }
}
