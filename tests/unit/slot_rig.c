/* The loop of slot_rig.h: poll on the slot's descriptor, pump, copy what comes out. */
#include "slot_rig.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/pack.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_MS 120000 /* no test waits for long: this one means "hangs" */

static void take_output(struct rig *rig, struct rig_chunk *chunk, int fd, uint64_t size)
{
    int seals = fcntl(fd, F_GET_SEALS);
    assert(seals >= 0 && (seals & F_SEAL_WRITE) && (seals & F_SEAL_SHRINK) &&
           (seals & F_SEAL_GROW));
    if (!rig->only_count) {
        uint8_t *p = sw_buf_reserve(&chunk->output, size);
        assert(sw_pread_all(fd, p, size, 0) == 0);
        chunk->output.size += size;
    }
    close(fd);
}

static void on_part(void *arg, struct slot *slot, struct slot_run *run, int fd, uint64_t size)
{
    struct rig_chunk *chunk = (struct rig_chunk *)run;
    take_output(arg, chunk, fd, size);
    chunk->n_parts++;
    if (!((struct rig *)arg)->keep_parts)
        slot_part_done(slot, run);
}

static void on_tail(void *arg, struct slot *slot, struct slot_run *run, uint64_t offset)
{
    struct rig_chunk *chunk = (struct rig_chunk *)run;
    struct rig *rig = arg;
    if (!chunk->n_questions++)
        chunk->tail_begins = offset;
    size_t at = (size_t)(offset - chunk->tail_begins);
    assert(at <= chunk->tail_size || rig->only_count);
    at = SW_MIN(at, chunk->tail_size); /* who only counts lets the offset lie */
    size_t n = SW_MIN(chunk->tail_step, chunk->tail_size - at);
    slot_tail(slot, run, chunk->tail + at, n);
}

static void on_done(void *arg, struct slot *slot, struct slot_run *run, struct slot_result *result)
{
    struct rig *rig = arg;
    struct rig_chunk *chunk = (struct rig_chunk *)run;
    (void)slot;
    assert(!chunk->ended);
    chunk->ended = true;
    chunk->end = result->end;
    memcpy(chunk->reason, result->reason, sizeof chunk->reason);
    chunk->stderr_tail = strdup(result->stderr_tail);
    chunk->output_total = result->output_total;
    chunk->cpu_us = result->cpu_us;
    chunk->n_segments = result->n_segments;
    for (size_t i = 0; i < result->n_segments && i < SW_COUNT(chunk->segments); i++) {
        chunk->segments[i].length = result->segments[i].length;
        snprintf(chunk->segments[i].error, sizeof chunk->segments[i].error, "%s",
                 result->segments[i].error);
    }
    if (result->output_fd >= 0)
        take_output(rig, chunk, TAKE_FD(result->output_fd), result->output_size);
    else
        sw_buf_put(&chunk->output, result->output, result->output_size);
    rig->n_ended++;
}

void rig_open(struct rig *rig)
{
    static const struct slot_calls calls = {.done = on_done, .part = on_part, .tail = on_tail};
    *rig = (struct rig){0};
    rig->slot = slot_new(&calls, rig);
    assert(rig->slot);
}

void rig_close(struct rig *rig)
{
    slot_destroy(&rig->slot);
}

void rig_prepare(struct rig *rig, const char *kernel, const char *param, const char *value)
{
    struct sw_param_text list = {
        .name = param, .value = value, .value_size = value ? strlen(value) : 0};
    struct slot_setup setup = {
        .kernel = kernel ? kernel : "act",
        .params = &list,
        .n_params = param != NULL,
        .memory_bytes = RIG_MEMORY,
    };
    int r = slot_prepare(rig->slot, &setup);
    assert(r == 0);
}

void rig_add(struct rig *rig, struct rig_chunk *chunk)
{
    if (chunk->stream.size) {
        chunk->run.input = chunk->stream.data;
        chunk->run.input_size = chunk->stream.size;
        chunk->run.input_fd = -1;
    }
    slot_add(rig->slot, &chunk->run);
}

void rig_turn(struct rig *rig)
{
    int64_t now = sw_boot_ms();
    int64_t wake = slot_wake(rig->slot);
    struct pollfd fd = {.fd = slot_fd(rig->slot), .events = POLLIN};
    int wait = wake <= now ? 0 : wake - now > 1000 ? 1000 : (int)(wake - now);
    poll(&fd, 1, wait);
    slot_pump(rig->slot, sw_boot_ms());
}

void rig_wait(struct rig *rig, uint32_t n_ended)
{
    int64_t began = sw_boot_ms();
    slot_pump(rig->slot, began);
    while (rig->n_ended < n_ended) {
        rig_turn(rig);
        assert(sw_boot_ms() - began < DEADLINE_MS);
    }
}

void rig_head(struct sw_buf *ret, uint64_t size, uint64_t tail)
{
    sw_pack_array(ret, 1);
    sw_pack_array(ret, 8);
    sw_pack_bytes(ret, "file-0", 6);
    sw_pack_u64(ret, 0644);
    sw_pack_i64(ret, -1);
    sw_pack_u64(ret, size + tail);
    sw_pack_u64(ret, 0);
    sw_pack_u64(ret, size);
    sw_pack_u64(ret, 0);
    sw_pack_u64(ret, tail);
}

void rig_stream(struct sw_buf *ret, const char *const *texts, size_t n, uint64_t tail)
{
    sw_buf_clear(ret);
    sw_pack_array(ret, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        uint64_t mine = i + 1 == n ? tail : 0;
        int size = snprintf(name, sizeof name, "file-%zu", i);
        sw_pack_array(ret, 8);
        sw_pack_bytes(ret, name, (size_t)size);
        sw_pack_u64(ret, 0644);
        sw_pack_i64(ret, 1700000000);
        sw_pack_u64(ret, strlen(texts[i]) + mine);
        sw_pack_u64(ret, 0);
        sw_pack_u64(ret, strlen(texts[i]));
        sw_pack_u64(ret, 0);
        sw_pack_u64(ret, mine);
    }
    for (size_t i = 0; i < n; i++)
        sw_buf_text(ret, texts[i]);
}

void rig_run_text(struct rig *rig, struct rig_chunk *chunk, const char *text)
{
    rig_stream(&chunk->stream, &text, 1, 0);
    rig_add(rig, chunk);
    rig_wait(rig, rig->n_ended + 1);
}

void rig_chunk_done(struct rig_chunk *chunk)
{
    sw_buf_done(&chunk->stream);
    sw_buf_done(&chunk->output);
    free(chunk->stderr_tail);
    *chunk = (struct rig_chunk){0};
}

size_t rig_open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    assert(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}
