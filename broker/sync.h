/* Makes files durable off the loop, as an actor: fdatasync of the files, then fsync of their
 * folder. Requests of one folder that wait together share its fsync.
 *
 * One caller thread a `struct sync`; who needs it from two threads opens two. */
#ifndef BROKER_SYNC_H
#define BROKER_SYNC_H

#include "base/err.h"

#include <czmq.h>

/* Requests not yet answered: each holds two descriptors at most, so that half of the usual 1,024
 * are left. */
#define SYNC_REQUESTS_MAX 256
#define SYNC_NAMES_MAX    8

struct sync_request {
    uint64_t ref;  /* comes back with the reply */
    int folder_fd; /* duplicated; the caller keeps its own; -1: the names are old, only fd is synced
                    */
    int fd;        /* an open file, taken when sync_ask returns 0; -1 for none */
    const char *const *names; /* files in the folder, which the actor opens; copied */
    size_t n_names;           /* at most SYNC_NAMES_MAX */
};

struct sync_reply {
    uint64_t ref;
    int status; /* 0: durable, names included. -errno otherwise */
    bool fatal; /* a sync failed: what is on the disk is unknown, the broker stops. Else a file was
                   not there */
};

struct sync;

int sync_open(struct sync **ret_sync);
void sync_close(struct sync **); /* finishes what was asked, drops the replies; NULL-safe */

int sync_ask(struct sync *, const struct sync_request *); /* -EBUSY when full */

zsock_t *sync_socket(struct sync *); /* to poll for reading; then sync_next until it is false */
bool sync_next(struct sync *, struct sync_reply *ret_reply);

#endif
