/* Makes outputs durable off the loop, as an actor: each is sealed (files/output.h), then their
 * folder synced. Requests of one folder that wait together share its fsync.
 *
 * One caller thread a `struct sync`; who needs it from two threads opens two. */
#ifndef BROKER_SYNC_H
#define BROKER_SYNC_H

#include "base/err.h"

#include <czmq.h>

/* Requests not yet answered: each holds a descriptor, so that most of the usual 1,024 are left. */
#define SYNC_REQUESTS_MAX 256

struct sync_request {
    uint64_t ref;  /* comes back with the reply */
    int folder_fd; /* the job's; duplicated, the caller keeps its own */
    uint32_t chunk;
    uint64_t n; /* the lease */
};

struct sync_reply {
    uint64_t ref;
    int status; /* 0: durable, with its sums and names. -errno otherwise */
    bool fatal; /* a sync failed: what is on the disk is unknown, the broker stops. Else it was not
                   there, or there was no room */
};

struct sync;

int sync_open(struct sync **ret_sync);
void sync_close(struct sync **); /* finishes what was asked, drops the replies; NULL-safe */

int sync_ask(struct sync *, const struct sync_request *); /* -EBUSY when full */

zsock_t *sync_socket(struct sync *); /* to poll for reading; then sync_next until it is false */
bool sync_next(struct sync *, struct sync_reply *ret_reply);

#endif
