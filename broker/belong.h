/* Whether STATE/jobs is the folder of this store's jobs. */
#ifndef BROKER_BELONG_H
#define BROKER_BELONG_H

#include "store/store.h"

struct belonging {
    const struct sw_store_ops *ops;
    struct sw_store *store; /* its writer's */
    int jobs_fd;
    const char *state; /* for words */
    bool every;        /* every job needs its folder, not only unfinished ones */
};

/* Refuses, with words, one that is not; marks both where they have no mark. */
int jobs_belong(const struct belonging *place, struct sw_err *err);

#endif
