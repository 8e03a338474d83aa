/* The slot process (`shadow-agent --slot`): opens one kernel with one set of parameters, closes
 * itself in and runs chunks until its agent is gone. Started by slot_process.c; it never opens a
 * file or a network connection and trusts the bytes of a chunk as little as everybody else. */
#include "slot_child.h"

#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The next packet's size; 0 when nothing is there and `flags` says not to wait. Ends with the
 * agent. */
static size_t receive(struct slot_child *child, int *ret_fd, int flags)
{
    ssize_t got = slot_packet_receive(SLOT_SOCKET, child->received, SLOT_PACKET_MAX, ret_fd, flags);
    if (got == -EAGAIN)
        return 0;
    if (got <= 0)
        _exit(got < 0);
    return (size_t)got;
}

void slot_child_await(struct slot_child *child,
                      enum slot_record_type type,
                      const uint8_t **ret_body,
                      size_t *ret_size,
                      int *ret_fd)
{
    for (;;) {
        int fd;
        size_t at = 0;
        size_t size = receive(child, &fd, 0);
        struct slot_record record;
        if (slot_record_next(child->received, size, &at, &record, ret_body) <= 0)
            _exit(1);
        if (record.type == (uint32_t)type && record.run == child->number) {
            *ret_size = record.size;
            *ret_fd = fd;
            return;
        }
        struct slot_backlog *later =
            malloc(sizeof *later + size); /* bounded by what is in flight */
        if (!later)
            abort();
        *later = (struct slot_backlog){.fd = fd, .size = size};
        memcpy(later->bytes, child->received, size);
        *child->backlog_end = later;
        child->backlog_end = &later->next;
    }
}

/* ---- the process ---- */

static void hear_packet(struct slot_child *child, const uint8_t *p, size_t size, int fd)
{
    struct slot_record record;
    const uint8_t *body;
    size_t at = 0;
    while (slot_record_next(p, size, &at, &record, &body) > 0) {
        if (record.type == SLOT_RUN)
            slot_child_run(child, &record, body, fd);
    }
}

static _Noreturn void serve(struct slot_child *child)
{
    uint8_t *packet =
        sw_alloc(SLOT_PACKET_MAX, 1); /* `received` is overwritten while a run waits */
    for (;;) {
        int fd;
        struct slot_backlog *next = child->backlog;
        if (next) {
            child->backlog = next->next;
            if (!child->backlog)
                child->backlog_end = &child->backlog;
            hear_packet(child, next->bytes, next->size, next->fd);
            free(next);
            continue;
        }
        size_t size = receive(child, &fd, MSG_DONTWAIT);
        if (size == 0) {
            slot_outbox_flush(&child->outbox); /* nothing left to do: now they are wanted */
            size = receive(child, &fd, 0);
        }
        uint8_t *received = child->received;
        child->received = packet;
        packet = received;
        hear_packet(child, packet, size, fd);
    }
}

static _Noreturn void
give_up(struct slot_child *child, enum slot_record_type type, const char *text)
{
    slot_outbox_put(&child->outbox, type, 0, NULL, 0, text, strlen(text));
    slot_outbox_flush(&child->outbox);
    _exit(0);
}

static void open_kernel(struct slot_child *child,
                        const struct sw_kernel *const *kernels,
                        const struct slot_setup *setup)
{
    struct sw_err err = {0};
    while (*kernels && strcmp((*kernels)->name, setup->kernel) != 0)
        kernels++;
    child->kernel = *kernels;
    if (!child->kernel) {
        sw_fail(&err, ENOENT, "there is no kernel '%s' here", setup->kernel);
        give_up(child, SLOT_UNABLE, err.text);
    }
    if (sw_params_parse(child->kernel, setup->params, setup->n_params, &child->values, &err) < 0 ||
        (child->kernel->open && child->kernel->open(&child->values, &child->state, &err) < 0))
        give_up(child, SLOT_REFUSED, *err.text ? err.text : "the kernel could not be opened");
}

int slot_main(const struct sw_kernel *const *kernels)
{
    struct slot_child child = {.part_fd = -1};
    struct slot_setup setup;
    struct slot_record record;
    struct sw_err err;
    const uint8_t *body;
    size_t at = 0;
    int page_fd;
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < SW_COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN); /* the agent decides when a slot ends */
    child.backlog_end = &child.backlog;
    child.received = sw_alloc(SLOT_PACKET_MAX, 1);
    child.stream.buffer_room = SLOT_STREAM_BUFFER;
    child.stream.buffer = sw_alloc(SLOT_STREAM_BUFFER, 1);
    slot_outbox_init(&child.outbox);
    slot_outbox_put(&child.outbox, SLOT_HELLO, 0, NULL, 0, NULL, 0);
    slot_outbox_flush(&child.outbox);
    size_t size = receive(&child, &page_fd, 0);
    if (slot_record_next(child.received, size, &at, &record, &body) <= 0 ||
        record.type != SLOT_SETUP)
        return 1;
    uint8_t *texts = sw_alloc(record.size, 1); /* the parameters stay here */
    memcpy(texts, body, record.size);
    if (slot_setup_decode(texts, record.size, &setup) < 0)
        return 1;
    child.page = mmap(NULL, sizeof *child.page, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    if (child.page == MAP_FAILED)
        give_up(&child, SLOT_UNABLE, "cannot map the shared page");
    slot_fault_init(setup.memory_bytes);
    if (sandbox_limits(SLOT_SOCKET, setup.memory_bytes, SLOT_PART_BYTES, &err) < 0)
        give_up(&child, SLOT_UNABLE, err.text);
    open_kernel(&child, kernels, &setup);
    if (sandbox_close(&err) < 0)
        give_up(&child, SLOT_UNABLE, err.text);
    slot_outbox_put(&child.outbox, SLOT_READY, 0, NULL, 0, NULL, 0);
    slot_outbox_flush(&child.outbox);
    serve(&child);
}
