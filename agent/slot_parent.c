/* The slot as the agent's loop sees it (slot.h): runs go in, the process is kept going, results
 * come out. Never blocks and never calls back but from slot_pump. */
#include "slot_parent.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct slot *slot_new(const struct slot_calls *calls, void *arg)
{
    struct slot *slot = sw_alloc(1, sizeof *slot);
    slot->calls = calls;
    slot->arg = arg;
    slot->packet_fd = slot->part_fd = slot->page_fd = -1;
    slot_process_init(&slot->process);
    slot->received = sw_alloc(SLOT_PACKET_MAX, 1);
    slot->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    slot->page_fd = slot_memfd("slot page");
    if (slot->epoll_fd < 0 || slot->page_fd < 0 || ftruncate(slot->page_fd, sizeof *slot->page) < 0)
        goto fail;
    void *page =
        mmap(NULL, sizeof *slot->page, PROT_READ | PROT_WRITE, MAP_SHARED, slot->page_fd, 0);
    if (page == MAP_FAILED)
        goto fail;
    slot->page = page;
    /* A process that cut the file would turn our next look into a SIGBUS. */
    if (fcntl(slot->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        goto fail;
    return slot;
fail:
    slot_destroy(&slot);
    return NULL;
}

static void let_go(struct slot_run *run)
{
    sw_fd_close(&run->input_fd);
    slot_isolate_destroy(&run->isolation);
    run->state = SLOT_RUN_OUT;
    run->next = NULL;
}

void slot_destroy(struct slot **p)
{
    struct slot *slot = TAKE(*p);
    if (!slot)
        return;
    while (slot->first) {
        struct slot_run *run = slot->first;
        slot->first = run->next;
        let_go(run);
    }
    for (size_t i = 0; i < slot->n_flight; i++)
        if (slot_flight_at(slot, i)->run)
            let_go(slot_flight_at(slot, i)->run);
    slot_process_end(slot);
    sw_fd_close(&slot->part_fd);
    sw_fd_close(&slot->page_fd);
    sw_fd_close(&slot->epoll_fd);
    if (slot->page)
        munmap(slot->page, sizeof *slot->page);
    sw_buf_done(&slot->setup);
    sw_buf_done(&slot->packet);
    sw_buf_done(&slot->tail);
    sw_release(slot->received);
    sw_release(slot);
}

int slot_fd(const struct slot *slot)
{
    return slot->epoll_fd;
}

size_t slot_count(const struct slot *slot)
{
    return slot->n_waiting + slot->n_flight - slot->n_cancelled;
}

int slot_prepare(struct slot *slot, const struct slot_setup *setup)
{
    if (slot_count(slot))
        return -EBUSY;
    if (setup->n_params > SW_PARAMS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < setup->n_params; i++)
        if (setup->params[i].value_size > SW_PARAM_TEXT_MAX)
            return -E2BIG;
    AUTO_BUF struct sw_buf encoded = {0};
    slot_setup_encode(&encoded, setup);
    slot->warm = true;
    if (encoded.size == slot->setup.size &&
        memcmp(encoded.data, slot->setup.data, encoded.size) == 0)
        return 0;
    slot_process_kill(slot, "");
    struct sw_buf old = slot->setup;
    slot->setup = encoded;
    encoded = old;
    return 0;
}

void slot_add(struct slot *slot, struct slot_run *run)
{
    struct stat about;
    assert(slot->setup.size && run->state == SLOT_RUN_OUT);
    run->next = NULL;
    run->isolation = NULL;
    run->parts_held = 0;
    run->input_is_pipe =
        run->input_fd >= 0 && fstat(run->input_fd, &about) == 0 && !S_ISREG(about.st_mode);
    if (run->input_fd >= 0 &&
        !run->input_is_pipe) /* may be sealed already, or another's: no matter */
        fcntl(run->input_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    run->state = SLOT_RUN_WAITING;
    if (slot->last)
        slot->last->next = run;
    else
        slot->first = run;
    slot->last = run;
    slot->n_waiting++;
}

static void remove_waiting(struct slot *slot, struct slot_run *run)
{
    struct slot_run *before = NULL;
    struct slot_run **at = &slot->first;
    while (*at != run) {
        before = *at;
        at = &before->next;
    }
    *at = run->next;
    if (slot->last == run)
        slot->last = before;
    slot->n_waiting--;
}

void slot_cancel(struct slot *slot, struct slot_run *run)
{
    assert(run->state != SLOT_RUN_OUT);
    if (run->state == SLOT_RUN_WAITING)
        remove_waiting(slot, run);
    for (size_t i = 0; run->state == SLOT_RUN_SENT && i < slot->n_flight; i++) {
        struct slot_flight *flight = slot_flight_at(slot, i);
        if (flight->run != run)
            continue;
        flight->run = NULL;
        slot->n_cancelled++;
        /* At it, or its descriptor is in a packet that waits. One that begins it later is killed by
         * slot_process_look. */
        if (slot->blocked ||
            atomic_load_explicit(&slot->page->run, memory_order_relaxed) == flight->number)
            slot_process_kill(slot, "");
    }
    let_go(run);
}

uint64_t slot_progress(const struct slot *slot, const struct slot_run *run)
{
    if (run->state != SLOT_RUN_SENT ||
        atomic_load_explicit(&slot->page->run, memory_order_relaxed) != run->number)
        return 0;
    return atomic_load_explicit(&slot->page->consumed, memory_order_relaxed);
}

void slot_tail(struct slot *slot, struct slot_run *run, const void *p, size_t n)
{
    assert(n <= SLOT_TAIL_MAX);
    if (slot->n_flight == 0 || slot_flight_at(slot, 0)->run != run || !slot->asked.tail)
        return; /* the answer came after the process had died */
    sw_buf_put(&slot->tail, p, n);
    slot->asked.tail_ended = n == 0;
}

void slot_part_done(struct slot *slot, struct slot_run *run)
{
    (void)slot;
    assert(run->parts_held);
    run->parts_held--;
}

static void keep_process(struct slot *slot)
{
    struct sw_err err;
    if (slot->process.state != SLOT_NONE || !(slot->warm || slot->first))
        return;
    slot->warm = false;
    if (slot_process_start(slot, slot->now_ms, &err) < 0)
        slot_end_waiting(slot, SLOT_RETURN, err.text, "");
}

void slot_pump(struct slot *slot, int64_t now_ms)
{
    struct epoll_event events[4];
    int status;
    uint64_t peak_bytes;
    slot->now_ms = now_ms;
    int n = epoll_wait(slot->epoll_fd, events, SW_COUNT(events), 0);
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        if (fd == slot->process.sock && fd >= 0)
            slot_receive(slot);
        else if (fd == slot->process.stderr_fd && fd >= 0)
            slot_process_read_stderr(slot);
        else if (fd == slot->process.pid_fd && fd >= 0 &&
                 slot_process_reap(slot, &status, &peak_bytes)) {
            slot_end_process(slot, status, peak_bytes);
            break; /* the other events are of descriptors that are closed now */
        }
    }
    slot_process_look(slot, now_ms);
    keep_process(slot);
    slot_send(slot);
}

int64_t slot_wake(const struct slot *slot)
{
    const struct slot_process *process = &slot->process;
    int64_t wake = INT64_MAX;
    if (process->state == SLOT_NONE && (slot->first || slot->warm))
        wake = slot->now_ms;
    if (process->state == SLOT_STARTING)
        wake = process->started_ms + SLOT_OPEN_MS + 1;
    if (process->state == SLOT_SERVING && slot->n_flight)
        wake = process->look_ms;
    if (process->hung_up_ms && process->state != SLOT_NONE && process->state != SLOT_DYING)
        wake = SW_MIN(wake, process->hung_up_ms + SLOT_HANG_UP_MS + 1);
    return wake;
}
