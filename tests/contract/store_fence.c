/* Writers of the MongoDB store that lost it, or whose words come late: what they send replaces
 * nothing that was written since, and a writer that lives is not taken for one that is gone. */
#include "store_contract.h"

#include "store/mongodb_lease.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_nothing_of_a_later_epoch_is_replaced(void **state)
{
    (void)state;
    uint32_t epoch;
    struct sw_store *store = open_writer(&epoch);
    struct sw_row row = device_row("d", "new"), old = device_row("d", "old");
    commit_ok(store, &row, 1);
    mongodb_change("devices", BCON_NEW("_id", "d"),
                   BCON_NEW("$set", "{", "epoch", BCON_INT64(mongodb_stamp(epoch + 1, 0)), "}"));
    struct sw_err err = {""};
    assert_true(ops->commit(store, &old, 1, &err) < 0);
    struct seen seen = {0};
    assert_int_equal(ops->devices(store, see, &seen), 0);
    assert_memory_equal(seen.body, "new", 3);
    ops->close(store);
}

/* A broker that lost the store in the middle of a FORGET, whose job its successor has changed. */
static void test_nothing_of_a_later_epoch_is_forgotten(void **state)
{
    (void)state;
    uint32_t epoch;
    struct sw_store *store = open_writer(&epoch);
    struct sw_row rows[] = {job_row(1, 1, "hash", 0), add_row(1, 0), chunk_row(1, 0)};
    struct sw_row forget = {.kind = SW_ROW_FORGET, .of.job.job = 1};
    struct sw_err err = {""};
    commit_ok(store, rows, SW_COUNT(rows));
    mongodb_change("jobs", BCON_NEW("_id", BCON_INT64(1)),
                   BCON_NEW("$set", "{", "epoch", BCON_INT64(mongodb_stamp(epoch + 1, 0)), "}"));
    assert_true(ops->commit(store, &forget, 1, &err) < 0);
    ops->close(store);
    struct seen seen = {0};
    store = open_reader();
    assert_int_equal(ops->job(store, 1, see, &seen), 0);
    assert_int_equal(ops->chunks(store, 1, 0, 0, see, &seen), 0);
    assert_int_equal(seen.n, 2);
    ops->close(store);
}

static bson_t *first_of(const char *name)
{
    mongoc_collection_t *of = mongodb_collection(name);
    bson_t all = BSON_INITIALIZER;
    const bson_t *found;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(of, &all, NULL, NULL);
    assert_true(mongoc_cursor_next(cursor, &found));
    bson_t *copy = bson_copy(found);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(of);
    return copy;
}

/* What was sent over a link that broke may reach the server after it was sent again, and after
 * what was written then: here by a client that does what the driver did. */
static void test_a_late_write_of_its_own_replaces_nothing(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row row = device_row("d", "old"), new = device_row("d", "new");
    commit_ok(store, &row, 1);
    bson_t *late = first_of("devices");
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, late, "epoch"));
    bson_t *filter =
        BCON_NEW("_id", "d", "epoch", "{", "$lte", BCON_INT64(bson_iter_as_int64(&at)), "}");
    bson_t *upsert = BCON_NEW("upsert", BCON_BOOL(true));
    mongoc_collection_t *of = mongodb_collection("devices");
    bson_error_t error;
    commit_ok(store, &new, 1);
    assert_false(mongoc_collection_replace_one(of, filter, late, upsert, NULL, &error));
    assert_int_equal(error.code, 11000);
    struct seen seen = {0};
    assert_int_equal(ops->devices(store, see, &seen), 0);
    assert_memory_equal(seen.body, "new", 3);
    mongoc_collection_destroy(of);
    bson_destroy(late);
    bson_destroy(filter);
    bson_destroy(upsert);
    ops->close(store);
}

/* /proc may hide other users' processes (systemd's ProtectProc=invisible). */
static void test_a_hidden_process_is_not_gone(void **state)
{
    (void)state;
    struct mongodb_owner owner = mongodb_owner_self();
    pid_t child = fork();
    if (child == 0) {
        bool hidden = unshare(CLONE_NEWNS) == 0 &&
                      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                      mount("proc", "/proc", "proc", 0, "hidepid=2") == 0 &&
                      setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0;
        _exit(!hidden ? 77 : mongodb_owner_is_gone(&owner));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* only root can hide it */
    assert_int_equal(status, 0);
    child = fork();
    if (child == 0)
        _exit(0);
    owner.pid = child;
    owner.started = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(mongodb_owner_is_gone(&owner));
}

static void test_a_lease_outlives_a_long_silence(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL), *second = NULL;
    struct sw_err err = {""};
    uint32_t epoch = 0;
    poll(NULL, 0, 8000); /* longer than a lease: it is renewed, though nothing is committed */
    assert_int_equal(ops->open(place, true, &second, &err), 0);
    assert_int_equal(ops->claim(second, &epoch, &err), -EBUSY);
    struct sw_row row = device_row("d", "x");
    commit_ok(store, &row, 1);
    ops->close(second);
    ops->close(store);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest fence_tests[] = {
    CASE(test_nothing_of_a_later_epoch_is_replaced),
    CASE(test_nothing_of_a_later_epoch_is_forgotten),
    CASE(test_a_late_write_of_its_own_replaces_nothing),
    CASE(test_a_hidden_process_is_not_gone),
    CASE(test_a_lease_outlives_a_long_silence),
};
const size_t n_fence_tests = SW_COUNT(fence_tests);
