/* What comes out of the slots: results, parts of large outputs, questions for the tail. Called back
 * from slot_pump; turns them into states of works and wakes the transfers. */
#include "agent.h"

#include "base/io.h"
#include "base/log.h"

#include <string.h>

static struct work *work_of(struct slot_run *run)
{
    return (struct work *)run; /* its first member */
}

/* Lengths and error texts in one block, so that a small result costs one allocation. */
static void keep_pieces(struct work *work, const struct slot_result *result)
{
    size_t texts = 0;
    for (size_t i = 0; i < result->n_segments; i++)
        texts += strlen(result->segments[i].error);
    work->pieces = sw_alloc(1, result->n_segments * sizeof *work->pieces + texts + 1);
    work->n_pieces = result->n_segments;
    char *text = (char *)(work->pieces + work->n_pieces);
    for (size_t i = 0; i < result->n_segments; i++) {
        size_t n = strlen(result->segments[i].error);
        memcpy(text, result->segments[i].error, n);
        work->pieces[i] =
            (struct sw_msg_outcome){.length = result->segments[i].length, .error = {text, n}};
        text += n;
    }
}

/* True when the output fits in DONE. */
static bool keep_output(struct work *work, struct slot_result *result)
{
    if (result->output_total > SW_INLINE_BYTES_MAX || work->out.n_parts)
        return false;
    work->output = sw_alloc(1, result->output_total + 1);
    work->output_size = result->output_total;
    if (result->output_fd < 0)
        memcpy(work->output, result->output ? result->output : "", work->output_size);
    else if (sw_pread_all(result->output_fd, work->output, work->output_size, 0) < 0)
        return false;
    return true;
}

static void take_result(struct agent *agent, struct work *work, struct slot_result *result)
{
    keep_pieces(work, result);
    work->took_ms = result->wall_us / 1000;
    work->bytes_out = result->output_total;
    recipe_learn(work->recipe, work->bytes, result->wall_us);
    credit_took(&agent->credit, result->wall_us);
    if (keep_output(work, result)) {
        work_done(agent, work);
        return;
    }
    work->output_size = 0;
    work->state = WORK_STORING;
    if (result->output_fd >= 0)
        store_part(agent, work, TAKE_FD(result->output_fd), result->output_size);
    store_finish(agent, work);
}

static void on_done(void *arg, struct slot *slot, struct slot_run *run, struct slot_result *result)
{
    struct lane *lane = arg;
    struct agent *agent = lane->agent;
    struct work *work = work_of(run);
    (void)slot;
    run_leave(agent, work);
    fetch_end(agent, work);
    work->state = WORK_STORING; /* the slot does not have it any more */
    if (result->end == SLOT_DONE)
        take_result(agent, work, result);
    else if (result->end == SLOT_FAIL)
        work_fail(agent, work, result->reason, result->stderr_tail);
    else
        work_back(agent, work, result->reason, true);
}

static void on_part(void *arg, struct slot *slot, struct slot_run *run, int fd, uint64_t size)
{
    struct lane *lane = arg;
    (void)slot;
    store_part(lane->agent, work_of(run), fd, size);
}

static void on_tail(void *arg, struct slot *slot, struct slot_run *run, uint64_t offset)
{
    struct lane *lane = arg;
    (void)slot;
    fetch_tail(lane->agent, work_of(run), offset);
}

const struct slot_calls result_calls = {.done = on_done, .part = on_part, .tail = on_tail};
