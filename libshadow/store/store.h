/* Persistence behind one vtable: SQLite (embedded default) and MongoDB.
 *
 * A store knows rows, not jobs: what it must search by is a column, everything else is the `body`,
 * a msgpack array in the wire's own versioning (missing trailing fields are zero, extra ones
 * ignored).
 *
 * One thread per handle. `journal` holds the writing handle, `history` a reading one. */
#ifndef SW_STORE_H
#define SW_STORE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Status codes as the core writes them; a store only compares them. Numbers are stored: never reuse
 * one. */

struct sw_job_row {
    uint64_t job;
    uint32_t status;   /* enum job status of core.h */
    const char *type;  /* kernel name */
    const char *owner; /* token id; "" for none */
    const char *key;   /* idempotency key as OWNER ':' KEY; "" for none; unique where not empty */
    int64_t final_ms;  /* wall clock; 0 while not final */
    uint64_t bytes;    /* on disk under jobs/JOB, for retention */
    const void *body;
    size_t body_size;
};
struct sw_add_row {
    uint64_t job;
    uint32_t add; /* from 0 */
    const void *body;
    size_t body_size;
};
struct sw_chunk_row {
    uint64_t job;
    uint32_t chunk;
    uint32_t state;    /* enum chunk state: DONE, FAILED, or READY with a counted failure or loss */
    uint32_t attempts; /* counted failures */
    uint32_t losses;
    const void *body;
    size_t body_size;
};
struct sw_device_row {
    const char *device; /* deviceId */
    const void *body;
    size_t body_size;
};

enum sw_row_kind { SW_ROW_JOB, SW_ROW_ADD, SW_ROW_CHUNK, SW_ROW_DEVICE, SW_ROW_FORGET };

/* One write: insert or replace by key. FORGET removes a job with its adds and chunks (of.job.job).
 */
struct sw_row {
    enum sw_row_kind kind;
    union {
        struct sw_job_row job;
        struct sw_add_row add;
        struct sw_chunk_row chunk;
        struct sw_device_row device;
    } of;
};

struct sw_job_query {
    uint64_t before;      /* only jobs with a smaller id; 0 = from the newest */
    uint32_t limit;       /* 0 = all */
    uint32_t status_mask; /* bit 1 << status; 0 = any */
    const char *type;     /* NULL = any */
    bool ended;      /* only jobs with final_ms != 0, those that ended first first; no `before` */
    bool unfinished; /* only jobs with final_ms == 0, ascending (before is then "after") */
};

struct sw_store; /* a handle */

/* Called for each row found, in the order stated; pointers live until it returns. Non-zero stops
 * the walk and is returned. It may call other reading operations, not the one that called it. */
typedef int sw_row_fn(void *arg, const struct sw_row *row);

struct sw_store_ops {
    const char *scheme; /* "sqlite", "mongodb" */

    /* Opens what the URI or path names, creating it if it is not there (writer only) and migrating
     * an older schema forward; a newer one is refused with words. */
    int (*open)(const char *where, bool writer, struct sw_store **ret, struct sw_err *err);
    void (*close)(struct sw_store *);

    /* Takes the writer's place: raises store_epoch by one, durably, or to *epoch if that is higher
     * (a copy goes on where its original was; else 0), and returns it. -EBUSY with words when
     * another writer is alive. After this every commit checks that the epoch is still its own:
     * -ESTALE. */
    int (*claim)(struct sw_store *, uint32_t *epoch, struct sw_err *err);
    int (*epoch)(struct sw_store *, uint32_t *ret_epoch); /* the last one claimed, 0 = none */
    /* -ESTALE with words once another writer has taken over. From any thread, never waits. NULL: a
     * lock of the system's sees to it. */
    int (*still_writer)(struct sw_store *, struct sw_err *err);
    /* For how long the server has not answered the writer, who asks it every two seconds. From any
     * thread, never waits. NULL: there is no server. */
    int64_t (*silent_ms)(struct sw_store *);
    /* A claim or commit that waits for its server ends, now and from now on, with -ECANCELED. From
     * any thread or signal handler. NULL: none waits. */
    void (*give_up)(struct sw_store *);

    /* All rows in order, durable when it returns 0. A store without transactions may tear a batch,
     * so callers order rows such that every prefix of each job's rows is a legal state; rows of
     * other jobs may be written before them. A server that is away is waited for. -ENOSPC: there is
     * no room, and the same rows may be tried again until there is. After any other failure the
     * caller must not go on with this handle (recovery, not retry). */
    int (*commit)(struct sw_store *, const struct sw_row *rows, size_t n, struct sw_err *err);

    /* Removes a piece of what FORGETs left for later, within 100 ms; nobody sees that it is there.
     * Between commits, by the same caller; *ret_more: call it again. After a crash the next one
     * goes on. NULL: a FORGET leaves nothing. */
    int (*tidy)(struct sw_store *, bool *ret_more, struct sw_err *err);

    /* Small named secrets and marks ("token_key"): empty ret when not there. */
    int (*meta_get)(struct sw_store *, const char *name, struct sw_buf *ret);
    int (*meta_put)(struct sw_store *, const char *name, const void *p, size_t n);

    int (*job)(struct sw_store *, uint64_t job, sw_row_fn *fn, void *arg); /* 0 rows or 1 */
    int (*job_by_key)(struct sw_store *,
                      const char *key,
                      sw_row_fn *fn,
                      void *arg); /* 0 rows or 1 */
    int (*jobs)(struct sw_store *, const struct sw_job_query *, sw_row_fn *fn, void *arg);
    int (*adds)(struct sw_store *, uint64_t job, sw_row_fn *fn, void *arg); /* ascending */
    int (*chunks)(/* ascending from `from`; limit 0 = all */
                  struct sw_store *,
                  uint64_t job,
                  uint32_t from,
                  uint32_t limit,
                  sw_row_fn *fn,
                  void *arg);
    int (*devices)(struct sw_store *, sw_row_fn *fn, void *arg);
    int (*last_job)(struct sw_store *,
                    uint64_t *ret_job); /* highest id ever given, forgotten ones included */
};

/* `sqlite` alone means DIR/store.sqlite in the state directory; `mongodb://` and `mongodb+srv://`
 * are MongoDB's own URIs. Unknown schemes are refused with words. */
const struct sw_store_ops *sw_store_for(const char *uri, struct sw_err *err);
extern const struct sw_store_ops sw_store_sqlite;
#ifdef SW_WITH_MONGODB
extern const struct sw_store_ops sw_store_mongodb;
#endif

#endif
