/* The contract's second part: listings, their order, filters and pages. */
#include "store_contract.h"

void list_jobs(struct sw_store *store, struct seen *seen, struct sw_job_query query)
{
    *seen = (struct seen){0};
    assert_int_equal(ops->jobs(store, &query, see, seen), 0);
}

static void test_job_listings(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row rows[] = {job_row(1, 1, "hash", 10), job_row(2, 2, "compress", 0),
                            job_row(30, 4, "hash", 0), job_row(400, 31, "hash", 20),
                            job_row(5000, 2, "hash", 0)};
    commit_ok(store, rows, SW_COUNT(rows));
    struct seen seen;
    list_jobs(store, &seen, (struct sw_job_query){0});
    ASSERT_IDS(&seen, 5000, 400, 30, 2, 1);
    list_jobs(store, &seen, (struct sw_job_query){.limit = 2});
    ASSERT_IDS(&seen, 5000, 400);
    list_jobs(store, &seen, (struct sw_job_query){.limit = 2, .before = 400});
    ASSERT_IDS(&seen, 30, 2);
    list_jobs(store, &seen, (struct sw_job_query){.limit = 2, .before = 1});
    assert_int_equal(seen.n, 0);
    list_jobs(store, &seen, (struct sw_job_query){.status_mask = 1u << 2});
    ASSERT_IDS(&seen, 5000, 2);
    list_jobs(store, &seen, (struct sw_job_query){.status_mask = 1u << 1 | 1u << 31});
    ASSERT_IDS(&seen, 400, 1);
    list_jobs(store, &seen, (struct sw_job_query){.type = "hash", .status_mask = 1u << 2});
    ASSERT_IDS(&seen, 5000);
    list_jobs(store, &seen, (struct sw_job_query){.type = "filter"});
    assert_int_equal(seen.n, 0);
    list_jobs(store, &seen, (struct sw_job_query){.unfinished = true});
    ASSERT_IDS(&seen, 2, 30, 5000);
    list_jobs(store, &seen, (struct sw_job_query){.unfinished = true, .before = 2, .limit = 1});
    ASSERT_IDS(&seen, 30);
    list_jobs(store, &seen, (struct sw_job_query){.unfinished = true, .type = "hash"});
    ASSERT_IDS(&seen, 30, 5000);
    list_jobs(store, &seen, (struct sw_job_query){.ended = true});
    ASSERT_IDS(&seen, 1, 400);
    rows[2].of.job.final_ms = 5;
    commit_ok(store, &rows[2], 1);
    list_jobs(store, &seen, (struct sw_job_query){.ended = true});
    ASSERT_IDS(&seen, 30, 1, 400);
    list_jobs(store, &seen, (struct sw_job_query){.ended = true, .limit = 2});
    ASSERT_IDS(&seen, 30, 1);
    rows[2].of.job.final_ms = 30;
    commit_ok(store, &rows[2], 1);
    list_jobs(store, &seen, (struct sw_job_query){.unfinished = true});
    ASSERT_IDS(&seen, 2, 5000);
    ops->close(store);
}

static void test_pieces_of_a_job_by_pages(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row rows[] = {chunk_row(2, 0), chunk_row(1, 7), chunk_row(1, 300), chunk_row(1, 2),
                            add_row(1, 1),   add_row(1, 0),   add_row(2, 0)};
    commit_ok(store, rows, SW_COUNT(rows));
    struct seen seen = {0};
    assert_int_equal(ops->chunks(store, 1, 0, 0, see, &seen), 0);
    ASSERT_IDS(&seen, 2, 7, 300);
    seen = (struct seen){0};
    assert_int_equal(ops->chunks(store, 1, 3, 1, see, &seen), 0);
    ASSERT_IDS(&seen, 7);
    seen = (struct seen){0};
    assert_int_equal(ops->chunks(store, 1, 301, 5, see, &seen), 0);
    assert_int_equal(seen.n, 0);
    seen = (struct seen){0};
    assert_int_equal(ops->adds(store, 1, see, &seen), 0);
    ASSERT_IDS(&seen, 0, 1);
    seen = (struct seen){.stop_at = 2};
    assert_int_equal(ops->chunks(store, 1, 0, 0, see, &seen), 77);
    ASSERT_IDS(&seen, 2, 7);
    ops->close(store);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest list_tests[] = {
    CASE(test_job_listings),
    CASE(test_pieces_of_a_job_by_pages),
};
const size_t n_list_tests = SW_COUNT(list_tests);
