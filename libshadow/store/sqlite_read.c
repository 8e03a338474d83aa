/* The reading half of the SQLite store: each walk hands its rows on one by one, straight out of the
 * page cache, so a million rows take no more memory than one. A walk's callback may read, but not
 * by the operation that called it. */
#include "store/sqlite.h"

#include <assert.h>
#include <string.h>

static uint32_t column_u32(sqlite3_stmt *statement, int column)
{
    return (uint32_t)sqlite3_column_int64(statement, column);
}

static const void *column_body(sqlite3_stmt *statement, int column, size_t *ret_size)
{
    const void *p = sqlite3_column_blob(statement, column);
    *ret_size = (size_t)sqlite3_column_bytes(statement, column);
    return p ? p : "";
}

static void read_job(sqlite3_stmt *statement, struct sw_row *ret)
{
    struct sw_job_row *job = &ret->of.job;
    ret->kind = SW_ROW_JOB;
    job->job = (uint64_t)sqlite3_column_int64(statement, 0);
    job->status = column_u32(statement, 1);
    job->type = (const char *)sqlite3_column_text(statement, 2);
    job->owner = (const char *)sqlite3_column_text(statement, 3);
    job->key = (const char *)sqlite3_column_text(statement, 4);
    job->final_ms = sqlite3_column_int64(statement, 5);
    job->bytes = (uint64_t)sqlite3_column_int64(statement, 6);
    job->body = column_body(statement, 7, &job->body_size);
}

static void read_add(sqlite3_stmt *statement, struct sw_row *ret)
{
    struct sw_add_row *add = &ret->of.add;
    ret->kind = SW_ROW_ADD;
    add->job = (uint64_t)sqlite3_column_int64(statement, 0);
    add->add = column_u32(statement, 1);
    add->body = column_body(statement, 2, &add->body_size);
}

static void read_chunk(sqlite3_stmt *statement, struct sw_row *ret)
{
    struct sw_chunk_row *chunk = &ret->of.chunk;
    ret->kind = SW_ROW_CHUNK;
    chunk->job = (uint64_t)sqlite3_column_int64(statement, 0);
    chunk->chunk = column_u32(statement, 1);
    chunk->state = column_u32(statement, 2);
    chunk->attempts = column_u32(statement, 3);
    chunk->losses = column_u32(statement, 4);
    chunk->body = column_body(statement, 5, &chunk->body_size);
}

static void read_device(sqlite3_stmt *statement, struct sw_row *ret)
{
    struct sw_device_row *device = &ret->of.device;
    ret->kind = SW_ROW_DEVICE;
    device->device = (const char *)sqlite3_column_text(statement, 0);
    device->body = column_body(statement, 1, &device->body_size);
}

typedef void read_fn(sqlite3_stmt *, struct sw_row *ret);

static sqlite3_stmt *start(struct sw_store *store, enum sqlite_statement which)
{
    sqlite3_stmt *statement = store->statement[which];
    assert(!sqlite3_stmt_busy(statement)); /* a callback called its own operation */
    return statement;
}

static int
walk(struct sw_store *store, sqlite3_stmt *statement, read_fn *read, sw_row_fn *fn, void *arg)
{
    int r = 0, result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct sw_row row = {0};
        read(statement, &row);
        r = fn(arg, &row);
        if (r != 0)
            break;
    }
    if (r == 0 && result != SQLITE_DONE)
        r = sqlite_fail(store, result, NULL, "read it");
    sqlite3_reset(statement);
    return r;
}

int sqlite_meta_get(struct sw_store *store, const char *name, struct sw_buf *ret)
{
    sqlite3_stmt *statement = start(store, STATEMENT_META_GET);
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sw_buf_clear(ret);
    int result = sqlite3_step(statement), r = 0;
    if (result == SQLITE_ROW) {
        size_t size;
        const void *p = column_body(statement, 0, &size);
        sw_buf_put(ret, p, size);
    } else if (result != SQLITE_DONE) {
        r = sqlite_fail(store, result, NULL, "read it");
    }
    sqlite3_reset(statement);
    return r;
}

int sqlite_job(struct sw_store *store, uint64_t job, sw_row_fn *fn, void *arg)
{
    sqlite3_stmt *statement = start(store, STATEMENT_JOB);
    sqlite3_bind_int64(statement, 1, (int64_t)job);
    return walk(store, statement, read_job, fn, arg);
}

int sqlite_job_by_key(struct sw_store *store, const char *key, sw_row_fn *fn, void *arg)
{
    sqlite3_stmt *statement = start(store, STATEMENT_JOB_BY_KEY);
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    return walk(store, statement, read_job, fn, arg);
}

/* SQLite takes a negative limit as none. */
static int64_t limit_of(uint32_t limit)
{
    return limit ? (int64_t)limit : -1;
}

int sqlite_jobs(struct sw_store *store, const struct sw_job_query *query, sw_row_fn *fn, void *arg)
{
    sqlite3_stmt *statement = start(store, query->ended        ? STATEMENT_JOBS_ENDED
                                           : query->unfinished ? STATEMENT_JOBS_UNFINISHED
                                                               : STATEMENT_JOBS);
    bool newest = !query->unfinished && query->before == 0;
    sqlite3_bind_int64(statement, 1, newest ? INT64_MAX : (int64_t)query->before);
    sqlite3_bind_int64(statement, 2, query->status_mask);
    if (query->type)
        sqlite3_bind_text(statement, 3, query->type, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, 3);
    sqlite3_bind_int64(statement, 4, limit_of(query->limit));
    return walk(store, statement, read_job, fn, arg);
}

int sqlite_adds(struct sw_store *store, uint64_t job, sw_row_fn *fn, void *arg)
{
    sqlite3_stmt *statement = start(store, STATEMENT_ADDS);
    sqlite3_bind_int64(statement, 1, (int64_t)job);
    return walk(store, statement, read_add, fn, arg);
}

int sqlite_chunks(
    struct sw_store *store, uint64_t job, uint32_t from, uint32_t limit, sw_row_fn *fn, void *arg)
{
    sqlite3_stmt *statement = start(store, STATEMENT_CHUNKS);
    sqlite3_bind_int64(statement, 1, (int64_t)job);
    sqlite3_bind_int64(statement, 2, from);
    sqlite3_bind_int64(statement, 3, limit_of(limit));
    return walk(store, statement, read_chunk, fn, arg);
}

int sqlite_devices(struct sw_store *store, sw_row_fn *fn, void *arg)
{
    return walk(store, start(store, STATEMENT_DEVICES), read_device, fn, arg);
}

int sqlite_last_job(struct sw_store *store, uint64_t *ret_job)
{
    sqlite3_stmt *statement = start(store, STATEMENT_LAST_JOB);
    int result = sqlite3_step(statement), r = 0;
    if (result == SQLITE_ROW)
        *ret_job = (uint64_t)sqlite3_column_int64(statement, 0);
    else
        r = sqlite_fail(store, result, NULL, "read it");
    sqlite3_reset(statement);
    return r;
}

int sqlite_epoch(struct sw_store *store, uint32_t *ret_epoch)
{
    sqlite3_stmt *statement = start(store, STATEMENT_EPOCH);
    int result = sqlite3_step(statement), r = 0;
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        *ret_epoch = result == SQLITE_ROW ? column_u32(statement, 0) : 0;
    else
        r = sqlite_fail(store, result, NULL, "read the epoch");
    sqlite3_reset(statement);
    return r;
}
