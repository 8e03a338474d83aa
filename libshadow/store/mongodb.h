/* What the MongoDB store's files share: the handle, its lease, and the words of its errors. Private
 * to this folder.
 *
 * Design note (one thread per object): a writing handle has a second thread that does nothing but
 * renew the lease, so that a commit which waits for its server does not lose it. The two share the
 * atomics of struct mongodb_lease and nothing else; each has its own client of the pool. */
#ifndef SW_STORE_MONGODB_H
#define SW_STORE_MONGODB_H

#include "store/store.h"

#include <mongoc/mongoc.h>
#include <stdatomic.h>

/* For a socket, a server to be chosen, and a majority to have a write on its disk. */
#define MONGODB_TIMEOUT_MS 5000

enum mongodb_collection {
    MONGODB_JOBS,
    MONGODB_ADDS,
    MONGODB_CHUNKS,
    MONGODB_DEVICES,
    MONGODB_META,
    MONGODB_COLLECTIONS,
};

struct mongodb_lease;

struct sw_store {
    mongoc_uri_t *uri;
    mongoc_client_pool_t *pool; /* never across a fork: a child makes its own */
    mongoc_client_t *client;
    mongoc_collection_t *collection[MONGODB_COLLECTIONS];
    char *name; /* for words: the database and its first host, never the URI */
    bool writer;
    uint32_t epoch;              /* 0 until claimed */
    uint64_t tries;              /* to write a batch, since then */
    int broken;                  /* -errno of the commit that failed: nothing is written after it */
    struct mongodb_lease *lease; /* from claim on */
    atomic_bool given_up;
};

/* ---- mongodb_open.c ---- */

const char *mongodb_database(const struct sw_store *);
/* Collections of one client, with the concerns that every operation has. */
void mongodb_collections(const struct sw_store *,
                         mongoc_client_t *,
                         mongoc_collection_t *ret[MONGODB_COLLECTIONS]);
/* Tells what failed; -errno: -EAGAIN when the server is away, stepping down or slow, and the same
 * operation may succeed later. */
int mongodb_fail(const struct sw_store *,
                 const bson_error_t *,
                 const bson_t *reply, /* NULL when there is none */
                 struct sw_err *,
                 const char *doing);

/* ---- mongodb_schema.c: indexes and their version ---- */
int mongodb_schema_check(struct sw_store *, struct sw_err *); /* -ENOENT: there is none yet */
int mongodb_schema_make(struct sw_store *, struct sw_err *);  /* under the lease */

/* ---- mongodb_lease.c ---- */
int mongodb_claim(struct sw_store *, uint32_t *epoch, struct sw_err *);
int mongodb_epoch(struct sw_store *, uint32_t *ret_epoch);
/* Returns 0 as soon as the lease runs; -ESTALE when another broker took over, -ECANCELED when given
 * up. What was written before it returned 0 was written by the owner of the lease. */
int mongodb_lease_await(struct sw_store *, struct sw_err *);
int mongodb_still_writer(struct sw_store *, struct sw_err *);
int64_t mongodb_silent_ms(struct sw_store *);
void mongodb_give_up(struct sw_store *);
void mongodb_lease_end(struct sw_store *); /* NULL-safe; lets go of it, unless it is lost */

/* ---- mongodb_write.c ---- */

/* What a document's `epoch` holds: its broker's, and below it which of its tries wrote it. A write
 * replaces nothing that a later try wrote: what a link that broke delivers late changes nothing. */
#define MONGODB_TRIES_BITS 36 /* a year of 2,000 a second; then a new epoch */
#define MONGODB_EPOCH_MAX  (UINT32_C(1) << (63 - MONGODB_TRIES_BITS))
int64_t mongodb_stamp(uint32_t epoch, uint64_t tries);
/* `epoch` of a filter: at most ours. */
void mongodb_put_fence(bson_t *filter, const struct sw_store *);
int mongodb_commit(struct sw_store *, const struct sw_row *rows, size_t n, struct sw_err *);
int mongodb_meta_put(struct sw_store *, const char *name, const void *p, size_t n);
int mongodb_forget(struct sw_store *, uint64_t job, struct sw_err *);
/* Ends what a crash interrupted: jobs that were being forgotten. */
int mongodb_forget_rest(struct sw_store *, struct sw_err *);

/* ---- mongodb_plan.c ---- */

/* Rows of one batch in few bulks: those of one job keep their order, jobs do not wait for each
 * other, and a FORGET stands alone. Every prefix of the result is legal if every prefix of each
 * job's rows is. */
struct mongodb_step {
    uint32_t level;
    uint32_t row;
    enum mongodb_collection collection;
};
void mongodb_plan(const struct sw_row *rows, size_t n, struct mongodb_step *ret);

/* ---- mongodb_read.c ---- */
int mongodb_meta_get(struct sw_store *, const char *name, struct sw_buf *ret);
int mongodb_job(struct sw_store *, uint64_t job, sw_row_fn *, void *arg);
int mongodb_job_by_key(struct sw_store *, const char *key, sw_row_fn *, void *arg);
int mongodb_jobs(struct sw_store *, const struct sw_job_query *, sw_row_fn *, void *arg);
int mongodb_adds(struct sw_store *, uint64_t job, sw_row_fn *, void *arg);
int mongodb_chunks(
    struct sw_store *, uint64_t job, uint32_t from, uint32_t limit, sw_row_fn *, void *arg);
int mongodb_devices(struct sw_store *, sw_row_fn *, void *arg);
int mongodb_last_job(struct sw_store *, uint64_t *ret_job);
/* Field `key` of the document with the highest `_id` of those that fit; -1: there is none. */
int mongodb_last_number(struct sw_store *,
                        enum mongodb_collection,
                        bson_t *filter_take,
                        const char *key,
                        int64_t *ret_number,
                        struct sw_err *);
/* The `_id` of an add or chunk: JOB.NUMBER with the number in eight hexadecimal digits, so that ids
 * of a job sort by number. Text rather than {job, number}: some servers that speak MongoDB's
 * protocol look documents as `_id` up by reading them all. */
#define MONGODB_ID 32
void mongodb_id(uint64_t job, uint32_t n, char ret[MONGODB_ID]);
void mongodb_range(bson_t *filter, uint64_t job, uint32_t from, uint32_t last);

/* Text that a client chose: as bytes with their NUL where it is not UTF-8, which BSON's text must
 * be. */
void mongodb_put_bytes(bson_t *, const char *key, const char *value);

/* BSON in the short form that these files need: bson_append_* with the key's length. */
#define PUT_I64(doc, key, value)  bson_append_int64(doc, key, -1, (int64_t)(value))
#define PUT_TEXT(doc, key, value) bson_append_utf8(doc, key, -1, value, -1)

#endif
