/* The reading half of the MongoDB store: each walk hands its documents on one by one from a cursor,
 * so a million rows take no more memory than one answer of the server. */
#include "store/mongodb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH 1000 /* documents in one answer */

void mongodb_id(uint64_t job, uint32_t n, char ret[MONGODB_ID])
{
    snprintf(ret, MONGODB_ID, "%" PRIu64 ".%08" PRIx32, job, n);
}

void mongodb_range(bson_t *filter, uint64_t job, uint32_t from, uint32_t last)
{
    char first_id[MONGODB_ID], last_id[MONGODB_ID];
    bson_t range;
    mongodb_id(job, from, first_id);
    mongodb_id(job, last, last_id);
    BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &range);
    PUT_TEXT(&range, "$gte", first_id);
    PUT_TEXT(&range, "$lte", last_id);
    bson_append_document_end(filter, &range);
}

/* ---- documents to rows: what a field holds lives as long as the document ---- */

struct fields {
    int64_t id, job, n;
    const char *id_text;
    int64_t status, final_ms, bytes, state, attempts, losses;
    const char *type, *owner, *key;
    const void *body;
    uint32_t body_size;
};

static const char *text_of(bson_iter_t *at)
{
    const uint8_t *bytes = NULL;
    uint32_t n = 0;
    if (BSON_ITER_HOLDS_BINARY(at))
        bson_iter_binary(at, NULL, &n, &bytes);
    if (n && bytes[n - 1] == '\0')
        return (const char *)bytes;
    return BSON_ITER_HOLDS_UTF8(at) ? bson_iter_utf8(at, NULL) : "";
}

static void read_field(bson_iter_t *at, struct fields *ret)
{
    const struct {
        const char *name;
        int64_t *number;
        const char **text;
    } known[] = {
        {"job", &ret->job, NULL},           {"n", &ret->n, NULL},
        {"status", &ret->status, NULL},     {"final_ms", &ret->final_ms, NULL},
        {"bytes", &ret->bytes, NULL},       {"state", &ret->state, NULL},
        {"attempts", &ret->attempts, NULL}, {"losses", &ret->losses, NULL},
        {"type", NULL, &ret->type},         {"owner", NULL, &ret->owner},
        {"key", NULL, &ret->key},
    };
    const char *name = bson_iter_key(at);
    if (!strcmp(name, "_id") && BSON_ITER_HOLDS_UTF8(at))
        ret->id_text = bson_iter_utf8(at, NULL);
    else if (!strcmp(name, "_id"))
        ret->id = bson_iter_as_int64(at);
    else if ((!strcmp(name, "body") || !strcmp(name, "value")) && BSON_ITER_HOLDS_BINARY(at))
        bson_iter_binary(at, NULL, &ret->body_size, (const uint8_t **)&ret->body);
    for (size_t i = 0; i < SW_COUNT(known); i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        if (known[i].number)
            *known[i].number = bson_iter_as_int64(at);
        else
            *known[i].text = text_of(at);
    }
}

static void read_document(const bson_t *document, struct fields *ret)
{
    bson_iter_t at;
    *ret = (struct fields){.type = "", .owner = "", .key = "", .id_text = "", .body = ""};
    if (bson_iter_init(&at, document))
        while (bson_iter_next(&at))
            read_field(&at, ret);
}

static struct sw_row row_of(const struct fields *f, enum mongodb_collection collection)
{
    if (collection == MONGODB_JOBS)
        return (struct sw_row){.kind = SW_ROW_JOB,
                               .of.job = {(uint64_t)f->id, (uint32_t)f->status, f->type, f->owner,
                                          f->key, f->final_ms, (uint64_t)f->bytes, f->body,
                                          f->body_size}};
    if (collection == MONGODB_ADDS)
        return (struct sw_row){.kind = SW_ROW_ADD,
                               .of.add = {(uint64_t)f->job, (uint32_t)f->n, f->body, f->body_size}};
    if (collection == MONGODB_CHUNKS)
        return (struct sw_row){.kind = SW_ROW_CHUNK,
                               .of.chunk = {(uint64_t)f->job, (uint32_t)f->n, (uint32_t)f->state,
                                            (uint32_t)f->attempts, (uint32_t)f->losses, f->body,
                                            f->body_size}};
    return (struct sw_row){.kind = SW_ROW_DEVICE, .of.device = {f->id_text, f->body, f->body_size}};
}

/* ---- walks ---- */

/* Takes filter and order; limit 0 = all. */
static int walk_by(struct sw_store *store,
                   enum mongodb_collection collection,
                   bson_t *filter,
                   bson_t *order,
                   uint32_t limit,
                   sw_row_fn *fn,
                   void *arg)
{
    bson_t *options = BCON_NEW("sort", BCON_DOCUMENT(order), "limit", BCON_INT64(limit),
                               "batchSize", BCON_INT32(BATCH));
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collection[collection], filter, options, NULL);
    const bson_t *document;
    bson_error_t error;
    int r = 0;
    while (r == 0 && mongoc_cursor_next(cursor, &document)) {
        struct fields fields;
        read_document(document, &fields);
        struct sw_row row = row_of(&fields, collection);
        r = fn(arg, &row);
    }
    if (r == 0 && mongoc_cursor_error(cursor, &error))
        r = mongodb_fail(store, &error, NULL, NULL, "read it");
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(order);
    bson_destroy(filter);
    return r;
}

/* Takes the filter. By _id, `direction` 1 or -1. */
static int walk(struct sw_store *store,
                enum mongodb_collection collection,
                bson_t *filter,
                int direction,
                uint32_t limit,
                sw_row_fn *fn,
                void *arg)
{
    return walk_by(store, collection, filter, BCON_NEW("_id", BCON_INT32(direction)), limit, fn,
                   arg);
}

/* A job that is being forgotten is seen by nobody. */
static bson_t *jobs_filter(void)
{
    return BCON_NEW("gone", "{", "$exists", BCON_BOOL(false), "}");
}

int mongodb_job(struct sw_store *store, uint64_t job, sw_row_fn *fn, void *arg)
{
    bson_t *filter = jobs_filter();
    PUT_I64(filter, "_id", job);
    return walk(store, MONGODB_JOBS, filter, 1, 1, fn, arg);
}

/* by index `key` */
int mongodb_job_by_key(struct sw_store *store, const char *key, sw_row_fn *fn, void *arg)
{
    if (!*key)
        return 0;
    bson_t *filter = jobs_filter();
    mongodb_put_bytes(filter, "key", key);
    return walk(store, MONGODB_JOBS, filter, 1, 1, fn, arg);
}

/* by index `unfinished` (which has the ended ones too), `status` or `type`, or by _id alone */
int mongodb_jobs(struct sw_store *store, const struct sw_job_query *query, sw_row_fn *fn, void *arg)
{
    bson_t *filter = jobs_filter(), id, list;
    if (query->unfinished)
        PUT_I64(filter, "final_ms", 0);
    if (query->ended) {
        bson_t later;
        BSON_APPEND_DOCUMENT_BEGIN(filter, "final_ms", &later);
        PUT_I64(&later, "$gt", 0);
        bson_append_document_end(filter, &later);
    } else if (query->before) {
        BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &id);
        PUT_I64(&id, query->unfinished ? "$gt" : "$lt", query->before);
        bson_append_document_end(filter, &id);
    }
    if (query->type)
        mongodb_put_bytes(filter, "type", query->type);
    if (query->status_mask) {
        bson_t status;
        BSON_APPEND_DOCUMENT_BEGIN(filter, "status", &status);
        BSON_APPEND_ARRAY_BEGIN(&status, "$in", &list);
        for (uint32_t i = 0, n = 0; i < 32; i++) {
            char key[12];
            snprintf(key, sizeof key, "%u", n);
            if (query->status_mask >> i & 1) {
                PUT_I64(&list, key, i);
                n++;
            }
        }
        bson_append_array_end(&status, &list);
        bson_append_document_end(filter, &status);
    }
    if (query->ended)
        return walk_by(store, MONGODB_JOBS, filter,
                       BCON_NEW("final_ms", BCON_INT32(1), "_id", BCON_INT32(1)), query->limit, fn,
                       arg);
    return walk(store, MONGODB_JOBS, filter, query->unfinished ? 1 : -1, query->limit, fn, arg);
}

int mongodb_adds(struct sw_store *store, uint64_t job, sw_row_fn *fn, void *arg)
{
    bson_t *filter = bson_new();
    mongodb_range(filter, job, 0, UINT32_MAX);
    return walk(store, MONGODB_ADDS, filter, 1, 0, fn, arg);
}

int mongodb_chunks(
    struct sw_store *store, uint64_t job, uint32_t from, uint32_t limit, sw_row_fn *fn, void *arg)
{
    bson_t *filter = bson_new();
    mongodb_range(filter, job, from, UINT32_MAX);
    return walk(store, MONGODB_CHUNKS, filter, 1, limit, fn, arg);
}

int mongodb_devices(struct sw_store *store, sw_row_fn *fn, void *arg)
{
    return walk(store, MONGODB_DEVICES, bson_new(), 1, 0, fn, arg);
}

int mongodb_last_number(struct sw_store *store,
                        enum mongodb_collection collection,
                        bson_t *filter_take,
                        const char *key,
                        int64_t *ret_number,
                        struct sw_err *err)
{
    bson_t *options = BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(1));
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collection[collection], filter_take, options, NULL);
    const bson_t *document;
    bson_error_t error;
    bson_iter_t at;
    int64_t number = -1;
    int r = 0;
    if (mongoc_cursor_next(cursor, &document) && bson_iter_init_find(&at, document, key))
        number = bson_iter_as_int64(&at);
    if (mongoc_cursor_error(cursor, &error))
        r = mongodb_fail(store, &error, NULL, err, "read it");
    else
        *ret_number = number;
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(filter_take);
    return r;
}

int mongodb_last_job(struct sw_store *store, uint64_t *ret_job)
{
    int64_t there = -1, gone = -1; /* the row with the highest number may be forgotten */
    int r = mongodb_last_number(store, MONGODB_JOBS, bson_new(), "_id", &there, NULL);
    if (r == 0)
        r = mongodb_last_number(store, MONGODB_META, BCON_NEW("_id", BCON_UTF8("last_job")), "n",
                                &gone, NULL);
    if (r == 0)
        *ret_job = (uint64_t)SW_MAX(SW_MAX(there, gone), (int64_t)0);
    return r;
}

static int take_value(void *arg, const struct sw_row *row)
{
    sw_buf_put(arg, row->of.device.body, row->of.device.body_size);
    return 0;
}

int mongodb_meta_get(struct sw_store *store, const char *name, struct sw_buf *ret)
{
    struct sw_buf id = {0};
    sw_buf_clear(ret);
    sw_buf_printf(&id, "secret.%s", name);
    int r = walk(store, MONGODB_META, BCON_NEW("_id", BCON_UTF8((const char *)id.data)), 1, 1,
                 take_value, ret);
    sw_buf_done(&id);
    return r;
}
