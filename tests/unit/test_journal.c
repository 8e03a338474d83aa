/* The journal against a false store that waits at a gate and fails on demand. */
#include "journal_turn.h"

#include <semaphore.h>

static struct {
    sem_t gate;        /* each commit takes one */
    unsigned fails_at; /* this commit, counted from 1, fails; 0 = none */
    unsigned commits, closes;
    size_t sizes[64];
    uint32_t chunks[40000]; /* in the order committed */
    size_t n_chunks;
} false_store;

static int false_open(const char *where, bool writer, struct sw_store **ret, struct sw_err *err)
{
    (void)err;
    assert_true(writer);
    assert_string_equal(where, "false");
    *ret = (struct sw_store *)&false_store;
    return 0;
}

static void false_close(struct sw_store *store)
{
    (void)store;
    false_store.closes++;
}

static int false_claim(struct sw_store *store, uint32_t *ret_epoch, struct sw_err *err)
{
    (void)store;
    (void)err;
    *ret_epoch = 7;
    return 0;
}

static int
false_commit(struct sw_store *store, const struct sw_row *rows, size_t n, struct sw_err *err)
{
    (void)store;
    while (sem_wait(&false_store.gate) < 0)
        ;
    false_store.sizes[false_store.commits++] = n;
    if (false_store.commits == false_store.fails_at)
        return sw_fail(err, EIO, "the disk is gone");
    for (size_t i = 0; i < n; i++)
        false_store.chunks[false_store.n_chunks++] = rows[i].of.chunk.chunk;
    return 0;
}

static const struct sw_store_ops false_ops = {
    .open = false_open, .close = false_close, .claim = false_claim, .commit = false_commit};

static struct journal *false_journal(unsigned fails_at)
{
    struct journal *journal = NULL;
    uint32_t epoch = 0;
    memset(&false_store, 0, sizeof false_store);
    sem_init(&false_store.gate, 0, 0);
    false_store.fails_at = fails_at;
    assert_int_equal(journal_open(&false_ops, "false", &journal, &epoch, NULL), 0);
    assert_int_equal(epoch, 7);
    journal_start(journal);
    return journal;
}

static void let_commit(unsigned n)
{
    while (n--)
        sem_post(&false_store.gate);
}

static void test_nothing_is_told_before_its_commit(void **state)
{
    (void)state;
    struct journal *journal = false_journal(0);
    uint64_t told = 99;
    put(journal, 0, 41, 8);
    journal_flush(journal);
    put(journal, 1, 42, 8);
    journal_flush(journal);
    assert_int_equal(journal_committed(journal, &told, NULL), 0);
    assert_int_equal(told, 0);
    let_commit(1);
    assert_int_equal(turn(journal, &told, NULL), 0);
    assert_int_equal(told, 41);
    let_commit(1);
    assert_int_equal(turn(journal, &told, NULL), 0);
    assert_int_equal(told, 42);
    journal_close(&journal, NULL);
}

static void test_what_arrives_during_a_commit_is_one_batch(void **state)
{
    (void)state;
    struct journal *journal = false_journal(0);
    for (uint32_t k = 0; k < 101; k++) {
        put(journal, k, k + 1, 8);
        journal_flush(journal);
    }
    let_commit(2);
    wait_for(journal, 101);
    assert_int_equal(false_store.commits, 2);
    assert_int_equal(false_store.sizes[0], 1);
    assert_int_equal(false_store.sizes[1], 100);
    for (uint32_t k = 0; k < 101; k++)
        assert_int_equal(false_store.chunks[k], k);
    journal_close(&journal, NULL);
    assert_int_equal(false_store.closes, 1);
}

static void test_batches_are_bounded_and_full_is_said(void **state)
{
    (void)state;
    struct journal *journal = false_journal(0);
    uint32_t k = 1;
    put(journal, 0, 1, 8);
    journal_flush(journal);
    for (; k < 1 + 2 * JOURNAL_ROWS_MAX; k++)
        put(journal, k, k, 8);
    assert_false(journal_full(journal)); /* one waits, the other may still grow */
    put(journal, k, k, 8);
    k++;
    assert_true(journal_full(journal));
    for (unsigned i = 0; i < 9; i++, k++)
        put(journal, k, k, 1 << 20); /* full is no refusal; here the bytes cut the batch */
    let_commit(1);
    uint64_t told;
    turn(journal, &told, NULL);
    assert_true(journal_full(journal)); /* the batch that the bytes cut came behind */
    let_commit(10);
    wait_for(journal, k - 1);
    assert_false(journal_full(journal));
    static const size_t sizes[] = {1, JOURNAL_ROWS_MAX, JOURNAL_ROWS_MAX, 8, 2};
    assert_int_equal(false_store.commits, SW_COUNT(sizes));
    for (size_t i = 0; i < SW_COUNT(sizes); i++)
        assert_int_equal(false_store.sizes[i], sizes[i]);
    journal_close(&journal, NULL);
}

static void test_a_seq_cut_in_two_is_told_whole(void **state)
{
    (void)state;
    struct journal *journal = false_journal(0);
    put(journal, 0, 5, 8);
    for (uint32_t k = 1; k < 2 * JOURNAL_ROWS_MAX + 10; k++)
        put(journal, k, 6, 8);
    uint64_t told;
    for (int i = 0; i < 2; i++) {
        let_commit(1);
        assert_int_equal(turn(journal, &told, NULL), 0);
        assert_int_equal(told, 5);
    }
    let_commit(1);
    wait_for(journal, 6);
    journal_close(&journal, NULL);
}

static void test_after_a_failure_nothing_more_is_committed(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        struct journal *journal = false_journal(n);
        struct sw_err err = {""};
        uint64_t told = 0;
        int r = 0;
        let_commit(20);
        for (uint32_t k = 0; k < 6; k++) {
            put(journal, k, k + 1, 8);
            journal_flush(journal);
            r = turn(journal, &told, &err);
            assert_int_equal(r, k + 1 < n ? 0 : -EIO);
        }
        assert_int_equal(told, n - 1);
        assert_string_equal(err.text, "the disk is gone");
        put(journal, 9, 9, 8);
        err.text[0] = '\0';
        assert_int_equal(journal_close(&journal, &err), -EIO);
        assert_string_equal(err.text, "the disk is gone");
        assert_int_equal(false_store.commits, n);
        assert_int_equal(false_store.closes, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_told_before_its_commit),
        cmocka_unit_test(test_what_arrives_during_a_commit_is_one_batch),
        cmocka_unit_test(test_batches_are_bounded_and_full_is_said),
        cmocka_unit_test(test_a_seq_cut_in_two_is_told_whole),
        cmocka_unit_test(test_after_a_failure_nothing_more_is_committed),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
