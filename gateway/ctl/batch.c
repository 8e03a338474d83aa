/* Outputs on their way to the disk. Committing several at once makes the file system's own commit
 * serve them all: one by one, each small file costs the disk's full latency. Called by untar.c and
 * fetch.c. */
#include "batch.h"

#include <string.h>

void batch_failed(struct batch *batch, struct wanted *item, int r, const struct sw_err *err)
{
    say("%s", err->text);
    sw_release(item->error);
    item->error = sw_copy_text(err->text, strlen(err->text));
    batch->failed = r;
}

void batch_commit(struct batch *batch)
{
    struct sw_err err;
    for (size_t i = 0; i < batch->n; i++) {
        int r = output_commit(&batch->outputs[i], &err);
        if (r)
            batch_failed(batch, batch->items[i], r, &err);
        batch->items[i]->written = !r;
        output_done(&batch->outputs[i]);
    }
    batch->n = 0;
    batch->bytes = 0;
}

void batch_add(struct batch *batch, struct output *output, struct wanted *item)
{
    batch->outputs[batch->n] = *output;
    batch->items[batch->n++] = item;
    *output = (struct output){0};
    batch->bytes += item->size;
    if (batch->n == BATCH_FILES || batch->bytes >= BATCH_BYTES)
        batch_commit(batch);
}
