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

/* The copy of a store, still empty of marks, gets a number of its own. The broker that starts on it
 * first takes over the folder of `from`, which no broker then mistakes for its own. */
int jobs_belong_to_copy(const struct sw_store_ops *from_ops,
                        struct sw_store *from,
                        const struct sw_store_ops *to_ops,
                        struct sw_store *to);

#endif
