/* The indexes of the MongoDB store, as a list of migrations that the document `schema` counts.
 * Called when a store is opened or claimed. A migration that was released is never edited, a new
 * one is appended.
 *
 * Documents are found by `_id` (a job's number; JOB.ADD, JOB.CHUNK; a device's id), which
 * needs no other index: reading one, a job's adds and chunks in order, all jobs from the newest. */
#include "store/mongodb.h"

#include <errno.h>

struct index {
    const char *collection, *name;
    const char *keys[2];
    bool unique, sparse;
};

/* unfinished jobs, at start; the job of an idempotency key (absent where there is none); listings
 * by status and by type; jobs whose FORGET was interrupted */
static const struct index first[] = {
    {"jobs", "unfinished", {"final_ms", "_id"}, false, false},
    {"jobs", "key", {"key"}, true, true},
    {"jobs", "status", {"status", "_id"}, false, false},
    {"jobs", "type", {"type", "_id"}, false, false},
    {"jobs", "gone", {"gone"}, false, true},
};

static const struct migration {
    const struct index *indexes;
    size_t n;
} migrations[] = {{first, SW_COUNT(first)}};
#define VERSION ((int64_t)SW_COUNT(migrations))

static int read_version(struct sw_store *store, int64_t *ret, struct sw_err *err)
{
    bson_t filter = BSON_INITIALIZER;
    const bson_t *found;
    bson_error_t error;
    bson_iter_t at;
    PUT_TEXT(&filter, "_id", "schema");
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collection[MONGODB_META], &filter, NULL, NULL);
    *ret = 0;
    if (mongoc_cursor_next(cursor, &found) && bson_iter_init_find(&at, found, "version"))
        *ret = bson_iter_as_int64(&at);
    int r = mongoc_cursor_error(cursor, &error)
                ? mongodb_fail(store, &error, NULL, err, "read its schema")
                : 0;
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return r;
}

int mongodb_schema_check(struct sw_store *store, struct sw_err *err)
{
    int64_t version;
    int r = read_version(store, &version, err);
    if (r < 0)
        return r;
    if (version > VERSION)
        return sw_fail(err, EPROTONOSUPPORT,
                       "%s: schema %jd is newer than this program's %jd; upgrade ShadowWork, or "
                       "use another database",
                       store->name, (intmax_t)version, (intmax_t)VERSION);
    if (version == 0)
        return sw_fail(err, ENOENT, "%s: no broker has used this database yet", store->name);
    if (version < VERSION && !store->writer)
        return sw_fail(err, EAGAIN,
                       "%s: schema %jd is older than this program's %jd; the broker migrates it "
                       "when it starts",
                       store->name, (intmax_t)version, (intmax_t)VERSION);
    return 0;
}

static int make_index(struct sw_store *store, const struct index *index, struct sw_err *err)
{
    bson_t *keys = bson_new();
    for (size_t i = 0; i < SW_COUNT(index->keys) && index->keys[i]; i++)
        bson_append_int32(keys, index->keys[i], -1, 1);
    bson_t *command =
        BCON_NEW("createIndexes", BCON_UTF8(index->collection), "indexes", "[", "{", "key",
                 BCON_DOCUMENT(keys), "name", BCON_UTF8(index->name), "unique",
                 BCON_BOOL(index->unique), "sparse", BCON_BOOL(index->sparse), "}", "]");
    bson_error_t error;
    bson_t reply;
    int r = 0;
    if (!mongoc_client_write_command_with_opts(store->client, mongodb_database(store), command,
                                               NULL, &reply, &error))
        r = mongodb_fail(store, &error, &reply, err, "make an index");
    bson_destroy(&reply);
    bson_destroy(command);
    bson_destroy(keys);
    return r;
}

/* Making an index that is there changes nothing, so a crash in the middle needs no other care. */
int mongodb_schema_make(struct sw_store *store, struct sw_err *err)
{
    int64_t version;
    int r = read_version(store, &version, err);
    if (r < 0 || version == VERSION)
        return r;
    for (int64_t i = version; r == 0 && i < VERSION; i++)
        for (size_t k = 0; r == 0 && k < migrations[i].n; k++)
            r = make_index(store, &migrations[i].indexes[k], err);
    if (r < 0)
        return r;
    bson_t *filter = BCON_NEW("_id", BCON_UTF8("schema"));
    bson_t *document = BCON_NEW("_id", BCON_UTF8("schema"), "version", BCON_INT64(VERSION));
    bson_t *options = BCON_NEW("upsert", BCON_BOOL(true));
    bson_error_t error;
    bson_t reply;
    if (!mongoc_collection_replace_one(store->collection[MONGODB_META], filter, document, options,
                                       &reply, &error))
        r = mongodb_fail(store, &error, &reply, err, "write its schema");
    bson_destroy(&reply);
    bson_destroy(filter);
    bson_destroy(document);
    bson_destroy(options);
    return r;
}
