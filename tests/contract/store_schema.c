/* Stores of the version before: a SQLite database of schema 1, with rows of every kind, is migrated
 * when a writer opens it, by no reader, and whatever stops a migration does no harm. What is newer
 * is refused by store_sqlite.c. */
#include "store_contract.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the file, behind the store's back ---- */

static sqlite3 *file_open(void)
{
    char path[4200];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/store.sqlite", place);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void file_change(const char *sql)
{
    sqlite3 *db = file_open();
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* Every row that the queries (ended by NULL) give, as text; the caller's to release. */
static char *file_text(const char *const *queries)
{
    sqlite3 *db = file_open();
    struct sw_buf text = {0};
    for (; *queries; queries++) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(db, *queries, -1, &statement, NULL) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
        while (sqlite3_step(statement) == SQLITE_ROW)
            for (int i = 0; i < sqlite3_column_count(statement); i++) {
                const char *value = (const char *)sqlite3_column_text(statement, i);
                sw_buf_printf(&text, "%s\n", value ? value : "-");
            }
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    return sw_buf_take_text(&text);
}

static int64_t file_version(void)
{
    AUTO(sw_text) char *text = file_text((const char *const[]){"PRAGMA user_version", NULL});
    return atoll(text);
}

static char *schema_text(void)
{
    return file_text((const char *const[]){
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name",
        "PRAGMA application_id", "PRAGMA user_version", NULL});
}

static const char *const all_rows[] = {
    "SELECT quote(name), quote(value) FROM meta ORDER BY name",
    "SELECT quote(name), n FROM mark WHERE name <> 'store_epoch' ORDER BY name",
    "SELECT job, status, type, owner, key, final_ms, bytes, quote(body) FROM job ORDER BY job",
    "SELECT job, n, quote(body) FROM job_add ORDER BY job, n",
    "SELECT job, chunk, state, attempts, losses, quote(body) FROM chunk ORDER BY job, chunk",
    "SELECT device, quote(body) FROM device ORDER BY device",
    NULL};

static void make_schema_1(void)
{
    AUTO_BUF struct sw_buf sql = {0};
    FILE *f = fopen(SCHEMA_1, "r");
    assert_non_null(f);
    uint8_t *at = sw_buf_reserve(&sql, 1 << 16);
    at[fread(at, 1, 1 << 16, f)] = 0;
    fclose(f);
    file_change("PRAGMA journal_mode = WAL");
    file_change((const char *)at);
}

static int open_store(bool writer, struct sw_err *err)
{
    struct sw_store *store = NULL;
    int r = ops->open(place, writer, &store, err);
    if (r == 0)
        ops->close(store);
    return r;
}

/* ---- the tests ---- */

static void test_a_migrated_schema_is_that_of_a_new_store(void **state)
{
    (void)state;
    struct sw_err err;
    assert_int_equal(open_store(true, &err), 0);
    AUTO(sw_text) char *new = schema_text();
    place_remove(NULL);
    assert_int_equal(place_make(NULL), 0);
    make_schema_1();
    assert_int_equal(open_store(true, &err), 0);
    AUTO(sw_text) char *migrated = schema_text();
    assert_string_equal(migrated, new);
}

static void test_all_rows_of_schema_1_are_there(void **state)
{
    (void)state;
    make_schema_1();
    AUTO(sw_text) char *before = file_text(all_rows);
    uint32_t epoch;
    ops->close(open_writer(&epoch));
    assert_int_equal(epoch, 42);
    AUTO(sw_text) char *after = file_text(all_rows);
    assert_true(strlen(before) > 6000);
    assert_string_equal(after, before);
    assert_null(sqlite_damage(place));
}

static void test_a_migrated_store_does_its_work(void **state)
{
    (void)state;
    make_schema_1();
    struct sw_store *store = open_writer(NULL);
    struct seen seen = {0};
    list_jobs(store, &seen, (struct sw_job_query){.ended = true});
    ASSERT_IDS(&seen, 4, 5, 3); /* by an index that schema 1 did not have */
    seen = (struct seen){0};
    list_jobs(store, &seen, (struct sw_job_query){.unfinished = true});
    ASSERT_IDS(&seen, 1, 2);
    seen = (struct seen){0};
    assert_int_equal(ops->job_by_key(store, "token-1:second", see, &seen), 0);
    ASSERT_IDS(&seen, 3);
    seen = (struct seen){0};
    assert_int_equal(ops->chunks(store, 2, 0, 0, see, &seen), 0);
    ASSERT_IDS(&seen, 0, 1, 4294967295);
    uint64_t last = 0;
    assert_int_equal(ops->last_job(store, &last), 0);
    assert_int_equal(last, 9);
    struct sw_row rows[] = {job_row(10, 0, "hash", 0),
                            chunk_row(1, 0),
                            {.kind = SW_ROW_FORGET, .of.job.job = 5}}; /* in pieces: `gone` */
    commit_ok(store, rows, SW_COUNT(rows));
    bool more = true;
    struct sw_err err;
    while (more)
        assert_int_equal(ops->tidy(store, &more, &err), 0);
    seen = (struct seen){0};
    list_jobs(store, &seen, (struct sw_job_query){0});
    ASSERT_IDS(&seen, 10, 4, 3, 2, 1);
    ops->close(store);
    AUTO(sw_text)
    char *left = file_text((const char *const[]){"SELECT count(*) FROM chunk WHERE job = 5",
                                                 "SELECT count(*) FROM gone", NULL});
    assert_string_equal(left, "0\n0\n");
}

static void test_a_reader_migrates_nothing(void **state)
{
    (void)state;
    make_schema_1();
    struct sw_err err = {""};
    assert_int_equal(open_store(false, &err), -EAGAIN);
    assert_non_null(strstr(err.text, "the broker migrates it"));
    assert_int_equal(file_version(), 1);
}

/* ---- writes: SQLite calls these, which stop at a chosen one ---- */

enum stop { NEVER, KILL_BEFORE, KILL_AFTER, FAIL };
static enum stop stop;
static unsigned writes, stop_at;

static bool stops_at_this(void)
{
    if (stop == NEVER || ++writes != stop_at)
        return false;
    if (stop == KILL_BEFORE)
        kill(getpid(), SIGKILL);
    return true;
}

static ssize_t write_at(int fd, const void *p, size_t size, off64_t at)
{
    bool is_it = stops_at_this();
    if (is_it && stop == FAIL) {
        errno = EIO;
        return -1;
    }
    ssize_t n = syscall(SYS_pwrite64, fd, p, is_it ? SW_MAX(size / 2, 1U) : size, at);
    if (is_it)
        kill(getpid(), SIGKILL); /* half of it is there */
    return n;
}

ssize_t pwrite(int fd, const void *p, size_t size, off_t at);
ssize_t pwrite64(int fd, const void *p, size_t size, off64_t at);

ssize_t pwrite64(int fd, const void *p, size_t size, off64_t at)
{
    return write_at(fd, p, size, at);
}

/* Opens it as a writer in a process of its own that stops at write number `at`; whether it came so
 * far. */
static bool stopped(enum stop how, unsigned at)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sw_err err = {""};
        stop = how;
        stop_at = at;
        int r = open_store(true, &err);
        _exit(r == 0 ? writes >= at : *err.text ? 3 : 4);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_true(how != FAIL && WTERMSIG(status) == SIGKILL);
        return true;
    }
    assert_int_not_equal(WEXITSTATUS(status), 4); /* without a word */
    return WEXITSTATUS(status) != 0;
}

/* One point: whether the migration was undone by what stopped it. The next writer makes it good. */
static bool stop_at_point(enum stop how, unsigned at)
{
    place_remove(NULL);
    assert_int_equal(place_make(NULL), 0);
    make_schema_1();
    AUTO(sw_text) char *before = file_text(all_rows);
    assert_true(stopped(how, at));
    bool undone = file_version() == 1;
    ops->close(open_writer(NULL));
    AUTO(sw_text) char *after = file_text(all_rows);
    assert_string_equal(after, before);
    assert_int_equal(file_version(), 2);
    assert_null(sqlite_damage(place));
    return undone;
}

/* Once it is committed, opening writes on: the log is filled, which is of no interest here. */
#define POINTS_AFTER 4

static void test_a_migration_that_stops_at_any_write_does_no_harm(void **state)
{
    (void)state;
    unsigned points = 0, undone = 0;
    for (enum stop how = KILL_BEFORE; how <= FAIL; how++) {
        unsigned first = points;
        for (unsigned at = 1, after = 0; after < POINTS_AFTER; at++, points++) {
            bool is_undone = stop_at_point(how, at);
            undone += is_undone;
            after = is_undone ? 0 : after + 1;
        }
        assert_true(points - first > POINTS_AFTER); /* it was hit */
    }
    print_message("# covered: %u points, %u migrations undone\n", points, undone);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest schema_tests[] = {
    CASE(test_a_migrated_schema_is_that_of_a_new_store),
    CASE(test_all_rows_of_schema_1_are_there),
    CASE(test_a_migrated_store_does_its_work),
    CASE(test_a_reader_migrates_nothing),
    CASE(test_a_migration_that_stops_at_any_write_does_no_harm),
};
const size_t n_schema_tests = SW_COUNT(schema_tests);
