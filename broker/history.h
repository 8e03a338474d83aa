/* Reads of the store for listings and finished jobs, as an actor with a reading handle of its own,
 * so that they wait neither behind commits nor in the loop. It sees what is committed; live jobs
 * are asked of the core.
 *
 * The control thread is the only caller: it asks, never waits, and takes the replies, in the order
 * of the requests, off the socket. */
#ifndef BROKER_HISTORY_H
#define BROKER_HISTORY_H

#include "store/store.h"

#include <czmq.h>

/* Requests not yet answered: at the 20 us that a page takes, 256 wait 5 ms; more would only be
 * older. */
#define HISTORY_REQUESTS_MAX 256
/* A reply ends at whichever comes first and says `more`: the largest page of the REST interface,
 * and what fits a few messages. */
#define HISTORY_ROWS_MAX  1024
#define HISTORY_BYTES_MAX ((size_t)1 << 20)

enum history_kind {
    HISTORY_JOB,     /* job: its row, or none */
    HISTORY_KEY,     /* key: the job with this idempotency key, or none */
    HISTORY_JOBS,    /* jobs */
    HISTORY_ADDS,    /* job: all its ADD rows, from `from` on */
    HISTORY_CHUNKS,  /* job, from, limit: by index */
    HISTORY_DEVICES, /* from: number of devices to skip */
};

struct history_request {
    enum history_kind kind;
    uint64_t ref; /* comes back with the reply; never looked at */
    uint64_t job;
    uint32_t from;
    uint32_t limit;           /* 0 or more than HISTORY_ROWS_MAX = HISTORY_ROWS_MAX */
    const char *key;          /* copied */
    struct sw_job_query jobs; /* type is copied; its limit as above */
    int64_t until_ms; /* of sw_boot_ms: then nobody waits for it any more; 0: somebody does */
};

struct history_reply {
    enum history_kind kind;
    uint64_t ref;
    int status; /* 0, -ETIME: not read, since its time was over, or -errno: it could not be read */
    int64_t took_ms;
    bool more; /* rows were left off at a limit */
    size_t n;
    const struct sw_row *rows; /* texts and bodies live as long as the reply */
    struct batch *batch;       /* what the rows lie in */
};

struct history;

/* After journal_open, which makes the store. */
int history_open(const struct sw_store_ops *ops,
                 const char *where,
                 struct history **ret_history,
                 struct sw_err *err);
void history_close(
    struct history **); /* replies not taken are dropped, their refs too; NULL-safe */

int history_ask(struct history *, const struct history_request *); /* -EBUSY when full */
int64_t history_wait_ms(const struct history *); /* what is before a request asked now, by guess */

zsock_t *history_socket(struct history *); /* to poll for reading; then history_next until NULL */
struct history_reply *history_next(struct history *);
void history_reply_destroy(struct history_reply **);

#endif
