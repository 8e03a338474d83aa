/* Forgetting a job: its rows go in an order that a crash may stop anywhere. First the job is marked
 * and seen by nobody any more, then its chunks and adds go, then itself; the next broker ends what
 * was begun. Called by mongodb_write.c and mongodb_lease.c. */
#include "store/mongodb.h"

#include <errno.h>

#define FORGET_STEP 20000 /* chunks in one delete: well below the timeout */

static int update(struct sw_store *store,
                  enum mongodb_collection collection,
                  const bson_t *filter,
                  const bson_t *change,
                  bool upsert,
                  struct sw_err *err)
{
    bson_t *options = BCON_NEW("upsert", BCON_BOOL(upsert));
    bson_error_t error;
    bson_t reply;
    int r = 0;
    if (!mongoc_collection_update_one(store->collection[collection], filter, change, options,
                                      &reply, &error))
        r = mongodb_fail(store, &error, &reply, err, "forget a job");
    bson_destroy(&reply);
    bson_destroy(options);
    return r;
}

/* Ids are never given twice, so the highest one is remembered when its row goes. Of a job that a
 * later broker wrote the mark is refused, as a row is (upsert: 11000). */
static int mark(struct sw_store *store, uint64_t job, struct sw_err *err)
{
    bson_t *last = BCON_NEW("_id", BCON_UTF8("last_job"));
    bson_t *higher = BCON_NEW("$max", "{", "n", BCON_INT64((int64_t)job), "}");
    bson_t *it = BCON_NEW("_id", BCON_INT64((int64_t)job));
    bson_t *gone = BCON_NEW("$set", "{", "gone", BCON_BOOL(true), "epoch",
                            BCON_INT64(mongodb_stamp(store->epoch, store->tries)), "}", "$unset",
                            "{", "key", BCON_INT32(1), "}");
    mongodb_put_fence(it, store);
    int r = update(store, MONGODB_META, last, higher, true, err);
    if (r == 0)
        r = update(store, MONGODB_JOBS, it, gone, true, err);
    bson_destroy(last);
    bson_destroy(higher);
    bson_destroy(it);
    bson_destroy(gone);
    return r;
}

static int remove_range(struct sw_store *store,
                        enum mongodb_collection collection,
                        uint64_t job,
                        uint32_t from,
                        uint32_t last,
                        struct sw_err *err)
{
    bson_t filter = BSON_INITIALIZER, reply;
    bson_error_t error;
    int r = 0;
    mongodb_range(&filter, job, from, last);
    if (!mongoc_collection_delete_many(store->collection[collection], &filter, NULL, &reply,
                                       &error))
        r = mongodb_fail(store, &error, &reply, err, "forget a job");
    bson_destroy(&reply);
    bson_destroy(&filter);
    return r;
}

static int remove_marked(struct sw_store *store, uint64_t job, struct sw_err *err)
{
    bson_t *chunks = bson_new();
    int64_t last = -1;
    mongodb_range(chunks, job, 0, UINT32_MAX);
    int r = mongodb_last_number(store, MONGODB_CHUNKS, chunks, "n", &last, err);
    for (int64_t from = 0; r == 0 && from <= last;
         from += FORGET_STEP) /* ends at a job's million */
        r = remove_range(store, MONGODB_CHUNKS, job, (uint32_t)from,
                         (uint32_t)from + FORGET_STEP - 1, err);
    if (r == 0)
        r = remove_range(store, MONGODB_ADDS, job, 0, UINT32_MAX, err);
    if (r < 0)
        return r;
    bson_t *it = BCON_NEW("_id", BCON_INT64((int64_t)job), "gone", BCON_BOOL(true));
    bson_error_t error;
    bson_t reply;
    if (!mongoc_collection_delete_one(store->collection[MONGODB_JOBS], it, NULL, &reply, &error))
        r = mongodb_fail(store, &error, &reply, err, "forget a job");
    bson_destroy(&reply);
    bson_destroy(it);
    return r;
}

int mongodb_forget(struct sw_store *store, uint64_t job, struct sw_err *err)
{
    int r = mark(store, job, err);
    return r < 0 ? r : remove_marked(store, job, err);
}

int mongodb_forget_rest(struct sw_store *store, struct sw_err *err)
{
    bson_t *marked = BCON_NEW("gone", BCON_BOOL(true));
    const bson_t *found;
    bson_error_t error;
    bson_iter_t at;
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collection[MONGODB_JOBS], marked, NULL, NULL);
    int r = 0;
    while (r == 0 && mongoc_cursor_next(cursor, &found))
        if (bson_iter_init_find(&at, found, "_id"))
            r = remove_marked(store, (uint64_t)bson_iter_as_int64(&at), err);
    if (r == 0 && mongoc_cursor_error(cursor, &error))
        r = mongodb_fail(store, &error, NULL, err, "end what was being forgotten");
    mongoc_cursor_destroy(cursor);
    bson_destroy(marked);
    return r;
}
