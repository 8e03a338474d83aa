/* Owns a composed result. Called by results.c, which feeds it; reads no output: that is outlet.c's.
 * A chunk without an end leaves its files open, so that a running job can be listed too. */
#include "composed.h"

#include "base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void output_name(void *arg, const char *name, size_t size, struct sw_buf *ret)
{
    layout_output_name(arg, name, size, ret);
}

struct composed *composed_new(struct layout *layout, int job_fd)
{
    struct composed *composed = sw_alloc(1, sizeof *composed);
    composed->references = 1;
    composed->layout = layout_hold(layout);
    composed->job_fd = job_fd;
    composed->file_chunk = sw_alloc(layout->n_files + 1, sizeof *composed->file_chunk);
    composed->file_open = sw_alloc(layout->n_files + 1, 1);
    memset(composed->file_chunk, 0xff, (layout->n_files + 1) * sizeof *composed->file_chunk);
    return composed;
}

struct composed *composed_hold(struct composed *composed)
{
    composed->references++;
    return composed;
}

void composed_release(struct composed **p)
{
    struct composed *composed = TAKE(*p);
    if (!composed || --composed->references)
        return;
    sw_result_destroy(&composed->result);
    sw_fd_close(&composed->job_fd);
    sw_release(composed->file_chunk);
    sw_release(composed->file_open);
    layout_release(&composed->layout);
    sw_release(composed);
}

int composed_begin(struct composed *composed, struct sw_err *err)
{
    struct layout *layout = composed->layout;
    struct sw_result_rule rule = {
        .concat = layout->kernel->shape == SW_CONCAT, .output_name = output_name, .arg = layout};
    composed->result = sw_result_new(composed->job_fd, &rule);
    for (size_t i = 0; i < layout->n_adds; i++) {
        int r = sw_result_add(composed->result, &layout->adds[i].manifest);
        if (r < 0)
            return sw_fail(err, -r, "the result cannot be composed: %s", strerror(-r));
    }
    return 0;
}

struct chunk_end {
    bool done, failed;
    char error[SW_REASON_MAX];
};

static struct chunk_end end_of(const struct sw_msg_chunk *chunk)
{
    struct chunk_end end = {.done = sw_str_is(chunk->status, "completed"),
                            .failed = sw_str_is(chunk->status, "failed")};
    size_t n = SW_MIN(chunk->error.n, sizeof end.error - 1);
    if (end.failed)
        memcpy(end.error, n ? chunk->error.p : "the chunk failed", n ? n : 17);
    else if (!end.done)
        memcpy(end.error, "not finished", 13);
    return end;
}

static int add_piece(struct composed *composed,
                     const struct layout_add *add,
                     const struct sw_plan_piece *piece,
                     const struct sw_msg_chunk *chunk,
                     const struct chunk_end *end,
                     const struct sw_msg_outcome *outcome,
                     uint64_t *offset)
{
    char error[SW_REASON_MAX];
    size_t file = add->first_file + piece->entry;
    memcpy(error, end->error, sizeof error);
    if (end->done) {
        size_t n = SW_MIN(outcome->error.n, sizeof error - 1);
        if (n)
            memcpy(error, outcome->error.p, n);
        error[n] = '\0';
    }
    struct sw_result_segment segment = {.add = (uint32_t)(add - composed->layout->adds),
                                        .entry = piece->entry,
                                        .chunk = (uint32_t)chunk->index,
                                        .n = chunk->n,
                                        .inline_bytes = chunk->output.p,
                                        .offset = end->done ? *offset : 0,
                                        .length = end->done ? outcome->length : 0,
                                        .error = error};
    if (composed->file_chunk[file] == UINT32_MAX || (error[0] && (end->done || end->failed)))
        composed->file_chunk[file] = (uint32_t)chunk->index;
    composed->file_open[file] |= !end->done && !end->failed;
    *offset += segment.length;
    return sw_result_segment(composed->result, &segment);
}

int composed_chunk(struct composed *composed, const struct sw_msg_chunk *chunk, struct sw_err *err)
{
    const struct layout_add *add = NULL;
    size_t n = 0;
    uint64_t offset = 0;
    const struct sw_plan_piece *pieces = layout_pieces(composed->layout, chunk->index, &add, &n);
    struct chunk_end end = end_of(chunk);
    if (!pieces || chunk->index != composed->next_chunk++ || (end.done && chunk->n_pieces != n))
        return sw_fail(err, EBADMSG, "chunk %" PRIu64 " does not fit the plan", chunk->index);
    uint64_t total = 0;
    for (size_t i = 0; end.done && i < n; i++)
        total += chunk->pieces[i].length;
    if (end.done && chunk->n == 0 && total > chunk->output.n)
        return sw_fail(err, EBADMSG, "chunk %" PRIu64 " lacks a part of its output", chunk->index);
    for (size_t i = 0; i < n; i++) {
        int r = add_piece(composed, add, &pieces[i], chunk, &end,
                          end.done ? &chunk->pieces[i] : NULL, &offset);
        if (r < 0)
            return sw_fail(err, -r, "chunk %" PRIu64 ": %s", chunk->index, strerror(-r));
    }
    composed->rows += n;
    return 0;
}

int composed_end(struct composed *composed, struct sw_err *err)
{
    return sw_result_seal(composed->result, err);
}

size_t composed_bytes(const struct composed *composed)
{
    return layout_bytes(composed->layout) + composed->layout->n_files * 200 + composed->rows * 48;
}
