/* What leaves the slot process: the run's output (inline, or in parts that the agent gives) and the
 * records to the agent. Called by slot_child.c, slot_input.c and, through struct sw_writer, by
 * kernels. When the agent is gone there is nothing left to do: it exits. */
#include "slot_child.h"

#include "base/io.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define RESULTS_MAX  64 /* a quarter of what can be in flight: the agent refills meanwhile */
#define OUTBOX_BYTES ((size_t)32 << 10)
#define ALARM_US     2000
#define PART_BUFFER  ((size_t)256 << 10) /* one write for this much */

/* ---- the outbox ---- */

static struct slot_outbox *alarmed; /* the handler has no other way to find it */

static void send_all(struct slot_outbox *outbox)
{
    if (outbox->packet.size == 0)
        return;
    if (slot_packet_send(SLOT_SOCKET, outbox->packet.data, outbox->packet.size, -1, 0) < 0)
        _exit(1);
    sw_buf_clear(&outbox->packet);
    outbox->n = 0;
}

static void on_alarm(int signal)
{
    (void)signal;
    int saved = errno;
    alarmed->armed = false;
    if (!alarmed->busy)
        send_all(alarmed);
    errno = saved;
}

void slot_outbox_init(struct slot_outbox *outbox)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    alarmed = outbox;
    sigaction(SIGALRM, &action, NULL);
}

/* While it is busy the handler keeps its hands off; the fences hold the compiler to that order. */
static void set_busy(struct slot_outbox *outbox, bool busy)
{
    atomic_signal_fence(memory_order_seq_cst);
    outbox->busy = busy;
    atomic_signal_fence(memory_order_seq_cst);
}

void slot_outbox_flush(struct slot_outbox *outbox)
{
    set_busy(outbox, true);
    send_all(outbox);
    set_busy(outbox, false);
}

void slot_outbox_put(struct slot_outbox *outbox,
                     enum slot_record_type type,
                     uint64_t run,
                     const void *head,
                     size_t head_size,
                     const void *body,
                     size_t body_size)
{
    set_busy(outbox, true);
    if (outbox->packet.size + head_size + body_size + 64 > SLOT_PACKET_MAX)
        send_all(outbox);
    slot_record_put(&outbox->packet, type, run, head, head_size, body, body_size);
    if (++outbox->n >= RESULTS_MAX || outbox->packet.size > OUTBOX_BYTES)
        send_all(outbox);
    set_busy(outbox, false);
}

void slot_outbox_arm(struct slot_outbox *outbox)
{
    if (outbox->packet.size == 0 || outbox->armed)
        return;
    struct itimerval once = {.it_value.tv_usec = ALARM_US};
    outbox->armed = true;
    setitimer(ITIMER_REAL, &once, NULL);
}

/* ---- the output ---- */

static int next_part(struct slot_child *child)
{
    const uint8_t *body;
    size_t size;
    uint64_t filled = child->part_fd < 0 ? 0 : child->part_size;
    sw_fd_close(&child->part_fd);
    slot_outbox_put(&child->outbox, SLOT_WANT_PART, child->number, &filled, sizeof filled, NULL, 0);
    slot_outbox_flush(&child->outbox);
    slot_child_await(child, SLOT_PART, &body, &size, &child->part_fd);
    child->part_size = 0;
    return child->part_fd < 0 ? -EBADF : 0;
}

static int to_part(struct slot_child *child, const uint8_t *p, size_t n)
{
    while (n) {
        if (child->part_fd < 0 || child->part_size == SLOT_PART_BYTES) {
            int r = next_part(child);
            if (r < 0)
                return r;
        }
        size_t now = (size_t)SW_MIN((uint64_t)n, SLOT_PART_BYTES - child->part_size);
        int r = sw_write_all(child->part_fd, p, now);
        if (r < 0)
            return r;
        child->part_size += now;
        p += now;
        n -= now;
    }
    return 0;
}

int slot_output_flush(struct slot_child *child)
{
    int r = to_part(child, child->output.data, child->output.size);
    sw_buf_clear(&child->output);
    return r;
}

static int sink_write(struct sw_writer *writer, const void *p, size_t n)
{
    struct slot_child *child = ((struct slot_sink *)writer)->child;
    size_t room = child->part_fd < 0 ? SLOT_INLINE_MAX : PART_BUFFER;
    int r = child->output_error;
    if (r == 0 && child->output.size + n > room) {
        r = slot_output_flush(child);
        if (r == 0 && n >= PART_BUFFER) {
            r = to_part(child, p, n);
            child->written += n;
            child->output_error = r;
            return r;
        }
    }
    if (r == 0)
        sw_buf_put(&child->output, p, n);
    if (r == 0)
        child->written += n;
    child->output_error = r;
    return r;
}

void slot_sink_open(struct slot_sink *sink, struct slot_child *child)
{
    *sink = (struct slot_sink){.writer.write = sink_write, .child = child};
}
