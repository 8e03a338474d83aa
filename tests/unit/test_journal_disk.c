/* The journal against the real SQLite store, kill -9 included. */
#include "journal_turn.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[64];

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *ftw)
{
    (void)about;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int place_make(void **state)
{
    (void)state;
    strcpy(place, "/tmp/sw-journal.XXXXXX");
    return mkdtemp(place) ? 0 : -1;
}

static int place_remove(void **state)
{
    (void)state;
    nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static int count_row(void *arg, const struct sw_row *row)
{
    uint32_t *count = arg, k;
    memcpy(&k, row->of.chunk.body, sizeof k);
    assert_int_equal(row->of.chunk.chunk, *count); /* no hole */
    assert_int_equal(k, *count);
    ++*count;
    return 0;
}

static uint32_t count_rows(void)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    uint32_t count = 0;
    if (sw_store_sqlite.open(place, true, &store, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sw_store_sqlite.chunks(store, 1, 0, 0, count_row, &count), 0);
    sw_store_sqlite.close(store);
    return count;
}

static struct journal *sqlite_journal(void)
{
    struct journal *journal = NULL;
    struct sw_err err = {""};
    uint32_t epoch;
    if (journal_open(&sw_store_sqlite, place, &journal, &epoch, &err) < 0)
        fail_msg("%s", err.text);
    return journal;
}

static void test_rows_are_in_the_store_when_told(void **state)
{
    (void)state;
    struct journal *journal = sqlite_journal();
    assert_int_equal(sw_store_sqlite.meta_put(journal_store(journal), "token_key", "k", 1), 0);
    journal_start(journal);
    for (uint32_t k = 0; k < 20000; k++) {
        put(journal, k, k + 1, 64);
        if (k % 50 == 49)
            journal_flush(journal);
    }
    journal_flush(journal);
    wait_for(journal, 20000);
    struct sw_store *reader = NULL;
    uint32_t count = 0;
    assert_int_equal(sw_store_sqlite.open(place, false, &reader, NULL), 0);
    assert_int_equal(sw_store_sqlite.chunks(reader, 1, 0, 0, count_row, &count), 0);
    assert_int_equal(count, 20000);
    sw_store_sqlite.close(reader);
    assert_int_equal(journal_close(&journal, NULL), 0);
    assert_null(journal);
    assert_int_equal(journal_close(&journal, NULL), 0);
}

static int check_copy(void *arg, const struct sw_row *row)
{
    unsigned *found = arg;
    ++*found;
    switch (row->kind) {
    case SW_ROW_JOB:
        assert_string_equal(row->of.job.type, "hash");
        assert_string_equal(row->of.job.owner, "owner");
        assert_int_equal(row->of.job.body_size, 1);
        assert_memory_equal(row->of.job.body, "b", 1);
        return 0;
    case SW_ROW_ADD:
        assert_memory_equal(row->of.add.body, "hash", 4);
        return 0;
    case SW_ROW_DEVICE:
        assert_string_equal(row->of.device.device, "device");
        assert_memory_equal(row->of.device.body, "owner", 5);
        return 0;
    case SW_ROW_CHUNK:
    case SW_ROW_FORGET:
        break;
    }
    return -EINVAL;
}

static void test_every_kind_of_row_is_copied(void **state)
{
    (void)state;
    struct journal *journal = sqlite_journal();
    journal_start(journal);
    char text[4][8] = {"hash", "owner", "o:key", "device"};
    struct sw_row rows[] = {
        {.kind = SW_ROW_JOB,
         .of.job = {.job = 3,
                    .type = text[0],
                    .owner = text[1],
                    .key = text[2],
                    .body = "b",
                    .body_size = 1}},
        {.kind = SW_ROW_ADD, .of.add = {.job = 3, .body = text[0], .body_size = 4}},
        {.kind = SW_ROW_DEVICE, .of.device = {.device = text[3], .body = text[1], .body_size = 5}},
        {.kind = SW_ROW_FORGET, .of.job.job = 9},
    };
    for (size_t i = 0; i < SW_COUNT(rows); i++)
        journal_put(journal, &rows[i], i + 1);
    memset(text, 'x', sizeof text);
    assert_int_equal(journal_close(&journal, NULL), 0);
    struct sw_store *store = NULL;
    uint64_t last = 0;
    unsigned found = 0;
    assert_int_equal(sw_store_sqlite.open(place, true, &store, NULL), 0);
    assert_int_equal(sw_store_sqlite.job_by_key(store, "o:key", check_copy, &found), 0);
    assert_int_equal(sw_store_sqlite.adds(store, 3, check_copy, &found), 0);
    assert_int_equal(sw_store_sqlite.devices(store, check_copy, &found), 0);
    assert_int_equal(found, 3);
    assert_int_equal(sw_store_sqlite.last_job(store, &last), 0);
    assert_int_equal(last, 9); /* the FORGET */
    sw_store_sqlite.close(store);
}

static void test_close_commits_what_was_put(void **state)
{
    (void)state;
    struct journal *journal = sqlite_journal();
    journal_start(journal);
    for (uint32_t k = 0; k < 9000; k++)
        put(journal, k, k + 1, 32);
    assert_int_equal(journal_close(&journal, NULL), 0);
    assert_int_equal(count_rows(), 9000);
}

static void test_a_second_journal_is_refused(void **state)
{
    (void)state;
    struct journal *first = sqlite_journal(), *second = NULL;
    struct sw_err err = {""};
    uint32_t epoch;
    assert_int_equal(journal_open(&sw_store_sqlite, place, &second, &epoch, &err), -EBUSY);
    assert_non_null(strstr(err.text, "another broker"));
    assert_null(second);
    assert_int_equal(journal_close(&first, NULL), 0); /* never started */
}

/* ---- kill -9 ---- */

static int child(const char *where)
{
    struct journal *journal = NULL;
    uint32_t epoch, k = 0;
    uint64_t told;
    if (read(STDIN_FILENO, &k, sizeof k) != sizeof k ||
        journal_open(&sw_store_sqlite, where, &journal, &epoch, NULL) < 0)
        return 1;
    journal_start(journal);
    for (;;) {
        for (uint32_t i = 0, n = 1 + k % 37; i < n; i++, k++)
            put(journal, k, k + 1, 48);
        journal_flush(journal);
        if (journal_committed(journal, &told, NULL) < 0 ||
            write(STDOUT_FILENO, &told, sizeof told) != sizeof told)
            return 1;
        if (journal_full(journal)) /* the loop would poll */
            turn(journal, &told, NULL);
    }
}

static void test_kill_9_loses_nothing_told(void **state)
{
    (void)state;
    uint32_t there = 0;
    for (unsigned round = 0; round < 10; round++) {
        int to[2], from[2], status;
        assert_int_equal(pipe(to) | pipe(from), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            dup2(to[0], STDIN_FILENO);
            dup2(from[1], STDOUT_FILENO);
            closefrom(3);
            execl("/proc/self/exe", "test_journal_disk", "--child", place, (char *)NULL);
            _exit(127);
        }
        close(to[0]);
        close(from[1]);
        assert_int_equal(write(to[1], &there, sizeof there), sizeof there);
        uint64_t told = 0, seq;
        while (told < there + 200 * (round + 1) && read(from[0], &seq, sizeof seq) == sizeof seq)
            told = SW_MAX(told, seq);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(from[0], &seq, sizeof seq) == sizeof seq)
            told = SW_MAX(told, seq);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(to[1]);
        close(from[0]);
        there = count_rows();
        assert_true(there >= told);
    }
    print_message("# 10 kills, %u rows\n", there);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--child"))
        return child(argv[2]);
    const struct CMUnitTest tests[] = {
        CASE(test_rows_are_in_the_store_when_told), CASE(test_every_kind_of_row_is_copied),
        CASE(test_close_commits_what_was_put),      CASE(test_a_second_journal_is_refused),
        CASE(test_kill_9_loses_nothing_told),
    };
    return cmocka_run_group_tests_name("journal_disk", tests, NULL, NULL);
}
