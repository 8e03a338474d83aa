/* What only the MongoDB store promises: one writer at a time without a lock of the system's, an
 * order of writes that any crash may stop, words without the password. Looks behind the store's
 * back with a client of its own. Writers that lost it: store_fence.c. */
#include "store_contract.h"

#include "store/mongodb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static mongoc_client_t *client;

mongoc_collection_t *mongodb_collection(const char *name)
{
    mongoc_uri_t *uri = mongoc_uri_new(place);
    if (!client)
        client = mongoc_client_new_from_uri(uri);
    mongoc_collection_t *found =
        mongoc_client_get_collection(client, mongoc_uri_get_database(uri), name);
    mongoc_uri_destroy(uri);
    return found;
}

void mongodb_drop(void)
{
    mongoc_uri_t *uri = mongoc_uri_new(place);
    mongoc_collection_t *any = mongodb_collection("jobs");
    mongoc_database_t *database = mongoc_client_get_database(client, mongoc_uri_get_database(uri));
    bson_error_t error;
    mongoc_database_drop(database, &error);
    mongoc_database_destroy(database);
    mongoc_collection_destroy(any);
    mongoc_uri_destroy(uri);
    mongoc_client_destroy(client);
    client = NULL;
}

void mongodb_change(const char *name, bson_t *filter, bson_t *change)
{
    mongoc_collection_t *of = mongodb_collection(name);
    bson_t *upsert = BCON_NEW("upsert", BCON_BOOL(true));
    bson_error_t error;
    if (!mongoc_collection_update_one(of, filter, change, upsert, NULL, &error))
        fail_msg("%s", error.message);
    bson_destroy(upsert);
    bson_destroy(filter);
    bson_destroy(change);
    mongoc_collection_destroy(of);
}

void mongodb_let_the_lease_go(void)
{
    mongodb_change("meta", BCON_NEW("_id", "lease"),
                   BCON_NEW("$set", "{", "owner.pid", BCON_INT64(0), "}"));
}

static int64_t count(const char *name)
{
    mongoc_collection_t *of = mongodb_collection(name);
    bson_t all = BSON_INITIALIZER;
    bson_error_t error;
    int64_t n = mongoc_collection_count_documents(of, &all, NULL, NULL, NULL, &error);
    mongoc_collection_destroy(of);
    return n;
}

static void test_a_newer_schema_is_refused(void **state)
{
    (void)state;
    ops->close(open_writer(NULL));
    mongodb_change("meta", BCON_NEW("_id", "schema"),
                   BCON_NEW("$set", "{", "version", BCON_INT64(99), "}"));
    for (int writer = 0; writer < 2; writer++) {
        struct sw_store *store = NULL;
        struct sw_err err = {""};
        assert_int_equal(ops->open(place, writer, &store, &err), -EPROTONOSUPPORT);
        assert_non_null(strstr(err.text, "newer"));
    }
}

static void run(const char *name, bson_t *command)
{
    mongoc_collection_t *of = mongodb_collection(name);
    bson_error_t error;
    if (!mongoc_collection_command_simple(of, command, NULL, NULL, &error))
        fail_msg("%s", error.message);
    bson_destroy(command);
    mongoc_collection_destroy(of);
}

/* What a database of schema 0 looks like: a migration that stopped before its end. Its rows are
 * there, no reader takes it for whole, the next writer makes what is missing. */
static void test_a_migration_that_was_interrupted_is_ended(void **state)
{
    (void)state;
    uint8_t body[8];
    uint32_t epoch;
    struct sw_store *store = open_writer(&epoch);
    struct sw_row rows[] = {job_row(1, 1, "hash", 0), numbered(0, body, sizeof body),
                            device_row("d", "x")};
    rows[0].of.job.key = "owner:key";
    commit_ok(store, rows, SW_COUNT(rows));
    assert_int_equal(ops->meta_put(store, "token_key", "secret", 6), 0);
    ops->close(store);
    for (int version = 0; version < 2; version++) { /* with a document that says 0, and without */
        run("jobs", BCON_NEW("dropIndexes", "jobs", "index", "key"));
        run("meta", BCON_NEW("delete", "meta", "deletes", "[", "{", "q", "{", "_id", "schema", "}",
                             "limit", BCON_INT32(1), "}", "]"));
        if (version == 0)
            mongodb_change("meta", BCON_NEW("_id", "schema"),
                           BCON_NEW("$set", "{", "version", BCON_INT64(0), "}"));
        struct sw_err err = {""};
        assert_int_equal(ops->open(place, false, &store, &err), -ENOENT);
        assert_true(*err.text);
        store = open_writer(&epoch);
        assert_int_equal(epoch, 2 + version);
        struct seen seen = {0};
        assert_int_equal(ops->job_by_key(store, "owner:key", see, &seen), 0);
        ASSERT_IDS(&seen, 1);
        seen = (struct seen){0};
        assert_int_equal(ops->chunks(store, 1, 0, 0, see, &seen), 0);
        ASSERT_IDS(&seen, 0);
        AUTO_BUF struct sw_buf secret = {0};
        assert_int_equal(ops->meta_get(store, "token_key", &secret), 0);
        assert_int_equal(secret.size, 6);
        struct sw_row second = job_row(2, 1, "hash", 0);
        second.of.job.key = "owner:key"; /* one job a key: by the index that was missing */
        assert_int_equal(ops->commit(store, &second, 1, &err), -EEXIST);
        ops->close(store);
        ops->close(open_reader());
    }
}

static void test_words_never_hold_the_password(void **state)
{
    (void)state;
    static const char *const uris[] = {
        "mongodb://user:hunter2@127.0.0.1:1/x",
        "mongodb://user:x@hunter2@127.0.0.1:1/x",
        "mongodb://user:hunter2/127.0.0.1:1/x",
        "mongodb://user:hunter2@127.0.0.1:port/x",
    };
    for (size_t i = 0; i < SW_COUNT(uris); i++) {
        struct sw_store *store = NULL;
        struct sw_err err = {""};
        assert_true(ops->open(uris[i], true, &store, &err) < 0);
        assert_true(*err.text);
        print_message("# the words: %s\n", err.text);
        assert_null(strstr(err.text, "hunter2"));
    }
}

/* A crash in the middle of a FORGET: the job is seen by nobody, its number is not given again, and
 * the next broker takes the rest away. */
static void test_a_forget_that_was_interrupted_is_ended(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row rows[] = {job_row(1, 1, "hash", 9), add_row(1, 0),
                            chunk_row(1, 0),          chunk_row(1, 1),
                            job_row(2, 1, "hash", 9), chunk_row(2, 0)};
    commit_ok(store, rows, SW_COUNT(rows));
    ops->close(store);
    mongodb_change("jobs", BCON_NEW("_id", BCON_INT64(1)),
                   BCON_NEW("$set", "{", "gone", BCON_BOOL(true), "}"));
    struct seen seen = {0};
    store = open_reader();
    list_jobs(store, &seen, (struct sw_job_query){0});
    ASSERT_IDS(&seen, 2);
    seen = (struct seen){0};
    assert_int_equal(ops->job(store, 1, see, &seen), 0);
    assert_int_equal(seen.n, 0);
    ops->close(store);
    ops->close(open_writer(NULL));
    assert_int_equal(count("jobs"), 1);
    assert_int_equal(count("adds"), 0);
    assert_int_equal(count("chunks"), 1);
}

/* ---- the order of a batch ---- */

#define PLAN_MAX 64

static size_t n_bulks(const struct mongodb_step *steps, size_t n)
{
    size_t bulks = n > 0;
    for (size_t i = 1; i < n; i++)
        bulks +=
            steps[i].level != steps[i - 1].level || steps[i].collection != steps[i - 1].collection;
    return bulks;
}

static void test_jobs_of_a_batch_share_their_bulks(void **state)
{
    (void)state;
    struct sw_row rows[PLAN_MAX];
    struct mongodb_step steps[PLAN_MAX];
    for (uint64_t i = 0; i < PLAN_MAX; i += 4) {
        uint64_t job = 1 + i / 4;
        rows[i] = job_row(job, 1, "hash", 0);
        rows[i + 1] = add_row(job, 0);
        rows[i + 2] = chunk_row(job, 0);
        rows[i + 3] = job_row(job, 2, "hash", 5);
    }
    mongodb_plan(rows, PLAN_MAX, steps);
    assert_int_equal(n_bulks(steps, PLAN_MAX), 4);
    uint32_t at[PLAN_MAX]; /* of each row: a job's keep their order */
    for (uint32_t i = 0; i < PLAN_MAX; i++)
        at[steps[i].row] = i;
    for (uint32_t i = 0; i < PLAN_MAX; i++)
        if (i % 4)
            assert_true(at[i - 1] < at[i]);
}

static void test_a_forget_stands_alone(void **state)
{
    (void)state;
    struct mongodb_step steps[8];
    struct sw_row rows[] = {job_row(1, 1, "hash", 0),
                            job_row(2, 1, "hash", 0),
                            {.kind = SW_ROW_FORGET, .of.job.job = 1},
                            {.kind = SW_ROW_FORGET, .of.job.job = 2},
                            job_row(3, 1, "hash", 0),
                            device_row("d", "")};
    mongodb_plan(rows, SW_COUNT(rows), steps);
    for (uint32_t i = 0; i < SW_COUNT(rows); i++)
        assert_int_equal(steps[i].row, i);
    assert_int_equal(n_bulks(steps, SW_COUNT(rows)), 5);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest mongodb_tests[] = {
    CASE(test_a_newer_schema_is_refused),
    CASE(test_a_migration_that_was_interrupted_is_ended),
    CASE(test_words_never_hold_the_password),
    CASE(test_a_forget_that_was_interrupted_is_ended),
    cmocka_unit_test(test_jobs_of_a_batch_share_their_bulks),
    cmocka_unit_test(test_a_forget_stands_alone),
};
const size_t n_mongodb_tests = SW_COUNT(mongodb_tests);
