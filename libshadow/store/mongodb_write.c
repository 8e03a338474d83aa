/* The writing half of the MongoDB store: commit and forget. Called by `journal` alone.
 *
 * There is no transaction: a batch may tear, and its caller's order makes every prefix legal. A
 * write carries the epoch of its broker and the number of its try, and replaces nothing of a later
 * one: neither what an old broker sent last nor what a broken link still delivers (a kernel tries
 * for minutes) undoes what was written since. */
#include "store/mongodb.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#define AGAIN_MS 250

void mongodb_put_bytes(bson_t *document, const char *key, const char *value)
{
    size_t n = strlen(value);
    if (bson_utf8_validate(value, n, false))
        PUT_TEXT(document, key, value);
    else
        bson_append_binary(document, key, -1, BSON_SUBTYPE_BINARY, (const uint8_t *)value,
                           (uint32_t)n + 1);
}

static int check_usable(struct sw_store *store, struct sw_err *err)
{
    if (!store->broken)
        return 0;
    return sw_fail(err, EIO, "%s: a write failed before (%s); open it again", store->name,
                   strerror(-store->broken));
}

int64_t mongodb_stamp(uint32_t epoch, uint64_t tries)
{
    return (int64_t)((uint64_t)epoch << MONGODB_TRIES_BITS | tries);
}

void mongodb_put_fence(bson_t *filter, const struct sw_store *store)
{
    bson_t older;
    BSON_APPEND_DOCUMENT_BEGIN(filter, "epoch", &older);
    PUT_I64(&older, "$lte", mongodb_stamp(store->epoch, store->tries));
    bson_append_document_end(filter, &older);
}

/* ---- rows ---- */

static void put_id(bson_t *document, uint64_t job, uint32_t n)
{
    char id[MONGODB_ID];
    mongodb_id(job, n, id);
    PUT_TEXT(document, "_id", id);
}

static void put_numbers(bson_t *document, uint64_t job, uint32_t n)
{
    PUT_I64(document, "job", job);
    PUT_I64(document, "n", n);
}

static void put_body(bson_t *document, const char *key, const void *p, size_t n)
{
    bson_append_binary(document, key, -1, BSON_SUBTYPE_BINARY, n ? p : (const void *)"",
                       (uint32_t)n);
}

static void put_key(bson_t *document, const struct sw_row *row)
{
    switch (row->kind) {
    case SW_ROW_JOB:
        PUT_I64(document, "_id", row->of.job.job);
        break;
    case SW_ROW_ADD:
        put_id(document, row->of.add.job, row->of.add.add);
        break;
    case SW_ROW_CHUNK:
        put_id(document, row->of.chunk.job, row->of.chunk.chunk);
        break;
    case SW_ROW_DEVICE:
        PUT_TEXT(document, "_id", row->of.device.device);
        break;
    case SW_ROW_FORGET:
        assert(!"it is no document");
    }
}

static void put_fields(bson_t *document, const struct sw_row *row)
{
    const struct sw_job_row *job = &row->of.job;
    const struct sw_chunk_row *chunk = &row->of.chunk;
    switch (row->kind) {
    case SW_ROW_JOB:
        PUT_I64(document, "status", job->status);
        mongodb_put_bytes(document, "type", job->type ? job->type : "");
        mongodb_put_bytes(document, "owner", job->owner ? job->owner : "");
        if (job->key && *job->key) /* absent: the index is sparse */
            mongodb_put_bytes(document, "key", job->key);
        PUT_I64(document, "final_ms", job->final_ms);
        PUT_I64(document, "bytes", job->bytes);
        put_body(document, "body", job->body, job->body_size);
        break;
    case SW_ROW_ADD:
        put_numbers(document, row->of.add.job, row->of.add.add);
        put_body(document, "body", row->of.add.body, row->of.add.body_size);
        break;
    case SW_ROW_CHUNK:
        put_numbers(document, chunk->job, chunk->chunk);
        PUT_I64(document, "state", chunk->state);
        PUT_I64(document, "attempts", chunk->attempts);
        PUT_I64(document, "losses", chunk->losses);
        put_body(document, "body", chunk->body, chunk->body_size);
        break;
    case SW_ROW_DEVICE:
        put_body(document, "body", row->of.device.body, row->of.device.body_size);
        break;
    case SW_ROW_FORGET:
        break;
    }
}

/* ---- bulks ---- */

static void
put_row(const struct sw_store *store, mongoc_bulk_operation_t *bulk, const struct sw_row *row)
{
    bson_t filter = BSON_INITIALIZER, document = BSON_INITIALIZER;
    put_key(&filter, row);
    mongodb_put_fence(&filter, store);
    put_key(&document, row);
    PUT_I64(&document, "epoch", mongodb_stamp(store->epoch, store->tries));
    put_fields(&document, row);
    bson_t *upsert = BCON_NEW("upsert", BCON_BOOL(true));
    bool fits = mongoc_bulk_operation_replace_one_with_opts(bulk, &filter, &document, upsert, NULL);
    assert(fits); /* rows are bounded far below 16 MiB, names of fields are ours */
    (void)fits;
    bson_destroy(upsert);
    bson_destroy(&filter);
    bson_destroy(&document);
}

static int write_bulk(struct sw_store *store,
                      const struct sw_row *rows,
                      const struct mongodb_step *steps,
                      size_t n,
                      struct sw_err *err)
{
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(
        store->collection[steps->collection], NULL); /* ordered: one row may come twice */
    bson_error_t error;
    bson_t reply;
    for (size_t i = 0; i < n; i++)
        put_row(store, bulk, &rows[steps[i].row]);
    int r = 0;
    if (!mongoc_bulk_operation_execute(bulk, &reply, &error))
        r = mongodb_fail(store, &error, &reply, err, "write");
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return r;
}

static int write_all(struct sw_store *store,
                     const struct sw_row *rows,
                     const struct mongodb_step *steps,
                     size_t n,
                     size_t *done,
                     struct sw_err *err)
{
    int r = 0;
    while (r == 0 && *done < n) {
        const struct mongodb_step *first = &steps[*done];
        size_t end = *done + 1;
        while (end < n && steps[end].level == first->level &&
               steps[end].collection == first->collection)
            end++;
        if (rows[first->row].kind == SW_ROW_FORGET) /* alone in its level */
            r = mongodb_forget(store, rows[first->row].of.job.job, err);
        else
            r = write_bulk(store, rows, first, end - *done, err);
        if (r == 0)
            *done = end;
    }
    return r;
}

int mongodb_commit(struct sw_store *store, const struct sw_row *rows, size_t n, struct sw_err *err)
{
    assert(store->lease); /* claimed */
    int r = check_usable(store, err);
    if (r < 0 || n == 0)
        return r;
    struct mongodb_step *steps = sw_alloc(n, sizeof *steps);
    size_t done = 0;
    bool again = false;
    mongodb_plan(rows, n, steps);
    for (;;) { /* for as long as it takes: the loop goes on without us */
        if (++store->tries >> MONGODB_TRIES_BITS) {
            r = sw_fail(err, EOVERFLOW, "%s: the writes of one epoch are used up", store->name);
            break;
        }
        r = mongodb_lease_await(store, err);
        if (r == 0)
            r = write_all(store, rows, steps, n, &done, err);
        if (r == 0)
            r = mongodb_lease_await(store, err);
        if (r == -EEXIST && again) { /* a try before it is still under way, and was first */
            again = false;
            r = -EAGAIN;
        } else if (r == -EAGAIN) {
            again = true;
        }
        if (r != -EAGAIN)
            break;
        poll(NULL, 0, AGAIN_MS);
        if (atomic_load(&store->given_up)) {
            r = sw_fail(err, ECANCELED, "%s: given up while it was away", store->name);
            break;
        }
    }
    /* a row of a later epoch is there, or the same idempotency key is another job's */
    if (r == -EEXIST && mongodb_still_writer(store, NULL) < 0)
        r = mongodb_still_writer(store, err);
    sw_release(steps);
    store->broken = r == -ENOSPC ? 0 : r; /* every row may be written twice */
    return r;
}

int mongodb_meta_put(struct sw_store *store, const char *name, const void *p, size_t n)
{
    assert(store->writer);
    struct sw_buf id = {0};
    int r = check_usable(store, NULL);
    if (r < 0)
        return r;
    sw_buf_printf(&id, "secret.%s", name);
    bson_t *filter = BCON_NEW("_id", BCON_UTF8((const char *)id.data));
    bson_t *options = BCON_NEW("upsert", BCON_BOOL(true));
    bson_t document = BSON_INITIALIZER, reply;
    bson_error_t error;
    PUT_TEXT(&document, "_id", (const char *)id.data);
    put_body(&document, "value", p, n);
    if (!mongoc_collection_replace_one(store->collection[MONGODB_META], filter, &document, options,
                                       &reply, &error))
        r = mongodb_fail(store, &error, &reply, NULL, "write it");
    bson_destroy(&reply);
    bson_destroy(&document);
    bson_destroy(filter);
    bson_destroy(options);
    sw_buf_done(&id);
    return r;
}
