/* What a slot process says, judged record by record: nothing of it is believed before it is
 * checked, and who breaks the rules is killed. Called by slot_pump and, for the last words, by
 * slot_process_reap. */
#include "slot_parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PACKETS_A_TURN 8 /* then the loop's other work has its turn */

static void copy_text(char *ret, const uint8_t *body, size_t size)
{
    size_t n = SW_MIN(size, (size_t)SLOT_ERROR_MAX - 1);
    memcpy(ret, body, n);
    ret[n] = 0;
    slot_words_plain(ret, strlen(ret));
}

static int hear_state(struct slot *slot, const struct slot_record *record, const uint8_t *body)
{
    struct slot_process *process = &slot->process;
    bool starting = process->state == SLOT_STARTING;
    switch (record->type) {
    case SLOT_HELLO:
        process->said_hello = true;
        return 0;
    case SLOT_READY:
        if (starting)
            process->state = SLOT_SERVING;
        process->was_ready = true;
        return 0;
    case SLOT_REFUSED:
    case SLOT_UNABLE:
        if (starting && !*process->why) {
            process->refused = record->type == SLOT_REFUSED;
            process->unable = record->type == SLOT_UNABLE;
            copy_text(process->why, body, record->size);
        }
        return 0;
    case SLOT_FAULT:
        if (record->size != sizeof process->fault)
            return -EBADMSG;
        memcpy(&process->fault, body, sizeof process->fault);
        return 0;
    default:
        return -EBADMSG;
    }
}

static int hear_want_tail(struct slot *slot, uint64_t offset)
{
    struct slot_asked *asked = &slot->asked;
    struct slot_run *run = slot_flight_at(slot, 0)->run;
    if (asked->tail || (asked->tail_begun && asked->tail_offset != offset))
        return -EBADMSG;
    asked->tail = true;
    asked->tail_begun = true;
    asked->tail_offset = offset;
    if (slot->tail_at < slot->tail.size || asked->tail_ended)
        return 0; /* the rest of a slice; slot_send has it */
    sw_buf_clear(&slot->tail);
    slot->tail_at = 0;
    if (run)
        slot->calls->tail(slot->arg, slot, run, offset);
    else
        slot_process_kill(slot, ""); /* cancelled */
    return 0;
}

static int hear_want_part(struct slot *slot, uint64_t size)
{
    struct slot_run *run = slot_flight_at(slot, 0)->run;
    if (slot->asked.part || (size == 0) != (slot->part_fd < 0))
        return -EBADMSG;
    if (size) {
        int r = slot_part_seal(slot, size);
        if (r < 0)
            return r;
        slot->asked.handed_out += size;
        if (run && run->isolated)
            slot_isolate_part(slot, run, TAKE_FD(slot->part_fd), size);
        else if (run)
            slot_part_hand_out(slot, run, TAKE_FD(slot->part_fd), size);
        else
            sw_fd_close(&slot->part_fd);
    }
    slot->asked.part = true;
    return 0;
}

static int hear_want(struct slot *slot, const struct slot_record *record, const uint8_t *body)
{
    uint64_t number;
    if (record->size != sizeof number || slot->n_flight == 0 ||
        record->run != slot_flight_at(slot, 0)->number)
        return -EBADMSG;
    memcpy(&number, body, sizeof number);
    if (record->type == SLOT_WANT_TAIL)
        return hear_want_tail(slot, number);
    return hear_want_part(slot, number);
}

/* Segments out of a RESULT's body into slot->segments; their errors stay in the packet. */
static int
take_segments(struct slot *slot, uint32_t n, uint8_t **p, size_t *left, uint64_t *ret_sum)
{
    uint64_t sum = 0;
    if (n > SW_CHUNK_FILES_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t pair[2]; /* length, bytes of the error */
        if (*left < sizeof pair)
            return -EBADMSG;
        memcpy(pair, *p, sizeof pair);
        *p += sizeof pair;
        *left -= sizeof pair;
        if (pair[1] > *left || pair[1] > SLOT_ERROR_MAX || (pair[1] && (*p)[pair[1] - 1]) ||
            __builtin_add_overflow(sum, pair[0], &sum))
            return -EBADMSG;
        slot->segments[i] = (struct slot_segment){.length = pair[0], .error = ""};
        if (pair[1]) {
            slot->segments[i].error = (const char *)*p;
            slot_words_plain((char *)*p, strlen((char *)*p));
        }
        *p += pair[1];
        *left -= pair[1];
    }
    *ret_sum = sum;
    return 0;
}

static void fill_end(struct slot_result *result, const struct slot_result_record *record)
{
    const char *first = result->n_segments ? result->segments[0].error : "";
    const char *why = strerrordesc_np(record->code);
    why = why ? why : "unknown error";
    result->end = SLOT_FAIL;
    switch (record->status) {
    case SLOT_OK:
        result->end = SLOT_DONE;
        return;
    case SLOT_INPUT_ERROR:
        result->end = SLOT_RETURN;
        snprintf(result->reason, sizeof result->reason, "its input was cut off: %s", why);
        return;
    case SLOT_OUTPUT_ERROR:
        result->end = SLOT_RETURN;
        snprintf(result->reason, sizeof result->reason, "no room for its output: %s", why);
        return;
    case SLOT_HEAD_ERROR:
        snprintf(result->reason, sizeof result->reason,
                 "its input is malformed or shorter than its head says");
        return;
    case SLOT_KERNEL_ERROR:
    default:
        snprintf(result->reason, sizeof result->reason, "%s", *first ? first : "the kernel failed");
    }
}

static int hear_result(struct slot *slot, const struct slot_record *record, uint8_t *body)
{
    struct slot_result_record head;
    struct slot_flight *flight = slot_flight_at(slot, 0);
    struct slot_result result = {.output_fd = -1, .segments = slot->segments, .stderr_tail = ""};
    size_t left = record->size;
    uint64_t sum;
    if (slot->n_flight == 0 || record->run != flight->number || left < sizeof head)
        return -EBADMSG;
    memcpy(&head, body, sizeof head);
    body += sizeof head;
    left -= sizeof head;
    if (take_segments(slot, head.n_segments, &body, &left, &sum) < 0 || left != head.inline_size ||
        left > SLOT_INLINE_MAX || (left && head.has_part))
        return -EBADMSG;
    if (head.has_part && slot_part_seal(slot, head.part_size) < 0)
        return -EBADMSG;
    result.n_segments = head.n_segments;
    result.output = left ? body : NULL;
    result.output_size = head.has_part ? head.part_size : left;
    result.output_total = slot->asked.handed_out + result.output_size;
    result.wall_us = head.wall_us;
    result.cpu_us = head.cpu_us;
    fill_end(&result, &head);
    if (result.end == SLOT_DONE && sum != result.output_total)
        return -EBADMSG;
    slot->strikes = 0;
    AUTO_FD int part_fd = TAKE_FD(slot->part_fd);
    if (head.has_part && result.end == SLOT_DONE)
        result.output_fd = TAKE_FD(part_fd);
    if (flight->run && flight->run->isolated && result.end == SLOT_DONE)
        return slot_isolate_result(slot, flight->run, &result, head.more);
    if (head.more)
        return -EBADMSG;
    struct slot_run *run = slot_flight_take(slot).run;
    if (run)
        slot_end_run(slot, run, &result);
    else
        sw_fd_close(&result.output_fd);
    return 0;
}

static int hear(struct slot *slot, const struct slot_record *record, uint8_t *body)
{
    switch (record->type) {
    case SLOT_RESULT:
        return hear_result(slot, record, body);
    case SLOT_WANT_TAIL:
    case SLOT_WANT_PART:
        return hear_want(slot, record, body);
    default:
        return hear_state(slot, record, body);
    }
}

static void hear_packet(struct slot *slot, size_t size)
{
    struct slot_process *process = &slot->process;
    struct slot_record record;
    const uint8_t *body;
    size_t at = 0;
    int r;
    while ((r = slot_record_next(slot->received, size, &at, &record, &body)) > 0) {
        r = hear(slot, &record, slot->received + (body - slot->received));
        if (r < 0 || process->broke)
            break;
    }
    if (r < 0) {
        process->broke = true;
        slot_process_kill(slot, "broke the rules of slot processes");
    }
}

void slot_receive(struct slot *slot)
{
    struct slot_process *process = &slot->process;
    for (int i = 0; i < PACKETS_A_TURN && process->sock >= 0 && !process->broke; i++) {
        int fd;
        ssize_t got =
            slot_packet_receive(process->sock, slot->received, SLOT_PACKET_MAX, &fd, MSG_DONTWAIT);
        if (got == -ECONNRESET)
            continue; /* it died with packets unread; what it said itself is still there */
        if (got == -EAGAIN)
            return;
        sw_fd_close(&fd); /* a process has none to give */
        if (got > 0) {
            hear_packet(slot, (size_t)got);
            continue;
        }
        sw_fd_close(&process->sock); /* leaves the epoll with it */
        process->hung_up_ms =
            slot->now_ms; /* dying; slot_process_look sees to those that live on */
        process->broke = got < 0;
    }
}
