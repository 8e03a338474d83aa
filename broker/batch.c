/* Rows copied into a batch. Filled by journal on control's thread and by history on its actor's;
 * the other end of the pipe only reads. */
#include "broker/batch.h"

#include <string.h>

struct block {
    struct block *next;
    size_t used, room;
    uint8_t bytes[];
};

struct batch *batch_new(size_t rows_max, size_t bytes_max, size_t block_bytes)
{
    struct batch *batch = sw_alloc(1, sizeof *batch);
    batch->rows = sw_alloc(rows_max, sizeof *batch->rows);
    batch->rows_max = rows_max;
    batch->bytes_max = bytes_max;
    batch->block_bytes = block_bytes;
    return batch;
}

/* Frees the batch's blocks but one of the usual size, so that a flood's memory goes back. */
void batch_clear(struct batch *batch)
{
    struct block *kept = NULL;
    while (batch->blocks) {
        struct block *block = batch->blocks;
        batch->blocks = block->next;
        if (kept || block->room != batch->block_bytes) {
            sw_release(block);
            continue;
        }
        kept = block;
        kept->next = NULL;
        kept->used = 0;
    }
    batch->blocks = kept;
    batch->n = batch->bytes = 0;
}

void batch_destroy(struct batch **p)
{
    struct batch *batch = TAKE(*p);
    if (!batch)
        return;
    batch_clear(batch);
    sw_release(batch->blocks);
    sw_release(batch->rows);
    sw_release(batch);
}

static const void *keep(struct batch *batch, const void *p, size_t n)
{
    if (n == 0)
        return "";
    struct block *block = batch->blocks;
    if (!block || block->room - block->used < n) {
        size_t room = SW_MAX(n, batch->block_bytes);
        block = sw_alloc(1, sizeof *block + room);
        block->room = room;
        block->next = batch->blocks;
        batch->blocks = block;
    }
    uint8_t *at = block->bytes + block->used;
    memcpy(at, p, n);
    block->used += n;
    batch->bytes += n;
    return at;
}

static const char *keep_text(struct batch *batch, const char *text)
{
    return text && *text ? keep(batch, text, strlen(text) + 1) : "";
}

void batch_put(struct batch *batch, const struct sw_row *from)
{
    struct sw_row *row = &batch->rows[batch->n++];
    *row = *from;
    switch (row->kind) {
    case SW_ROW_JOB:
        row->of.job.type = keep_text(batch, row->of.job.type);
        row->of.job.owner = keep_text(batch, row->of.job.owner);
        row->of.job.key = keep_text(batch, row->of.job.key);
        row->of.job.body = keep(batch, row->of.job.body, row->of.job.body_size);
        break;
    case SW_ROW_ADD:
        row->of.add.body = keep(batch, row->of.add.body, row->of.add.body_size);
        break;
    case SW_ROW_CHUNK:
        row->of.chunk.body = keep(batch, row->of.chunk.body, row->of.chunk.body_size);
        break;
    case SW_ROW_DEVICE:
        row->of.device.device = keep_text(batch, row->of.device.device);
        row->of.device.body = keep(batch, row->of.device.body, row->of.device.body_size);
        break;
    case SW_ROW_FORGET:
        break;
    }
}

bool batch_fits(const struct batch *batch, const struct sw_row *row)
{
    size_t body = row->kind == SW_ROW_JOB      ? row->of.job.body_size
                  : row->kind == SW_ROW_ADD    ? row->of.add.body_size
                  : row->kind == SW_ROW_CHUNK  ? row->of.chunk.body_size
                  : row->kind == SW_ROW_DEVICE ? row->of.device.body_size
                                               : 0;
    return batch->n == 0 || (batch->n < batch->rows_max && batch->bytes + body <= batch->bytes_max);
}
