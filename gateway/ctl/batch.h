/* Outputs that are written and wait to be made durable and named together. */
#ifndef CTL_BATCH_H
#define CTL_BATCH_H

#include "fetch.h"
#include "output.h"

#define BATCH_FILES INTERRUPT_GUARDS
#define BATCH_BYTES ((uint64_t)32 << 20)

struct batch {
    struct output outputs[BATCH_FILES];
    struct wanted *items[BATCH_FILES];
    size_t n;
    uint64_t bytes;
    int failed; /* of the last that could not be written; each is said */
};

void batch_add(struct batch *batch,
               struct output *output,
               struct wanted *item); /* takes the output */
void batch_commit(struct batch *batch);
/* Says it, notes it at the item, and goes on: another may fit where this one did not. */
void batch_failed(struct batch *batch, struct wanted *item, int r, const struct sw_err *err);

/* untar.c: the tar of all outputs into the wanted files, in order. -FETCH_NOT_IN_TAR when the
 * gateway has other names or another order: what is not written then is to be asked for by name. */
#define FETCH_NOT_IN_TAR ENOMSG
int fetch_tar(struct ctl *ctl,
              const char *id,
              struct wanted_list *wanted,
              struct batch *batch,
              struct sw_err *err);

#endif
