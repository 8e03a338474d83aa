/* The table of leases, from ASSIGN until TAKEN, REVOKE, FAIL or RETURN. The only place where a
 * work's state changes hands between fetching, running, storing and reporting. */
#include "agent.h"

#include "base/log.h"

#include <string.h>

struct work *work_find(struct agent *agent, uint64_t job, uint64_t chunk, uint64_t n)
{
    struct work *work = NULL;
    HASH_FIND(hh, agent->by_n, &n, sizeof n, work); /* unique in one broker's life and the next */
    return work && work->key.job == job && work->key.chunk == chunk ? work : NULL;
}

struct work *work_new(struct agent *agent,
                      struct recipe *recipe,
                      uint64_t job,
                      const struct sw_msg_grant *grant,
                      const void *input)
{
    struct work *work = NULL;
    HASH_FIND(hh, agent->by_n, &grant->n, sizeof grant->n, work);
    if (work)
        return NULL; /* no lease is given twice */
    work = sw_alloc(1, sizeof *work + grant->inline_bytes);
    work->key.job = job;
    work->key.chunk = grant->chunk;
    work->key.n = grant->n;
    work->token = grant->token;
    work->attempt = grant->attempt;
    work->bytes = grant->bytes;
    work->charge_bytes = grant->charge_bytes;
    work->recipe = recipe;
    work->in.fd = -1;
    work->run.input_fd = -1;
    work->run.isolated = grant->isolate != 0;
    if (grant->inline_bytes) {
        memcpy(work->inline_input, input, grant->inline_bytes);
        work->run.input = work->inline_input;
        work->run.input_size = grant->inline_bytes;
        work->in.whole = true;
    }
    recipe->n_works++;
    credit_assigned(&agent->credit, work->charge_bytes);
    HASH_ADD(hh, agent->by_n, key.n, sizeof work->key.n, work);
    DL_APPEND(agent->works, work);
    return work;
}

void work_stop(struct agent *agent, struct work *work)
{
    if (work->state == WORK_READY)
        DL_DELETE2(work->recipe->ready, work, ready_prev, ready_next);
    if (work->state == WORK_IN_SLOT) {
        struct lane *lane = work->lane;
        slot_cancel(lane->slot, &work->run);
        lane->touched = true;
        run_leave(agent, work);
    }
    fetch_end(agent, work);
    store_end(agent, work);
    report_undue(agent, work);
}

void work_forget(struct agent *agent, struct work *work)
{
    work_stop(agent, work);
    HASH_DEL(agent->by_n, work);
    DL_DELETE(agent->works, work);
    credit_freed(&agent->credit, work->charge_bytes);
    recipe_drop(agent, work->recipe);
    sw_release(work->pieces);
    sw_release(work->output);
    sw_text_destroy(&work->error);
    sw_text_destroy(&work->stderr_tail);
    sw_release(work);
}

void work_ready(struct agent *agent, struct work *work)
{
    work->state = WORK_READY;
    DL_APPEND2(work->recipe->ready, work, ready_prev, ready_next);
    agent->lane_free = true;
}

void work_done(struct agent *agent, struct work *work)
{
    work->state = WORK_DONE;
    report_due(agent, work);
}

static void give_up(struct agent *agent, struct work *work, const char *error, const char *text)
{
    work_stop(agent, work);
    sw_text_destroy(&work->error);
    sw_text_destroy(&work->stderr_tail);
    work->error = sw_copy_text(error, strnlen(error, SLOT_ERROR_MAX));
    work->stderr_tail = sw_copy_text(text, strnlen(text, SLOT_STDERR_MAX));
    report_due(agent, work);
}

void work_fail(struct agent *agent, struct work *work, const char *error, const char *stderr_tail)
{
    sw_log(SW_LOG_WARNING, "chunk failed job=%ju chunk=%ju error=%s", (uintmax_t)work->key.job,
           (uintmax_t)work->key.chunk, error);
    give_up(agent, work, error, stderr_tail);
    work->state = WORK_FAILED;
}

void work_back(struct agent *agent, struct work *work, const char *reason, bool fault)
{
    if (fault) {
        sw_log(SW_LOG_WARNING, "chunk handed back job=%ju chunk=%ju reason=%s",
               (uintmax_t)work->key.job, (uintmax_t)work->key.chunk, reason);
        agent->paused_until = agent->now_ms + AGENT_PAUSE_MS;
        agent->credit.closed = true;
    }
    give_up(agent, work, reason, "");
    work->state = WORK_BACK;
}
