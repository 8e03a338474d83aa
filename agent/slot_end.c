/* How runs end: by a result, with their process, or all at once because none can be started. Called
 * by slot_receive.c, slot_parent.c and slot_isolate.c; the only place that calls `done`. */
#include "slot_parent.h"

#include <stdio.h>
#include <string.h>

struct slot_flight slot_flight_take(struct slot *slot)
{
    struct slot_flight flight = *slot_flight_at(slot, 0);
    slot->flight_at = (slot->flight_at + 1) % SLOT_FLIGHT_MAX;
    slot->n_flight--;
    slot->flight_bytes -= flight.bytes;
    slot->flight_fds -= flight.has_fd;
    slot->n_cancelled -= flight.run == NULL;
    slot->asked = (struct slot_asked){0};
    sw_buf_clear(&slot->tail);
    slot->tail_at = 0;
    sw_fd_close(&slot->part_fd);
    return flight;
}

void slot_put_first(struct slot *slot, struct slot_run *run)
{
    run->state = SLOT_RUN_WAITING;
    run->next = slot->first;
    slot->first = run;
    if (!slot->last)
        slot->last = run;
    slot->n_waiting++;
}

void slot_end_run(struct slot *slot, struct slot_run *run, struct slot_result *result)
{
    AUTO(slot_isolate) struct slot_isolation *isolation = TAKE(run->isolation);
    AUTO_FD int input_fd = TAKE_FD(run->input_fd);
    (void)isolation; /* lent to the result until the callback returns */
    (void)input_fd;
    run->state = SLOT_RUN_OUT;
    run->next = NULL;
    slot->calls->done(slot->arg, slot, run, result);
    sw_fd_close(&result->output_fd);
}

void slot_end_words(struct slot *slot,
                    struct slot_run *run,
                    enum slot_end end,
                    const char *reason,
                    const char *stderr_tail)
{
    struct slot_result result = {.end = end, .output_fd = -1, .stderr_tail = stderr_tail};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    slot_end_run(slot, run, &result);
}

void slot_end_waiting(struct slot *slot,
                      enum slot_end end,
                      const char *reason,
                      const char *stderr_tail)
{
    /* Counted first: what a callback adds has its own try. */
    for (size_t n = slot->n_waiting; n && slot->first; n--) {
        struct slot_run *run = slot->first;
        slot->first = run->next;
        if (!slot->first)
            slot->last = NULL;
        slot->n_waiting--;
        slot_end_words(slot, run, end, reason, stderr_tail);
    }
}

/* The index in the flight of the run that the process died of, -1 = none of them. */
static ssize_t find_blamed(struct slot *slot)
{
    const struct slot_process *process = &slot->process;
    uint64_t number = *process->why ? process->blamed
                                    : atomic_load_explicit(&slot->page->run, memory_order_relaxed);
    if (slot->n_flight == 0)
        return -1;
    if (slot->asked.handed_out)
        return 0; /* parts of its output are out: it must not be run again */
    if (process->nobodys_fault)
        return -1;
    for (size_t i = 0; i < slot->n_flight; i++)
        if (slot_flight_at(slot, i)->number == number)
            return (ssize_t)i;
    /* Between two runs, or at one whose result is here: killed from outside, most likely. A run
     * that asked for things was not between runs, and a number of the future is a lie. */
    bool lie = number > slot->numbers || slot->asked.tail_begun;
    return lie || ++slot->strikes >= SLOT_STRIKES_MAX ? 0 : -1;
}

/* It died before it was ready: of its parameters, or it never began. */
static void end_start(struct slot *slot, const char *words, const char *stderr_tail)
{
    const struct slot_process *process = &slot->process;
    char reason[SLOT_ERROR_MAX];
    if (process->refused)
        slot_end_waiting(slot, SLOT_FAIL, process->why, stderr_tail);
    else if (process->unable || !process->said_hello) {
        snprintf(reason, sizeof reason, "cannot start a slot process: %.100s", words);
        slot_end_waiting(slot, SLOT_RETURN, reason, stderr_tail);
    } else {
        snprintf(reason, sizeof reason, "while opening the kernel: %.100s", words);
        slot_end_waiting(slot, SLOT_FAIL, reason, stderr_tail);
    }
}

/* Empties the flight: the blamed run comes back, the others wait again, in order. */
static struct slot_run *clear_flight(struct slot *slot, ssize_t blamed)
{
    struct slot_run *guilty = NULL;
    slot->asked = (struct slot_asked){0};
    sw_buf_clear(&slot->tail);
    slot->tail_at = 0;
    sw_fd_close(&slot->part_fd);
    for (size_t i = slot->n_flight; i-- > 0;) {
        struct slot_run *run = slot_flight_at(slot, i)->run;
        if ((ssize_t)i == blamed)
            guilty = run;
        else if (run)
            slot_put_first(slot, run);
    }
    slot->flight_at = slot->n_flight = 0;
    slot->flight_bytes = slot->flight_fds = slot->n_cancelled = 0;
    return guilty;
}

void slot_end_process(struct slot *slot, int status, uint64_t peak_bytes)
{
    struct slot_process *process = &slot->process;
    bool was_ready = process->was_ready;
    char words[SLOT_ERROR_MAX];
    uint64_t memory_bytes;
    memcpy(&memory_bytes, slot->setup.data, sizeof memory_bytes);
    slot_words_death(process, status, peak_bytes, memory_bytes, words);
    AUTO(sw_text) char *stderr_tail = slot_words_stderr(process);
    uint64_t handed_out = slot->asked.handed_out;
    uint32_t n_segments = atomic_load_explicit(&slot->page->n_segments, memory_order_relaxed);

    struct slot_run *guilty = clear_flight(slot, find_blamed(slot));
    sw_buf_clear(&slot->packet);
    slot->packet_fd = -1;
    slot->blocked = false;
    process->state = SLOT_NONE;
    slot->warm = false;
    if (!was_ready) {
        if (!process->nobodys_fault)
            end_start(slot, words, stderr_tail);
        return;
    }
    if (!guilty)
        return;
    if (process->own_fault)
        slot_end_words(slot, guilty, SLOT_RETURN, words, stderr_tail);
    else if (!guilty->isolated || !slot_isolate_death(slot, guilty, n_segments, handed_out, words))
        slot_end_words(slot, guilty, SLOT_FAIL, words, stderr_tail);
}
