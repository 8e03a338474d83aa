/* Isolated runs: the last attempt at a chunk, where each file runs for itself and a death is that
 * file's error. Collects the files' results into the one result of the run. Called by
 * slot_receive.c for results and parts, by slot_end.c for deaths. */
#include "slot_parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Small outputs are kept here until they are worth a part. */
#define KEPT_MAX ((size_t)1 << 20)

static struct slot_isolation *isolation_of(struct slot_run *run)
{
    if (!run->isolation)
        run->isolation = sw_alloc(1, sizeof *run->isolation);
    return run->isolation;
}

void slot_isolate_destroy(struct slot_isolation **p)
{
    struct slot_isolation *isolation = TAKE(*p);
    if (!isolation)
        return;
    for (size_t i = 0; i < isolation->n; i++)
        sw_release((void *)isolation->segments[i].error);
    sw_release(isolation->segments);
    sw_buf_done(&isolation->output);
    sw_release(isolation);
}

static void push(struct slot_isolation *isolation, uint64_t length, const char *error)
{
    sw_grow(&isolation->segments, &isolation->room, isolation->n + 1, sizeof *isolation->segments);
    isolation->segments[isolation->n++] =
        (struct slot_segment){.length = length, .error = sw_copy_text(error, strlen(error))};
}

/* Hands out what is kept, so that a part can follow it. */
static int hand_out_kept(struct slot *slot, struct slot_run *run)
{
    struct slot_isolation *isolation = isolation_of(run);
    size_t n = isolation->output.size;
    if (n == 0)
        return 0;
    int fd = slot_part_make(isolation->output.data, n);
    if (fd < 0)
        return fd;
    sw_buf_clear(&isolation->output);
    isolation->parts_bytes += n;
    slot_part_hand_out(slot, run, fd, n);
    return 0;
}

static void no_room(struct slot *slot)
{
    slot->process.own_fault = true;
    slot_process_kill(slot, "no memory or descriptor for its output");
}

void slot_isolate_part(struct slot *slot, struct slot_run *run, int fd, uint64_t size)
{
    AUTO_FD int part_fd = fd;
    if (hand_out_kept(slot, run) < 0) {
        no_room(slot);
        return;
    }
    isolation_of(run)->parts_bytes += size;
    slot_part_hand_out(slot, run, TAKE_FD(part_fd), size);
}

/* All files are through. */
static void finish(struct slot *slot, struct slot_run *run)
{
    struct slot_isolation *isolation = isolation_of(run);
    struct slot_result result = {
        .end = SLOT_DONE,
        .segments = isolation->segments,
        .n_segments = isolation->n,
        .output_fd = -1,
        .output_size = isolation->output.size,
        .output_total = isolation->parts_bytes + isolation->output.size,
        .stderr_tail = "",
        .cpu_us = isolation->cpu_us,
        .wall_us = isolation->wall_us,
    };
    if (isolation->output.size &&
        (isolation->parts_bytes || isolation->output.size > SLOT_INLINE_MAX)) {
        result.output_fd = slot_part_make(isolation->output.data, isolation->output.size);
        if (result.output_fd < 0) {
            slot_end_words(slot, run, SLOT_RETURN, "no memory or descriptor for its output", "");
            return;
        }
    } else if (isolation->output.size) {
        result.output = isolation->output.data;
    }
    slot_end_run(slot, run, &result);
}

int slot_isolate_result(struct slot *slot,
                        struct slot_run *run,
                        struct slot_result *result,
                        bool more)
{
    struct slot_isolation *isolation = isolation_of(run);
    AUTO_FD int part_fd = TAKE_FD(result->output_fd);
    if (result->n_segments != 1 || isolation->n == SW_CHUNK_FILES_MAX)
        return -EBADMSG;
    push(isolation, result->segments[0].length, result->segments[0].error);
    isolation->cpu_us += result->cpu_us;
    isolation->wall_us += result->wall_us;
    slot->asked = (struct slot_asked){0};
    if (result->output)
        sw_buf_put(&isolation->output, result->output, result->output_size);
    if (part_fd >= 0)
        slot_isolate_part(slot, run, TAKE_FD(part_fd), result->output_size);
    else if (isolation->output.size > KEPT_MAX && hand_out_kept(slot, run) < 0)
        no_room(slot);
    if (more || slot->process.own_fault || slot_flight_at(slot, 0)->run != run)
        return 0;
    slot_flight_take(slot);
    finish(slot, run);
    return 0;
}

bool slot_isolate_death(struct slot *slot,
                        struct slot_run *run,
                        uint32_t n_segments,
                        uint64_t handed_out,
                        const char *reason)
{
    struct slot_isolation *isolation = isolation_of(run);
    if (isolation->n >= n_segments || n_segments > SW_CHUNK_FILES_MAX)
        return false; /* it did not even read the head */
    bool last = isolation->n + 1 == n_segments;
    if (!last && run->input_fd >= 0 && run->input_is_pipe)
        return false; /* the files behind it are gone with the pipe */
    push(isolation, handed_out, reason);
    if (last)
        finish(slot, run);
    else
        slot_put_first(slot, run);
    return true;
}
