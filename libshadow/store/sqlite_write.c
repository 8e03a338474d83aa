/* The writing half of the SQLite store: claim and commit. Called by `journal` alone.
 * After a failed commit the handle writes nothing more: what is on the disk is unknown until the
 * store is opened again. A write that found the disk full is no such failure: it was before the
 * sync, SQLite rolled it back, and it may be tried again. */
#include "store/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static int read_epoch(struct sw_store *store, int64_t *ret_epoch, struct sw_err *err)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_EPOCH];
    int result = sqlite3_step(statement), r = 0;
    if (result == SQLITE_ROW)
        *ret_epoch = sqlite3_column_int64(statement, 0);
    else if (result == SQLITE_DONE)
        *ret_epoch = 0;
    else
        r = sqlite_fail(store, result, err, "read the epoch");
    sqlite3_reset(statement);
    return r;
}

/* Takes the write lock and looks whether this handle is still the writer. */
int sqlite_begin(struct sw_store *store, struct sw_err *err)
{
    if (store->broken)
        return sw_fail(err, EIO, "%s: a write failed before (%s); open it again", store->path,
                       strerror(-store->broken));
    int r = sqlite_run(store, STATEMENT_BEGIN, err, "begin");
    if (r < 0 || !store->epoch)
        return r;
    int64_t epoch = 0;
    r = read_epoch(store, &epoch, err);
    if (r == 0 && epoch != store->epoch)
        r = sw_fail(err, ESTALE, "%s: another broker took over (epoch %jd, ours was %u)",
                    store->path, (intmax_t)epoch, store->epoch);
    return r;
}

/* Commits when r is 0; otherwise, and when that fails, rolls back, and unless the disk was full
 * gives the handle up. A sync that says ENOSPC is not SQLITE_FULL. */
int sqlite_end(struct sw_store *store, int r, struct sw_err *err)
{
    if (r == 0)
        r = sqlite_run(store, STATEMENT_COMMIT, err, "commit");
    if (r == 0)
        return 0;
    bool again = r == -ENOSPC && store->full;
    if (!sqlite3_get_autocommit(store->db) &&
        sqlite_run(store, STATEMENT_ROLLBACK, NULL, "roll back") < 0)
        again = false;
    if (!store->broken && !again)
        store->broken = r;
    return r;
}

static int raise_epoch(struct sw_store *store, int64_t *ret_epoch, struct sw_err *err)
{
    int r = sqlite_begin(store, err);
    if (r == 0)
        r = sqlite_run(store, STATEMENT_EPOCH_RAISE, err, "raise the epoch");
    if (r == 0)
        r = read_epoch(store, ret_epoch, err);
    if (r == 0 && *ret_epoch > UINT32_MAX)
        r = sw_fail(err, EOVERFLOW, "%s: its epochs are used up", store->path);
    return sqlite_end(store, r, err);
}

int sqlite_claim(struct sw_store *store, uint32_t *at_least, struct sw_err *err)
{
    assert(store->writer);
    if (store->lock_fd < 0) {
        int locked = sqlite_lock(store, err);
        if (locked == 0)
            locked = sqlite_schema_make(store, err);
        if (locked < 0)
            return locked;
    }
    store->epoch = 0;
    int64_t epoch = 0;
    sqlite3_bind_int64(store->statement[STATEMENT_EPOCH_RAISE], 1, *at_least);
    int r = raise_epoch(store, &epoch, err);
    if (r == -ENOSPC && !store->broken && sqlite_reserve_give(store, 0))
        r = raise_epoch(store, &epoch, err);
    if (r < 0)
        return r;
    *at_least = store->epoch = (uint32_t)epoch;
    return 0;
}

/* Bound values are borrowed: they live until the statement has run. */
static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    sqlite3_bind_text(statement, column, text ? text : "", -1, SQLITE_STATIC);
}

static void bind_body(sqlite3_stmt *statement, int column, const void *p, size_t n)
{
    sqlite3_bind_blob64(statement, column, n ? p : "", n, SQLITE_STATIC);
}

static int put_job(struct sw_store *store, const struct sw_job_row *job, struct sw_err *err)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_PUT_JOB];
    sqlite3_bind_int64(statement, 1, (int64_t)job->job);
    sqlite3_bind_int64(statement, 2, job->status);
    bind_text(statement, 3, job->type);
    bind_text(statement, 4, job->owner);
    bind_text(statement, 5, job->key);
    sqlite3_bind_int64(statement, 6, job->final_ms);
    sqlite3_bind_int64(statement, 7, (int64_t)job->bytes);
    bind_body(statement, 8, job->body, job->body_size);
    return sqlite_run(store, STATEMENT_PUT_JOB, err, "write a job");
}

static int put_add(struct sw_store *store, const struct sw_add_row *add, struct sw_err *err)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_PUT_ADD];
    sqlite3_bind_int64(statement, 1, (int64_t)add->job);
    sqlite3_bind_int64(statement, 2, add->add);
    bind_body(statement, 3, add->body, add->body_size);
    return sqlite_run(store, STATEMENT_PUT_ADD, err, "write an add");
}

static int put_chunk(struct sw_store *store, const struct sw_chunk_row *chunk, struct sw_err *err)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_PUT_CHUNK];
    sqlite3_bind_int64(statement, 1, (int64_t)chunk->job);
    sqlite3_bind_int64(statement, 2, chunk->chunk);
    sqlite3_bind_int64(statement, 3, chunk->state);
    sqlite3_bind_int64(statement, 4, chunk->attempts);
    sqlite3_bind_int64(statement, 5, chunk->losses);
    bind_body(statement, 6, chunk->body, chunk->body_size);
    return sqlite_run(store, STATEMENT_PUT_CHUNK, err, "write a chunk");
}

static int
put_device(struct sw_store *store, const struct sw_device_row *device, struct sw_err *err)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_PUT_DEVICE];
    bind_text(statement, 1, device->device);
    bind_body(statement, 2, device->body, device->body_size);
    return sqlite_run(store, STATEMENT_PUT_DEVICE, err, "write a device");
}

static int put_row(struct sw_store *store, const struct sw_row *row, struct sw_err *err)
{
    switch (row->kind) {
    case SW_ROW_JOB:
        return put_job(store, &row->of.job, err);
    case SW_ROW_ADD:
        return put_add(store, &row->of.add, err);
    case SW_ROW_CHUNK:
        return put_chunk(store, &row->of.chunk, err);
    case SW_ROW_DEVICE:
        return put_device(store, &row->of.device, err);
    case SW_ROW_FORGET:
        return sqlite_forget(store, row->of.job.job, err);
    }
    assert(!"a row of no kind");
    return -EINVAL;
}

static int put_rows(struct sw_store *store, const struct sw_row *rows, size_t n, struct sw_err *err)
{
    int r = sqlite_begin(store, err);
    sqlite_forget_begin(store);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = put_row(store, &rows[i], err);
    return sqlite_end(store, r, err);
}

int sqlite_commit(struct sw_store *store, const struct sw_row *rows, size_t n, struct sw_err *err)
{
    assert(store->epoch); /* claimed */
    if (n == 0)
        return 0;
    int r = 0;
    /* before the batch, not after it: what was just committed is acknowledged first */
    if (!store->broken && store->wal_pages >= store->checkpoint_at)
        r = sqlite_checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, err);
    if (r == 0)
        r = put_rows(store, rows, n, err);
    if (r == -ENOSPC && !store->broken && sqlite_reserve_give(store, SQLITE_RESERVE_START))
        r = put_rows(store, rows, n, err);
    if (r == -ENOSPC && !store->broken)
        store->checkpoint_at = 0; /* the next try begins with what may make room in the log */
    return r;
}

int sqlite_meta_put(struct sw_store *store, const char *name, const void *p, size_t n)
{
    assert(store->writer);
    int r = sqlite_begin(store, NULL);
    if (r == 0) {
        bind_text(store->statement[STATEMENT_META_PUT], 1, name);
        bind_body(store->statement[STATEMENT_META_PUT], 2, p, n);
        r = sqlite_run(store, STATEMENT_META_PUT, NULL, "write it");
    }
    return sqlite_end(store, r, NULL);
}
