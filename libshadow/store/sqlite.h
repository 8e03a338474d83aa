/* What the SQLite store's files share: the handle, its statements, and the words of its errors.
 * Private to this folder. */
#ifndef SW_STORE_SQLITE_H
#define SW_STORE_SQLITE_H

#include "store/store.h"

#include <sqlite3.h>
#include <sys/types.h>

/* One prepared statement each, kept for the life of the handle. A reading handle has those before
 * STATEMENT_WRITES. */
enum sqlite_statement {
    STATEMENT_META_GET,
    STATEMENT_JOB,
    STATEMENT_JOB_BY_KEY,
    STATEMENT_JOBS,
    STATEMENT_JOBS_UNFINISHED,
    STATEMENT_JOBS_ENDED,
    STATEMENT_ADDS,
    STATEMENT_CHUNKS,
    STATEMENT_DEVICES,
    STATEMENT_LAST_JOB,
    STATEMENT_EPOCH,
    STATEMENT_WRITES,
    STATEMENT_BEGIN = STATEMENT_WRITES,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_EPOCH_RAISE,
    STATEMENT_META_PUT,
    STATEMENT_PUT_JOB,
    STATEMENT_PUT_ADD,
    STATEMENT_PUT_CHUNK,
    STATEMENT_PUT_DEVICE,
    STATEMENT_FORGET_MARK,
    STATEMENT_FORGET_CHUNKS,
    STATEMENT_FORGET_ADDS,
    STATEMENT_FORGET_JOB,
    STATEMENT_GONE_PUT,
    STATEMENT_GONE_FIRST,
    STATEMENT_GONE_END,
    STATEMENT_COUNT,
};

struct sw_store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    char *path;
    int lock_fd; /* flock on store.lock beside the database; -1 while another writer holds it */
    bool writer;
    uint32_t epoch;    /* 0 until claimed */
    int broken;        /* -errno of the commit that failed: nothing is written after it */
    bool full;         /* the last failure was a write that found no room */
    int reserve_fd;    /* of a writer; -1 where there is none */
    int forget_left;   /* rows that this batch or piece may still remove */
    int wal_pages;     /* in the write-ahead log after the last commit */
    int checkpoint_at; /* pages at which the next checkpoint is tried */
};

/* sqlite_schema.c: refuses what is newer or another program's, before anything is written; makes or
 * migrates the tables (writer, under the lock); or checks that they are of this version. */
int sqlite_schema_known(struct sw_store *, struct sw_err *);
int sqlite_schema_make(struct sw_store *, struct sw_err *);
int sqlite_schema_check(struct sw_store *, struct sw_err *);
int sqlite_prepare(struct sw_store *, struct sw_err *);

/* sqlite_open.c */
int sqlite_fail(struct sw_store *, int result, struct sw_err *, const char *doing);
int sqlite_run(struct sw_store *, enum sqlite_statement, struct sw_err *, const char *doing);
int sqlite_exec(struct sw_store *, const char *sql, struct sw_err *);
int sqlite_number(struct sw_store *, const char *sql, int64_t *ret, struct sw_err *);
int sqlite_lock(struct sw_store *, struct sw_err *);

/* sqlite_read.c */
int sqlite_meta_get(struct sw_store *, const char *name, struct sw_buf *ret);
int sqlite_job(struct sw_store *, uint64_t job, sw_row_fn *, void *arg);
int sqlite_job_by_key(struct sw_store *, const char *key, sw_row_fn *, void *arg);
int sqlite_jobs(struct sw_store *, const struct sw_job_query *, sw_row_fn *, void *arg);
int sqlite_adds(struct sw_store *, uint64_t job, sw_row_fn *, void *arg);
int sqlite_chunks(
    struct sw_store *, uint64_t job, uint32_t from, uint32_t limit, sw_row_fn *, void *arg);
int sqlite_devices(struct sw_store *, sw_row_fn *, void *arg);
int sqlite_last_job(struct sw_store *, uint64_t *ret_job);
int sqlite_epoch(struct sw_store *, uint32_t *ret_epoch);

/* sqlite_write.c */
int sqlite_begin(struct sw_store *, struct sw_err *); /* -ESTALE: another one is the writer */
/* Commits when r is 0, else rolls back and returns r. */
int sqlite_end(struct sw_store *, int r, struct sw_err *);
int sqlite_claim(struct sw_store *, uint32_t *epoch, struct sw_err *);
int sqlite_commit(struct sw_store *, const struct sw_row *rows, size_t n, struct sw_err *);
int sqlite_meta_put(struct sw_store *, const char *name, const void *p, size_t n);

/* sqlite_reserve.c: room for when the disk is full */
#define SQLITE_RESERVE_START ((off_t)1 << 20) /* kept for the next start: its log and its epoch */
void sqlite_reserve_open(struct sw_store *);
void sqlite_reserve_make(struct sw_store *);             /* to its full size, where there is room */
bool sqlite_reserve_give(struct sw_store *, off_t keep); /* false: there was no more than that */

/* sqlite_forget.c */
void sqlite_forget_begin(struct sw_store *); /* a batch or piece */
int sqlite_forget(struct sw_store *, uint64_t job, struct sw_err *);
int sqlite_tidy(struct sw_store *, bool *ret_more, struct sw_err *);

/* sqlite_wal.c */
int sqlite_wal_fill(struct sw_store *, struct sw_err *); /* to its full length */
int sqlite_wal_grew(void *store, sqlite3 *, const char *name, int pages);
int sqlite_checkpoint(struct sw_store *, int mode, struct sw_err *);

#endif
