/* The contract's first part: what is put comes back, replaced, forgotten, in the order of its
 * batch. */
#include "store_contract.h"

#include <errno.h>
#include <string.h>

static void test_every_column_comes_back(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row rows[] = {
        {.kind = SW_ROW_JOB,
         .of.job = {(1ull << 53) - 1, 5, "compress", "t1", "t1:a'b", 1790000000123, 1ull << 40,
                    row_bytes, 5}},
        {.kind = SW_ROW_ADD, .of.add = {7, UINT32_MAX, row_bytes, 5}},
        {.kind = SW_ROW_CHUNK, .of.chunk = {7, UINT32_MAX, 3, 2, 4, row_bytes, 5}},
        {.kind = SW_ROW_DEVICE, .of.device = {"dev-1; drop table job", row_bytes, 5}},
    };
    commit_ok(store, rows, 4);
    struct seen seen = {0};
    assert_int_equal(ops->job(store, (1ull << 53) - 1, see, &seen), 0);
    const struct sw_job_row *got = &seen.last.of.job;
    assert_int_equal(seen.n, 1);
    assert_int_equal(got->job, (1ull << 53) - 1);
    assert_int_equal(got->status, 5);
    assert_string_equal(got->type, "compress");
    assert_string_equal(got->owner, "t1");
    assert_string_equal(got->key, "t1:a'b");
    assert_int_equal(got->final_ms, 1790000000123);
    assert_int_equal(got->bytes, 1ull << 40);
    assert_int_equal(seen.body_size, 5);
    assert_memory_equal(seen.body, row_bytes, 5);

    seen = (struct seen){0};
    assert_int_equal(ops->adds(store, 7, see, &seen), 0);
    ASSERT_IDS(&seen, UINT32_MAX);
    assert_int_equal(seen.last.of.add.job, 7);
    assert_memory_equal(seen.body, row_bytes, 5);

    seen = (struct seen){0};
    assert_int_equal(ops->chunks(store, 7, 0, 10, see, &seen), 0);
    ASSERT_IDS(&seen, UINT32_MAX);
    const struct sw_chunk_row *got_chunk = &seen.last.of.chunk;
    assert_int_equal(got_chunk->job, 7);
    assert_int_equal(got_chunk->state, 3);
    assert_int_equal(got_chunk->attempts, 2);
    assert_int_equal(got_chunk->losses, 4);
    assert_memory_equal(seen.body, row_bytes, 5);

    seen = (struct seen){0};
    assert_int_equal(ops->devices(store, see, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_string_equal(seen.last.of.device.device, "dev-1; drop table job");
    assert_memory_equal(seen.body, row_bytes, 5);
    ops->close(store);
}

static void test_what_is_not_there_is_no_error(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct seen seen = {0};
    struct sw_buf buf = {0};
    uint64_t last = 9;
    struct sw_job_query all = {0};
    commit_ok(store, NULL, 0);
    assert_int_equal(ops->job(store, 1, see, &seen), 0);
    assert_int_equal(ops->job_by_key(store, "", see, &seen), 0);
    assert_int_equal(ops->job_by_key(store, "t:k", see, &seen), 0);
    assert_int_equal(ops->jobs(store, &all, see, &seen), 0);
    assert_int_equal(ops->adds(store, 1, see, &seen), 0);
    assert_int_equal(ops->chunks(store, 1, 0, 0, see, &seen), 0);
    assert_int_equal(ops->devices(store, see, &seen), 0);
    assert_int_equal(seen.n, 0);
    assert_int_equal(ops->meta_get(store, "token_key", &buf), 0);
    assert_int_equal(buf.size, 0);
    assert_int_equal(ops->last_job(store, &last), 0);
    assert_int_equal(last, 0);
    struct sw_row forget = {.kind = SW_ROW_FORGET, .of.job.job = 5};
    commit_ok(store, &forget, 1);
    sw_buf_done(&buf);
    ops->close(store);
}

static void test_a_second_put_replaces(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row before[] = {job_row(1, 0, "hash", 0), add_row(1, 0), chunk_row(1, 0),
                              device_row("a", "old"), device_row("b", "kept")};
    struct sw_row after[] = {job_row(1, 4, "hash", 99), add_row(1, 0), chunk_row(1, 0),
                             device_row("a", "new")};
    after[1].of.add.body_size = 1;
    after[2].of.chunk.attempts = 2;
    commit_ok(store, before, SW_COUNT(before));
    commit_ok(store, after, SW_COUNT(after));
    struct seen seen = {0};
    ops->job(store, 1, see, &seen);
    ASSERT_IDS(&seen, 1);
    assert_int_equal(seen.last.of.job.status, 4);
    assert_int_equal(seen.last.of.job.final_ms, 99);
    seen = (struct seen){0};
    ops->adds(store, 1, see, &seen);
    ASSERT_IDS(&seen, 0);
    assert_int_equal(seen.body_size, 1);
    seen = (struct seen){0};
    ops->chunks(store, 1, 0, 0, see, &seen);
    ASSERT_IDS(&seen, 0);
    assert_int_equal(seen.last.of.chunk.attempts, 2);
    seen = (struct seen){.stop_at = 1};
    assert_int_equal(ops->devices(store, see, &seen), 77); /* ascending: `a` first */
    assert_string_equal(seen.last.of.device.device, "a");
    assert_memory_equal(seen.body, "new", 3);
    ops->close(store);
}

static void test_rows_of_a_batch_are_written_in_order(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row rows[] = {job_row(1, 1, "hash", 0),
                            chunk_row(1, 0),
                            {.kind = SW_ROW_FORGET, .of.job.job = 1},
                            job_row(1, 2, "hash", 0),
                            job_row(1, 3, "hash", 0)};
    commit_ok(store, rows, SW_COUNT(rows));
    struct seen seen = {0};
    ops->job(store, 1, see, &seen);
    ASSERT_IDS(&seen, 1);
    assert_int_equal(seen.last.of.job.status, 3);
    seen = (struct seen){0};
    ops->chunks(store, 1, 0, 0, see, &seen);
    assert_int_equal(seen.n, 0);
    ops->close(store);
}

static void test_an_idempotency_key_is_one_job(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row first = job_row(1, 1, "hash", 0), second = job_row(2, 1, "hash", 0);
    first.of.job.key = second.of.job.key = "t:k";
    struct sw_row others[] = {job_row(3, 1, "hash", 0),
                              job_row(4, 1, "hash", 0)}; /* "" is no key */
    commit_ok(store, &first, 1);
    commit_ok(store, &first, 1);
    commit_ok(store, others, 2);
    struct seen seen = {0};
    assert_int_equal(ops->job_by_key(store, "t:k", see, &seen), 0);
    ASSERT_IDS(&seen, 1);
    struct sw_err err = {""};
    assert_int_equal(ops->commit(store, &second, 1, &err), -EEXIST);
    assert_true(*err.text);
    /* after a failure the handle is given up, whatever failed */
    assert_true(ops->commit(store, others, 1, &err) < 0);
    assert_true(*err.text);
    assert_true(ops->meta_put(store, "x", "y", 1) < 0);
    ops->close(store);
    store = open_writer(NULL);
    list_jobs(store, &seen, (struct sw_job_query){0});
    ASSERT_IDS(&seen, 4, 3, 1);
    ops->close(store);
}

static void test_forget_takes_all_and_keeps_the_id(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_row rows[] = {job_row(1, 1, "hash", 1), job_row(2, 1, "hash", 1),
                            job_row(9, 1, "hash", 1), add_row(9, 0),
                            chunk_row(9, 0),          chunk_row(2, 4)};
    struct sw_row forget[] = {{.kind = SW_ROW_FORGET, .of.job.job = 9},
                              {.kind = SW_ROW_FORGET, .of.job.job = 1}};
    commit_ok(store, rows, SW_COUNT(rows));
    uint64_t last = 0;
    assert_int_equal(ops->last_job(store, &last), 0);
    assert_int_equal(last, 9);
    commit_ok(store, forget, 2);
    for (int again = 0; again < 2; again++) {
        struct seen seen;
        list_jobs(store, &seen, (struct sw_job_query){0});
        ASSERT_IDS(&seen, 2);
        seen = (struct seen){0};
        ops->adds(store, 9, see, &seen);
        ops->chunks(store, 9, 0, 0, see, &seen);
        assert_int_equal(seen.n, 0);
        ops->chunks(store, 2, 0, 0, see, &seen);
        ASSERT_IDS(&seen, 4);
        assert_int_equal(ops->last_job(store, &last), 0);
        assert_int_equal(last, 9);
        ops->close(store);
        store = open_writer(NULL);
    }
    ops->close(store);
}

static void test_meta_is_replaced_and_stays(void **state)
{
    (void)state;
    struct sw_store *store = open_writer(NULL);
    struct sw_buf buf = {0};
    assert_int_equal(ops->meta_put(store, "token_key", "0123", 4), 0);
    assert_int_equal(ops->meta_put(store, "token_key", "45\0", 3), 0);
    assert_int_equal(ops->meta_put(store, "empty", NULL, 0), 0);
    ops->close(store);
    store = open_writer(NULL);
    sw_buf_text(&buf, "what was there before");
    assert_int_equal(ops->meta_get(store, "token_key", &buf), 0);
    assert_int_equal(buf.size, 3);
    assert_memory_equal(buf.data, "45\0", 3);
    assert_int_equal(ops->meta_get(store, "store_epoch", &buf), 0);
    assert_int_equal(buf.size, 0);
    sw_buf_done(&buf);
    ops->close(store);
}

static void test_a_copy_goes_on_where_its_original_was(void **state)
{
    (void)state;
    uint32_t asked[] = {41, 7, 42, 0}, got[] = {41, 42, 43, 44}, found = 9;
    struct sw_err err = {""};
    for (size_t i = 0; i < SW_COUNT(asked); i++) {
        struct sw_store *store = NULL;
        uint32_t epoch = asked[i];
        assert_int_equal(ops->open(place, true, &store, &err), 0);
        assert_int_equal(ops->epoch(store, &found), 0);
        assert_int_equal(found, i ? got[i - 1] : 0);
        assert_int_equal(ops->claim(store, &epoch, &err), 0);
        assert_int_equal(epoch, got[i]);
        struct sw_row row = job_row(i + 1, 0, "hash", 0);
        commit_ok(store, &row, 1);
        struct sw_store *reader = open_reader();
        assert_int_equal(ops->epoch(reader, &found), 0);
        assert_int_equal(found, got[i]);
        ops->close(reader);
        ops->close(store);
    }
}

/* Whoever chooses a key chooses its bytes. */
static void test_a_key_is_any_bytes(void **state)
{
    (void)state;
    static const char key[] = "t:\xff\xfe\xc3";
    struct sw_store *store = open_writer(NULL);
    struct sw_row row = job_row(1, 1, "hash", 0);
    row.of.job.key = key;
    row.of.job.owner = "\xe2\x82";
    commit_ok(store, &row, 1);
    struct seen seen = {0};
    assert_int_equal(ops->job_by_key(store, key, see, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_string_equal(seen.last.of.job.key, key);
    assert_string_equal(seen.last.of.job.owner, "\xe2\x82");
    ops->close(store);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest row_tests[] = {
    CASE(test_a_key_is_any_bytes),
    CASE(test_every_column_comes_back),
    CASE(test_what_is_not_there_is_no_error),
    CASE(test_a_second_put_replaces),
    CASE(test_rows_of_a_batch_are_written_in_order),
    CASE(test_an_idempotency_key_is_one_job),
    CASE(test_forget_takes_all_and_keeps_the_id),
    CASE(test_meta_is_replaced_and_stays),
    CASE(test_a_copy_goes_on_where_its_original_was),
};
const size_t n_row_tests = SW_COUNT(row_tests);
