/* The lease of the MongoDB store: what its three files share. Private to this folder. */
#ifndef SW_STORE_MONGODB_LEASE_H
#define SW_STORE_MONGODB_LEASE_H

#include "store/mongodb.h"

#include <limits.h>

/* ---- mongodb_owner.c ---- */
struct mongodb_owner {
    char host[HOST_NAME_MAX + 1];
    char boot[40], namespace[40]; /* of the kernel; of its process ids */
    int64_t pid, started;         /* in ticks: a process id may come again */
};
struct mongodb_owner mongodb_owner_self(void);
/* A process of this machine that has ended; false for those of others, of which nothing is known.
 */
bool mongodb_owner_is_gone(const struct mongodb_owner *);
void mongodb_owner_put(bson_t *lease, const struct mongodb_owner *);
void mongodb_owner_read(const bson_t *lease, struct mongodb_owner *ret);
int64_t mongodb_number(const bson_t *, const char *path); /* 0 when it is not there */

/* ---- mongodb_lease.c ---- */

/* One conditional write of the lease; *ret_matched says whether the condition held. */
int mongodb_lease_change(const struct sw_store *,
                         mongoc_collection_t *meta,
                         const bson_t *filter,
                         const bson_t *change,
                         bool *ret_matched,
                         struct sw_err *err);

/* ---- mongodb_keep.c ---- */
int mongodb_keep_start(struct sw_store *, int64_t taken_ms, struct sw_err *);

#endif
