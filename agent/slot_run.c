/* One run in the slot process: reads the head, runs the kernel over each segment and reports.
 * Called by slot_child.c; what a run leaves behind (buffers, the open kernel) serves the next one.
 */
#include "slot_child.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void put_segment(struct slot_child *child, uint64_t length, const char *error)
{
    uint64_t n = *error ? strnlen(error, SLOT_ERROR_MAX - 1) + 1 : 0;
    uint64_t pair[2] = {length, n};
    sw_buf_put(&child->results, pair, sizeof pair);
    if (n) {
        sw_buf_put(&child->results, error, n - 1);
        sw_buf_put(&child->results, "", 1);
    }
    child->n_results++;
}

struct times {
    uint64_t wall_us, cpu_us;
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* CPU time is a system call; a run of less than a millisecond is not worth it. */
static struct times times_since(struct slot_child *child, uint64_t wall_began)
{
    struct times times = {.wall_us = clock_us(CLOCK_MONOTONIC) - wall_began};
    times.cpu_us = times.wall_us;
    if (times.wall_us >= 1000) {
        uint64_t cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
        times.cpu_us = SW_MIN(cpu - child->cpu_seen, times.wall_us);
        child->cpu_seen = cpu;
    }
    return times;
}

static void send_result(
    struct slot_child *child, enum slot_status status, int code, bool more, struct times times)
{
    struct slot_result_record record = {
        .status = status,
        .code = code < 0 ? -code : code,
        .n_segments = child->n_results,
        .more = more,
        .has_part = child->part_fd >= 0 && status == SLOT_OK,
        .part_size = child->part_size,
        .wall_us = times.wall_us,
        .cpu_us = times.cpu_us,
    };
    if (status == SLOT_OK && !record.has_part) {
        record.inline_size = (uint32_t)child->output.size;
        sw_buf_put(&child->results, child->output.data, child->output.size);
    }
    bool at_once = more || child->part_fd >= 0 || child->stream.fd >= 0;
    sw_fd_close(&child->part_fd);
    slot_outbox_put(&child->outbox, SLOT_RESULT, child->number, &record, sizeof record,
                    child->results.data, child->results.size);
    if (at_once)
        slot_outbox_flush(&child->outbox);
    sw_buf_clear(&child->results);
    sw_buf_clear(&child->output);
    child->n_results = 0;
    child->part_size = 0;
}

/* One segment: its record is put; the status when the whole run must end. */
static enum slot_status run_segment(struct slot_child *child,
                                    const struct sw_segment *segment,
                                    bool isolated,
                                    int *ret_code)
{
    struct slot_source source;
    struct slot_sink sink;
    struct sw_err error = {0};
    slot_source_open(&source, child, segment);
    slot_sink_open(&sink, child);
    child->written = 0;
    int r = child->kernel->run(child->state, segment, &source.reader, &sink.writer, &error);
    *ret_code = child->input_error ? child->input_error : child->output_error;
    if (*ret_code)
        return child->input_error ? SLOT_INPUT_ERROR : SLOT_OUTPUT_ERROR;
    error.text[sizeof error.text - 1] = 0;
    if (r < 0) {
        if (!*error.text)
            snprintf(error.text, sizeof error.text, "%s: %s", child->kernel->name,
                     strerrordesc_np(-r));
        if (child->written <= child->output.size) { /* nothing of it has left: take it back */
            child->output.size -= child->written;
            child->written = 0;
        }
    }
    if (r < 0 && r != -EBADMSG && !isolated) {
        sw_buf_clear(&child->results);
        child->n_results = 0;
        put_segment(child, 0, error.text);
        *ret_code = r;
        return SLOT_KERNEL_ERROR;
    }
    put_segment(child, child->written, r < 0 ? error.text : "");
    r = slot_stream_skip(&child->stream, source.left);
    *ret_code = r;
    return r < 0 ? SLOT_INPUT_ERROR : SLOT_OK;
}

static enum slot_status end_output(struct slot_child *child, int *ret_code)
{
    if (child->part_fd < 0 && child->output.size <= SLOT_INLINE_MAX)
        return SLOT_OK;
    *ret_code = slot_output_flush(child);
    return *ret_code < 0 ? SLOT_OUTPUT_ERROR : SLOT_OK;
}

static enum slot_status read_head(struct slot_child *child, uint32_t first, int *ret_code)
{
    *ret_code = slot_head_read(&child->head, &child->stream);
    if (*ret_code == -EBADMSG)
        return SLOT_HEAD_ERROR;
    if (*ret_code < 0)
        return SLOT_INPUT_ERROR;
    if (first && first >= child->head.n)
        return SLOT_HEAD_ERROR;
    atomic_store_explicit(&child->page->n_segments, (uint32_t)child->head.n, memory_order_relaxed);
    for (uint32_t i = 0; i < first && *ret_code == 0; i++)
        *ret_code = slot_stream_skip(&child->stream,
                                     child->head.segments[i].lead + child->head.segments[i].size);
    return *ret_code < 0 ? SLOT_INPUT_ERROR : SLOT_OK;
}

static void run(struct slot_child *child, const struct slot_run_record *record)
{
    int code = 0;
    uint64_t began = clock_us(CLOCK_MONOTONIC);
    enum slot_status status = read_head(child, record->first, &code);
    for (uint32_t i = record->first; status == SLOT_OK && i < child->head.n; i++) {
        status = run_segment(child, &child->head.segments[i], record->isolated, &code);
        if (status != SLOT_OK || !record->isolated || i + 1 == child->head.n)
            continue;
        status = end_output(child, &code);
        if (status != SLOT_OK)
            break;
        send_result(child, SLOT_OK, 0, true, times_since(child, began));
        began = clock_us(CLOCK_MONOTONIC);
    }
    if (status == SLOT_OK)
        status = end_output(child, &code);
    if (status == SLOT_INPUT_ERROR && code == -EPIPE && !child->stream.is_pipe)
        status = SLOT_HEAD_ERROR; /* all of it is here: no link broke */
    send_result(child, status, code, false, times_since(child, began));
}

void slot_child_run(struct slot_child *child,
                    const struct slot_record *record,
                    const uint8_t *body,
                    int fd)
{
    struct slot_run_record head;
    if (record->size < sizeof head)
        _exit(1);
    memcpy(&head, body, sizeof head);
    child->number = record->run;
    child->input_error = child->output_error = 0;
    child->part_size = 0;
    sw_buf_clear(&child->tail);
    child->tail_at = 0;
    child->stream = (struct slot_stream){
        .bytes = body + sizeof head,
        .end = head.has_fd ? 0 : record->size - sizeof head,
        .fd = head.has_fd ? fd : -1,
        .is_pipe = head.has_fd && lseek(fd, 0, SEEK_CUR) < 0,
        .buffer = child->stream.buffer,
        .buffer_room = child->stream.buffer_room,
        .ret_consumed = &child->page->consumed,
    };
    if (head.has_fd)
        slot_outbox_flush(&child->outbox);
    slot_outbox_arm(&child->outbox);
    atomic_store_explicit(&child->page->consumed, 0, memory_order_relaxed);
    atomic_store_explicit(&child->page->n_segments, 0, memory_order_relaxed);
    atomic_store_explicit(&child->page->run, record->run, memory_order_relaxed);
    run(child, &head);
    atomic_store_explicit(&child->page->run, 0, memory_order_relaxed);
    sw_fd_close(&child->stream.fd);
}
