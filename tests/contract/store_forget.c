/* The contract's part on forgetting large jobs: unknown at once, gone in pieces, whatever comes in
 * between. */
#include "store_contract.h"

#include "base/clock.h"

#include <sqlite3.h>
#include <stdio.h>

#define CHUNKS   20000 /* the stand-in for MongoDB writes 1,000 a second */
#define FEW      2000
#define ADDS     200
#define BATCH    1000
#define PIECE_MS INT64_C(100)

static void put_large_job(struct sw_store *store, uint64_t job)
{
    struct sw_row rows[BATCH] = {job_row(job, 1, "hash", 1)};
    commit_ok(store, rows, 1);
    for (uint32_t k = 0; k < (is_sqlite() ? CHUNKS : FEW); k += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++)
            rows[i] = chunk_row(job, k + i);
        commit_ok(store, rows, BATCH);
    }
    for (uint32_t i = 0; i < ADDS; i++)
        rows[i] = add_row(job, i);
    commit_ok(store, rows, ADDS);
}

static void assert_unknown(struct sw_store *store, uint64_t job)
{
    struct seen seen = {0};
    uint64_t last = 0;
    assert_int_equal(ops->job(store, job, see, &seen), 0);
    assert_int_equal(ops->adds(store, job, see, &seen), 0);
    assert_int_equal(ops->chunks(store, job, 0, 1, see, &seen), 0);
    assert_int_equal(seen.n, 0);
    list_jobs(store, &seen, (struct sw_job_query){0});
    ASSERT_IDS(&seen, 2);
    assert_int_equal(ops->last_job(store, &last), 0);
    assert_int_equal(last, job);
}

/* Rows that nobody sees and that are still on the disk; -1 where only the store itself can say. */
static int64_t rows_left(void)
{
    char path[4200];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t n = -1;
    if (!is_sqlite())
        return -1;
    snprintf(path, sizeof path, "%s/store.sqlite", place);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db,
                           "SELECT (SELECT count(*) FROM chunk WHERE job = 9) + "
                           "(SELECT count(*) FROM job_add WHERE job = 9)",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static void test_a_large_job_goes_in_pieces(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row other[] = {job_row(2, 1, "hash", 0), chunk_row(2, 4)};
    struct sw_row forget = {.kind = SW_ROW_FORGET, .of.job.job = 9};
    put_large_job(store, 9);
    commit_ok(store, other, 2);
    int64_t begin = sw_boot_ms(), slowest = 0, before = rows_left();
    commit_ok(store, &forget, 1);
    slowest = sw_boot_ms() - begin;
    assert_unknown(store, 9);
    bool more = ops->tidy != NULL;
    if (is_sqlite())
        assert_in_range(rows_left(), CHUNKS / 2, CHUNKS + ADDS);
    unsigned pieces = 0;
    while (more) {
        begin = sw_boot_ms();
        assert_int_equal(ops->tidy(store, &more, NULL), 0);
        slowest = SW_MAX(slowest, sw_boot_ms() - begin);
        assert_unknown(store, 9);
        assert_true(rows_left() < before); /* each takes some away */
        before = rows_left();
        ops->close(store); /* anywhere: the next one goes on */
        store = open_writer(NULL);
        assert_unknown(store, 9);
        other[1].of.chunk.chunk = ++pieces + 4; /* others are not held up */
        commit_ok(store, &other[1], 1);
    }
    print_message("# %u pieces, the slowest %jd ms\n", pieces, (intmax_t)slowest);
    if (is_sqlite()) {
        assert_in_range(pieces, 2, 100);
        assert_true(slowest < PIECE_MS * 3); /* of a busy machine */
        assert_int_equal(rows_left(), 0);
    }
    struct seen seen = {0};
    assert_int_equal(ops->chunks(store, 2, 0, 0, see, &seen), 0);
    assert_int_equal(seen.n, 1 + pieces);
    ops->close(store);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest forget_tests[] = {
    CASE(test_a_large_job_goes_in_pieces),
};
const size_t n_forget_tests = SW_COUNT(forget_tests);
