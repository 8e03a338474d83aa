/* What only the SQLite store promises: its files and their mode, refusing what is not its own, and
 * syncs. A disk that fills up is store_full.c's. */
#include "store_contract.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Runs SQL on the store's file while no store has it open; the first value of the first row, or "".
 */
static const char *sql(const char *folder, const char *text)
{
    static char value[256];
    char path[4200];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/store.sqlite", folder);
    *value = '\0';
    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        snprintf(value, sizeof value, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

const char *sqlite_damage(const char *folder)
{
    const char *found = sql(folder, "PRAGMA integrity_check");
    return strcmp(found, "ok") ? found : NULL;
}

static void read_file(struct sw_buf *ret)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/store.sqlite", place);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    uint8_t *at = sw_buf_reserve(ret, 1 << 20);
    ret->size = fread(at, 1, 1 << 20, f);
    fclose(f);
    assert_true(ret->size > 0);
}

/* Neither a writer nor a reader takes it, or changes a byte of it. */
static void refused(int code, const char *word)
{
    AUTO_BUF struct sw_buf before = {0}, after = {0};
    read_file(&before);
    for (int writer = 0; writer < 2; writer++) {
        struct sw_store *store = NULL;
        struct sw_err err = {""};
        assert_int_equal(ops->open(place, writer, &store, &err), -code);
        assert_non_null(strstr(err.text, word));
    }
    read_file(&after);
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, before.size);
}

static void test_a_newer_schema_is_refused(void **state)
{
    (void)state;
    ops->close(open_writer(NULL));
    sql(place, "PRAGMA user_version = 999");
    refused(EPROTONOSUPPORT, "newer");
}

static void test_the_database_of_another_program_is_refused(void **state)
{
    (void)state;
    sql(place, "CREATE TABLE notes (text)");
    refused(EBADMSG, "another program");
    sql(place, "PRAGMA application_id = 7");
    refused(EBADMSG, "another program");
}

static void test_a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    char path[4200];
    snprintf(path, sizeof path, "%s/store.sqlite", place);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("not a database\n", f);
    fclose(f);
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    assert_int_equal(ops->open(place, true, &store, &err), -EBADMSG);
    assert_non_null(strstr(err.text, path));
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 15000); /* left as it was */
}

static void test_its_files_are_for_the_owner_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm",
                                        "store.lock"};
    struct sw_store *store = open_writer(NULL);
    for (size_t i = 0; i < SW_COUNT(names); i++) {
        char path[4200];
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", place, names[i]);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
    }
    ops->close(store);
}

static void test_uris(void **state)
{
    (void)state;
    struct sw_err err = {""};
    assert_ptr_equal(sw_store_for("sqlite", &err), &sw_store_sqlite);
    assert_ptr_equal(sw_store_for("sqlite:/x/y", &err), &sw_store_sqlite);
    assert_ptr_equal(sw_store_for("/x/y", &err), &sw_store_sqlite);
    assert_null(sw_store_for("oracle://scott:tiger@host/db", &err));
    assert_non_null(strstr(err.text, "oracle"));
    assert_null(strstr(err.text, "tiger")); /* a URI may hold a password */
    struct sw_store *store = NULL;
    assert_int_equal(ops->open("/nowhere/at/all", true, &store, &err), -ENOENT);
    char path[4200];
    snprintf(path, sizeof path, "sqlite:%s/other.sqlite", place);
    assert_int_equal(ops->open(path, true, &store, &err), 0);
    ops->close(store);
    assert_int_equal(access(path + strlen("sqlite:"), F_OK), 0);
}

/* ---- fsync: SQLite calls this one, which counts and fails on demand ---- */

static unsigned syncs;
static int sync_error;

int fdatasync(int fd)
{
    syncs++;
    errno = sync_error;
    return sync_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static void test_each_commit_is_synced_before_it_returns(void **state)
{
    (void)state;
    uint8_t body[8];
    struct sw_store *store = open_writer(NULL);
    for (uint32_t k = 0; k < 10; k++) {
        struct sw_row row = numbered(k, body, sizeof body);
        syncs = 0;
        commit_ok(store, &row, 1);
        assert_int_equal(syncs, 1);
    }
    ops->close(store);
}

static void test_a_failed_sync_gives_the_handle_up(void **state)
{
    (void)state;
    uint8_t body[8];
    struct sw_err err = {""};
    struct sw_store *store = open_writer(NULL);
    struct sw_row row = numbered(0, body, sizeof body);
    commit_ok(store, &row, 1);
    row = numbered(1, body, sizeof body);
    sync_error = EIO;
    assert_int_equal(ops->commit(store, &row, 1, &err), -EIO);
    assert_true(*err.text);
    sync_error = 0;
    syncs = 0;
    assert_int_equal(ops->commit(store, &row, 1, &err), -EIO); /* recovery, not retry */
    ops->close(store);
    assert_int_equal(syncs, 0);
    store = open_writer(NULL);
    assert_true(syncs > 0); /* what was recovered is made durable anew */
    struct seen seen = {0};
    assert_int_equal(ops->chunks(store, 1, 0, 0, see, &seen), 0);
    assert_true(seen.n >= 1);
    ops->close(store);
    assert_null(sqlite_damage(place));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest sqlite_tests[] = {
    CASE(test_a_newer_schema_is_refused),
    CASE(test_the_database_of_another_program_is_refused),
    CASE(test_a_file_that_is_no_database_is_refused),
    CASE(test_its_files_are_for_the_owner_alone),
    CASE(test_uris),
    CASE(test_each_commit_is_synced_before_it_returns),
    CASE(test_a_failed_sync_gives_the_handle_up),
};
const size_t n_sqlite_tests = SW_COUNT(sqlite_tests);
