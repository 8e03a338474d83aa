/* Who may write: the document `lease` {epoch, counter, owner} in `meta`. Its owner raises the
 * counter every two seconds (mongodb_keep.c); whoever sees it stand still for seven may take it,
 * with the next epoch. Times are boot-time clocks of one machine each, never compared. Called by
 * `journal`'s thread. */
#include "store/mongodb_lease.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

#define QUIET_MS 7000 /* of the counter, as a successor sees it */
/* Its owner is a process of this machine that is gone: what it sent last is let through, then it is
 * taken. */
#define GONE_MS 1000
#define LOOK_MS 250

struct found {
    bool there;
    int64_t epoch, counter;
    struct mongodb_owner owner;
};

static int read_lease(struct sw_store *store, struct found *ret, struct sw_err *err)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8("lease"));
    bson_error_t error;
    const bson_t *document;
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collection[MONGODB_META], filter, NULL, NULL);
    *ret = (struct found){0};
    if (mongoc_cursor_next(cursor, &document)) {
        ret->there = true;
        ret->epoch = mongodb_number(document, "epoch");
        ret->counter = mongodb_number(document, "counter");
        mongodb_owner_read(document, &ret->owner);
    }
    int r = mongoc_cursor_error(cursor, &error)
                ? mongodb_fail(store, &error, NULL, err, "read its lease")
                : 0;
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    return r;
}

/* One conditional write of the lease; *ret_matched says whether the condition held. */
int mongodb_lease_change(const struct sw_store *store,
                         mongoc_collection_t *meta,
                         const bson_t *filter,
                         const bson_t *change,
                         bool *ret_matched,
                         struct sw_err *err)
{
    bson_error_t error;
    bson_t reply;
    int r = 0;
    *ret_matched = false;
    if (mongoc_collection_update_one(meta, filter, change, NULL, &reply, &error))
        *ret_matched = mongodb_number(&reply, "matchedCount") == 1;
    else
        r = mongodb_fail(store, &error, &reply, err, "renew its lease");
    bson_destroy(&reply);
    return r;
}

static int is_held(const struct sw_store *store, const struct found *found, struct sw_err *err)
{
    return sw_fail(err, EBUSY, "%s: another broker uses this store (process %jd on %s)",
                   store->name, (intmax_t)found->owner.pid, found->owner.host);
}

static int pause_ms(struct sw_store *store, int64_t ms)
{
    for (int64_t end = sw_boot_ms() + ms; sw_boot_ms() < end;) {
        if (atomic_load(&store->given_up))
            return -ECANCELED;
        poll(NULL, 0, (int)SW_MIN(end - sw_boot_ms(), (int64_t)LOOK_MS));
    }
    return 0;
}

/* Waits until its owner is surely not there; -EBUSY when it is. The owner may end, or let it go,
 * while it is watched. What a server that was away tells at last counts from then on. */
static int await_quiet(struct sw_store *store, struct found *found, struct sw_err *err)
{
    int64_t until_ms = sw_boot_ms() + QUIET_MS;
    bool gone = false;
    for (;;) {
        struct found now;
        if (!gone && mongodb_owner_is_gone(&found->owner)) {
            gone = true;
            until_ms = SW_MIN(until_ms, sw_boot_ms() + GONE_MS);
        }
        if (sw_boot_ms() >= until_ms)
            return 0;
        if (pause_ms(store, LOOK_MS) < 0)
            return sw_fail(err, ECANCELED, "%s: given up", store->name);
        int r = read_lease(store, &now, err);
        if (r < 0)
            return r;
        if (now.epoch != found->epoch || now.counter != found->counter)
            return is_held(store, &now, err);
        if (!now.owner.pid)
            return 0;
    }
}

static int
take(struct sw_store *store, const struct found *found, uint32_t at_least, struct sw_err *err)
{
    struct mongodb_owner owner = mongodb_owner_self();
    bson_t document = BSON_INITIALIZER, filter = BSON_INITIALIZER, change;
    mongoc_collection_t *meta = store->collection[MONGODB_META];
    bson_error_t error;
    bool taken = false;
    int r = 0;
    store->epoch = SW_MAX((uint32_t)found->epoch + 1, at_least);
    if (!found->there) {
        PUT_TEXT(&document, "_id", "lease");
        PUT_I64(&document, "epoch", store->epoch);
        PUT_I64(&document, "counter", 0);
        mongodb_owner_put(&document, &owner);
        taken = mongoc_collection_insert_one(meta, &document, NULL, NULL, &error);
        if (!taken && error.code != 11000)
            r = mongodb_fail(store, &error, NULL, err, "take its lease");
    } else {
        PUT_TEXT(&filter, "_id", "lease");
        PUT_I64(&filter, "epoch", found->epoch);
        PUT_I64(&filter, "counter", found->counter);
        BSON_APPEND_DOCUMENT_BEGIN(&document, "$set", &change);
        PUT_I64(&change, "epoch", store->epoch);
        PUT_I64(&change, "counter", found->counter + 1);
        mongodb_owner_put(&change, &owner);
        bson_append_document_end(&document, &change);
        r = mongodb_lease_change(store, meta, &filter, &document, &taken, err);
    }
    bson_destroy(&document);
    bson_destroy(&filter);
    return r == 0 && !taken ? is_held(store, found, err) : r;
}

int mongodb_claim(struct sw_store *store, uint32_t *at_least, struct sw_err *err)
{
    struct found found;
    assert(store->writer && !store->lease);
    int r = read_lease(store, &found, err);
    if (r == 0 && found.there && found.owner.pid) /* 0: it was let go of */
        r = await_quiet(store, &found, err);
    int64_t taken_ms = sw_boot_ms();
    if (r == 0)
        r = SW_MAX(found.epoch + 1, (int64_t)*at_least) < MONGODB_EPOCH_MAX
                ? take(store, &found, *at_least, err)
                : sw_fail(err, EOVERFLOW, "%s: its epochs are used up", store->name);
    if (r == 0)
        r = mongodb_keep_start(store, taken_ms, err);
    if (r == 0)
        r = mongodb_schema_make(store, err);
    if (r == 0)
        r = mongodb_forget_rest(store, err);
    if (r < 0) {
        mongodb_lease_end(store);
        return r;
    }
    *at_least = store->epoch;
    return 0;
}

int mongodb_epoch(struct sw_store *store, uint32_t *ret_epoch)
{
    struct found found;
    int r = read_lease(store, &found, NULL);
    if (r == 0)
        *ret_epoch = (uint32_t)found.epoch;
    return r;
}
