/* What goes to a slot process: runs in batches, and what the current run asked for. Called at the
 * end of each slot_pump; never blocks: a full socket is tried again when it has room. */
#include "slot_parent.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TAIL_PACKET ((size_t)128 << 10)

static void watch_for_room(struct slot *slot, bool blocked)
{
    if (slot->blocked == blocked)
        return;
    struct epoll_event event = {
        .events = EPOLLIN | (blocked ? EPOLLOUT : 0),
        .data.fd = slot->process.sock,
    };
    epoll_ctl(slot->epoll_fd, EPOLL_CTL_MOD, slot->process.sock, &event);
    slot->blocked = blocked;
}

/* True when the packet is gone (also into the void, when the process is dying: its death follows).
 */
static bool send_packet(struct slot *slot)
{
    if (slot->packet.size == 0)
        return true;
    int r = slot_packet_send(slot->process.sock, slot->packet.data, slot->packet.size,
                             slot->packet_fd, MSG_DONTWAIT);
    if (r == -EAGAIN) {
        watch_for_room(slot, true);
        return false;
    }
    /* ENOBUFS, ETOOMANYREFS (descriptors in flight): ours, and nothing was sent. */
    if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        slot_process_kill(slot, "");
    watch_for_room(slot, false);
    sw_buf_clear(&slot->packet);
    slot->packet_fd = -1;
    return true;
}

static bool send_tail(struct slot *slot)
{
    size_t left = slot->tail.size - slot->tail_at;
    if (!slot->asked.tail || (left == 0 && !slot->asked.tail_ended))
        return true;
    size_t n = SW_MIN(left, TAIL_PACKET);
    uint64_t number = slot_flight_at(slot, 0)->number;
    slot_record_put(&slot->packet, SLOT_TAIL, number, slot->tail.data + slot->tail_at, n, NULL, 0);
    slot->tail_at += n;
    slot->asked.tail_offset += n;
    slot->asked.tail = false;
    return send_packet(slot);
}

static bool send_part(struct slot *slot)
{
    struct slot_flight *head = slot_flight_at(slot, 0);
    if (!slot->asked.part || (head->run && head->run->parts_held >= SLOT_PARTS_MAX))
        return true;
    int fd = slot_memfd("slot output");
    if (fd < 0) {
        slot->process.own_fault = true; /* the run is returned when the process is reaped */
        slot_process_kill(slot, "no memory or descriptor for its output");
        return false;
    }
    slot->part_fd = fd;
    slot->asked.part = false;
    slot_record_put(&slot->packet, SLOT_PART, head->number, NULL, 0, NULL, 0);
    slot->packet_fd = fd;
    return send_packet(slot);
}

static void put_run(struct slot *slot, struct slot_run *run)
{
    struct slot_run_record record = {
        .has_fd = run->input_fd >= 0,
        .isolated = run->isolated,
        .first = run->isolation ? (uint32_t)run->isolation->n : 0,
    };
    size_t n = record.has_fd ? 0 : run->input_size;
    run->number = ++slot->numbers;
    run->state = SLOT_RUN_SENT;
    slot_record_put(&slot->packet, SLOT_RUN, run->number, &record, sizeof record, run->input, n);
    slot->packet_fd = run->input_fd;
    *slot_flight_at(slot, slot->n_flight++) = (struct slot_flight){
        .run = run, .number = run->number, .bytes = n, .has_fd = record.has_fd};
    slot->flight_bytes += n;
    slot->flight_fds += record.has_fd;
}

/* Inputs too large for a packet travel as a memfd; false when there is none to be had. */
static bool give_descriptor(struct slot_run *run)
{
    if (run->input_fd >= 0 || run->input_size <= SLOT_INLINE_MAX)
        return true;
    int fd = slot_part_make(run->input, run->input_size);
    if (fd < 0)
        return false;
    run->input_fd = fd;
    return true;
}

static struct slot_run *take_waiting(struct slot *slot)
{
    struct slot_run *run = slot->first;
    slot->first = run->next;
    if (!slot->first)
        slot->last = NULL;
    slot->n_waiting--;
    return run;
}

static bool fits(const struct slot *slot, const struct slot_run *run)
{
    if (slot->n_flight == SLOT_FLIGHT_MAX)
        return false;
    if (run->input_fd >= 0)
        return slot->flight_fds < SLOT_FLIGHT_FDS_MAX;
    return slot->flight_bytes + run->input_size <= SLOT_FLIGHT_BYTES_MAX;
}

void slot_send(struct slot *slot)
{
    if (slot->process.state != SLOT_SERVING || !send_packet(slot) || !send_tail(slot) ||
        !send_part(slot))
        return;
    while (slot->first && slot->process.state == SLOT_SERVING) {
        struct slot_run *run = slot->first;
        if (!give_descriptor(run)) {
            slot_end_words(slot, take_waiting(slot), SLOT_RETURN,
                           "no memory or descriptor for its input", "");
            continue;
        }
        bool with_fd = run->input_fd >= 0; /* travels alone: a packet carries one descriptor */
        if (!fits(slot, run))
            break;
        if ((with_fd || slot->packet.size + run->input_size > SLOT_BATCH_BYTES) &&
            !send_packet(slot))
            return;
        put_run(slot, take_waiting(slot));
        if (with_fd && !send_packet(slot))
            return;
    }
    send_packet(slot);
}
