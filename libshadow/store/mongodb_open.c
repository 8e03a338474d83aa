/* Opens and closes the MongoDB store: the client, its timeouts and concerns, and the words for its
 * errors. No word repeats the URI, since it may hold a password. */
#include "store/mongodb.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static const char *const names[MONGODB_COLLECTIONS] = {
    [MONGODB_JOBS] = "jobs",       [MONGODB_ADDS] = "adds", [MONGODB_CHUNKS] = "chunks",
    [MONGODB_DEVICES] = "devices", [MONGODB_META] = "meta",
};

/* Codes of servers that are on their way down, up or to another role, and of writes that no
 * majority has yet: what was asked for may well be done later, or by another server. */
static const uint32_t passing[] = {6,   7,   50,  64,   89,    91,    100,   112,   134,  189,
                                   262, 264, 290, 9001, 10107, 11600, 11602, 13435, 13436};

static bool is_passing(const bson_error_t *error, const bson_t *reply)
{
    if (error->domain == MONGOC_ERROR_STREAM || error->domain == MONGOC_ERROR_SERVER_SELECTION ||
        error->domain == MONGOC_ERROR_WRITE_CONCERN)
        return true;
    if (reply && mongoc_error_has_label(reply, "RetryableWriteError"))
        return true;
    for (size_t i = 0; i < SW_COUNT(passing); i++)
        if (error->code == passing[i])
            return true;
    return false;
}

int mongodb_fail(const struct sw_store *store,
                 const bson_error_t *error,
                 const bson_t *reply,
                 struct sw_err *err,
                 const char *doing)
{
    int code = is_passing(error, reply) ? EAGAIN
               : error->code == 11000   ? EEXIST
               : error->code == 13      ? EACCES
               : error->code == 18      ? EACCES
               : error->code == 14031   ? ENOSPC
                                        : EIO;
    return sw_fail(err, code, "%s: cannot %s: %s", store->name, doing, error->message);
}

const char *mongodb_database(const struct sw_store *store)
{
    const char *database = mongoc_uri_get_database(store->uri);
    return database ? database : "shadowwork";
}

void mongodb_collections(const struct sw_store *store,
                         mongoc_client_t *client,
                         mongoc_collection_t *ret[MONGODB_COLLECTIONS])
{
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    /* whatever the URI says: a secondary is behind what was acknowledged */
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_write_concern_set_wmajority(write, MONGODB_TIMEOUT_MS);
    mongoc_write_concern_set_journal(write, true);
    mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    for (int i = 0; i < MONGODB_COLLECTIONS; i++) {
        ret[i] = mongoc_client_get_collection(client, mongodb_database(store), names[i]);
        mongoc_collection_set_write_concern(ret[i], write);
        mongoc_collection_set_read_concern(ret[i], read);
        mongoc_collection_set_read_prefs(ret[i], primary);
    }
    mongoc_write_concern_destroy(write);
    mongoc_read_concern_destroy(read);
    mongoc_read_prefs_destroy(primary);
}

static void start_driver(void)
{
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL); /* libraries never log; errors come with their words */
}

static int read_uri(struct sw_store *store, const char *where, struct sw_err *err)
{
    static const char *const timeouts[] = {MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                                           MONGOC_URI_SOCKETTIMEOUTMS, MONGOC_URI_CONNECTTIMEOUTMS};
    bson_error_t error;
    store->uri = mongoc_uri_new_with_error(where, &error);
    const mongoc_host_list_t *host = store->uri ? mongoc_uri_get_hosts(store->uri) : NULL;
    if (!store->uri) {
        size_t n = strcspn(error.message, "\"'`:%@"); /* there the driver repeats the URI */
        while (n && error.message[n - 1] == ' ')
            n--;
        return sw_fail(err, EINVAL,
                       "store: not a MongoDB URI: %.*s (mongodb://USER:PASSWORD@HOST/DATABASE; "
                       "percent-encode what is special)",
                       (int)SW_MIN(n, (size_t)60), error.message);
    }
    if (host && strchr(host->host, '@')) /* the rest of a password */
        return sw_fail(err, EINVAL,
                       "store: not a MongoDB URI (mongodb://USER:PASSWORD@HOST/DATABASE; "
                       "percent-encode what is special in a password)");
    for (size_t i = 0; i < SW_COUNT(timeouts); i++)
        mongoc_uri_set_option_as_int32(store->uri, timeouts[i], MONGODB_TIMEOUT_MS);
    struct sw_buf name = {0};
    sw_buf_printf(&name, "MongoDB %s/%s", host ? host->host_and_port : "by DNS",
                  mongodb_database(store));
    sw_text_destroy(&store->name);
    store->name = sw_buf_take_text(&name);
    return 0;
}

static int open_client(struct sw_store *store, struct sw_err *err)
{
    bson_error_t error;
    store->pool = mongoc_client_pool_new_with_error(store->uri, &error);
    if (!store->pool)
        return mongodb_fail(store, &error, NULL, err, "open it");
    mongoc_client_pool_set_error_api(store->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_set_appname(store->pool, "shadow-broker");
    sigset_t all,
        before; /* signals are for the main thread, not for those that watch the servers */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    store->client = mongoc_client_pool_pop(store->pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    mongodb_collections(store, store->client, store->collection);
    return 0;
}

static void mongodb_close(struct sw_store *store)
{
    mongodb_lease_end(store);
    for (int i = 0; i < MONGODB_COLLECTIONS; i++)
        mongoc_collection_destroy(store->collection[i]);
    if (store->client)
        mongoc_client_pool_push(store->pool, store->client);
    if (store->pool)
        mongoc_client_pool_destroy(store->pool);
    mongoc_uri_destroy(store->uri);
    sw_text_destroy(&store->name);
    sw_release(store);
}

static int mongodb_open(const char *where, bool writer, struct sw_store **ret, struct sw_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_driver);
    struct sw_store *store = sw_alloc(1, sizeof *store);
    store->writer = writer;
    store->name = sw_copy_text("MongoDB", strlen("MongoDB"));
    int r = read_uri(store, where, err);
    if (r == 0)
        r = open_client(store, err);
    if (r == 0)
        r = mongodb_schema_check(store, err);
    if (r == -ENOENT && writer)
        r = 0; /* made under the lease */
    if (r < 0) {
        mongodb_close(store);
        return r;
    }
    *ret = store;
    return 0;
}

const struct sw_store_ops sw_store_mongodb = {
    .scheme = "mongodb",
    .open = mongodb_open,
    .close = mongodb_close,
    .claim = mongodb_claim,
    .epoch = mongodb_epoch,
    .still_writer = mongodb_still_writer,
    .silent_ms = mongodb_silent_ms,
    .give_up = mongodb_give_up,
    .commit = mongodb_commit,
    .meta_get = mongodb_meta_get,
    .meta_put = mongodb_meta_put,
    .job = mongodb_job,
    .job_by_key = mongodb_job_by_key,
    .jobs = mongodb_jobs,
    .adds = mongodb_adds,
    .chunks = mongodb_chunks,
    .devices = mongodb_devices,
    .last_job = mongodb_last_job,
};
