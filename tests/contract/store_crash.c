/* The contract's second part: writers that fence each other, readers beside a writer, walks of any
 * length in flat memory, and kill -9 in the middle of commits. */
#include "store_contract.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What it takes to make this store believe that its writer is gone, as a successor would after a
 * stall. */
static void lose_the_lock(void)
{
#ifdef SW_WITH_MONGODB
    if (!is_sqlite()) {
        mongodb_let_the_lease_go();
        return;
    }
#endif
    char path[4200];
    snprintf(path, sizeof path, "%s/store.lock", place);
    assert_int_equal(unlink(path), 0);
}

/* A store without a lock of the system's finds out when it renews its lease. */
static void await_the_loss(struct sw_store *store)
{
    struct sw_err err = {""};
    for (int i = 0; ops->still_writer && i < 1000; i++) {
        if (ops->still_writer(store, &err) == -ESTALE)
            return;
        poll(NULL, 0, 10);
    }
    assert_null(ops->still_writer);
}

static void test_a_second_writer_is_refused(void **state)
{
    (void)state;
    struct sw_store *first = open_writer(NULL), *second = NULL;
    struct sw_err err = {""};
    uint32_t epoch = 0;
    uint8_t body[8];
    assert_int_equal(ops->open(place, true, &second, &err), 0);
    assert_int_equal(ops->claim(second, &epoch, &err), -EBUSY);
    assert_true(strlen(err.text) > 10);
    print_message("# the words: %s\n", err.text);
    struct sw_row row = numbered(0, body, sizeof body);
    commit_ok(first, &row, 1); /* the first one is none the worse */
    ops->close(first);
    assert_int_equal(ops->claim(second, &epoch, &err), 0); /* free again */
    row = numbered(1, body, sizeof body);
    commit_ok(second, &row, 1);
    ops->close(second);
}

static void test_epochs_rise(void **state)
{
    (void)state;
    uint32_t before = 0, epoch;
    for (int i = 0; i < 4; i++) {
        struct sw_store *store = open_writer(&epoch);
        assert_true(epoch == before + 1);
        before = epoch;
        ops->close(store);
    }
}

static void test_after_a_takeover_the_old_one_is_fenced(void **state)
{
    (void)state;
    uint32_t old_epoch, new_epoch;
    uint8_t body[8];
    struct sw_store *old = open_writer(&old_epoch);
    struct sw_row row = numbered(0, body, sizeof body);
    commit_ok(old, &row, 1);
    lose_the_lock();
    struct sw_store *new = open_writer(&new_epoch);
    assert_true(new_epoch > old_epoch);
    await_the_loss(old);
    row = numbered(1, body, sizeof body);
    struct sw_err err = {""};
    assert_int_equal(ops->commit(old, &row, 1, &err), -ESTALE);
    assert_true(*err.text);
    struct seen seen = {0};
    assert_int_equal(ops->chunks(new, 1, 0, 0, see, &seen), 0);
    assert_int_equal(seen.n, 1);
    commit_ok(new, &row, 1);
    ops->close(old);
    ops->close(new);
}

static void test_a_reader_sees_what_is_committed(void **state)
{
    (void)state;
    struct sw_store *reader = NULL;
    struct sw_err err = {""};
    assert_true(ops->open(place, false, &reader, &err) < 0); /* reading makes nothing */
    assert_true(*err.text);
    struct sw_store *writer = open_writer(NULL);
    reader = open_reader();
    for (uint32_t k = 0; k < 20; k++) {
        uint8_t body[8];
        struct sw_row row = numbered(k, body, sizeof body);
        struct seen seen = {0};
        commit_ok(writer, &row, 1);
        assert_int_equal(ops->chunks(reader, 1, 0, 0, see, &seen), 0);
        assert_int_equal(seen.n, k + 1);
    }
    ops->close(writer);
    ops->close(reader);
}

static long resident_kib(void)
{
    long pages = 0, all;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A stand-in for a server writes some thousand rows a second; sizes follow. */
#define STREAM_ROWS  (is_sqlite() ? 100000u : 20000u)
#define STREAM_BYTES 400    /* 40 MB in all */
#ifdef __SANITIZE_ADDRESS__ /* what is freed waits in its quarantine */
#define FLAT_KIB 262144
#else
#define FLAT_KIB 12288
#endif

struct stream {
    uint32_t next;
    long first_kib, most_kib;
};

static int stream_row(void *arg, const struct sw_row *row)
{
    struct stream *stream = arg;
    uint8_t body[NUMBERED_MAX];
    struct sw_row expected = numbered(stream->next, body, STREAM_BYTES);
    assert_int_equal(row->of.chunk.chunk, stream->next);
    assert_int_equal(row->of.chunk.body_size, STREAM_BYTES);
    assert_memory_equal(row->of.chunk.body, expected.of.chunk.body, STREAM_BYTES);
    if (++stream->next == 1000)
        stream->first_kib = resident_kib();
    if (stream->next % 5000 == 0)
        stream->most_kib = SW_MAX(stream->most_kib, resident_kib());
    return 0;
}

static void test_a_long_walk_takes_no_memory(void **state)
{
    (void)state;
    static struct sw_row rows[1000];
    static uint8_t bodies[1000][STREAM_BYTES];
    struct sw_store *store = open_writer(NULL);
    for (uint32_t k = 0; k < STREAM_ROWS; k++) {
        rows[k % 1000] = numbered(k, bodies[k % 1000], STREAM_BYTES);
        if (k % 1000 == 999)
            commit_ok(store, rows, 1000);
    }
    struct sw_store *reader = open_reader();
    struct stream stream = {0};
    assert_int_equal(ops->chunks(reader, 1, 0, 0, stream_row, &stream), 0);
    assert_int_equal(stream.next, STREAM_ROWS);
    print_message("# %ld KiB more after %u rows of %d bytes\n", stream.most_kib - stream.first_kib,
                  STREAM_ROWS, STREAM_BYTES);
    assert_true(stream.most_kib - stream.first_kib < FLAT_KIB);
    ops->close(reader);
    ops->close(store);
}

/* ---- kill -9 ---- */

#define KILLS     (is_sqlite() ? 20u : 8u)
#define BATCH_MAX 64

int crash_child(const char *where)
{
    static struct sw_row rows[BATCH_MAX];
    static uint8_t bodies[BATCH_MAX][NUMBERED_MAX];
    struct sw_store *store = NULL;
    struct sw_err err;
    uint32_t epoch = 0, k = 0;
    if (ops->open(where, true, &store, &err) < 0 || ops->claim(store, &epoch, &err) < 0) {
        fprintf(stderr, "child: %s\n", err.text);
        return 1;
    }
    if (read(STDIN_FILENO, &k, sizeof k) != sizeof k)
        return 1;
    for (;;) {
        size_t n = 1 + k * 7 % BATCH_MAX;
        for (size_t i = 0; i < n; i++)
            rows[i] = numbered(k + (uint32_t)i, bodies[i], NUMBERED_MAX);
        if (ops->commit(store, rows, n, &err) < 0) {
            fprintf(stderr, "child: %s\n", err.text);
            return 1;
        }
        k += (uint32_t)n;
        if (write(STDOUT_FILENO, &k, sizeof k) != sizeof k)
            return 1;
    }
}

struct child {
    pid_t pid;
    int to, from;
};

static void child_start(struct child *child)
{
    int to[2], from[2];
    assert_int_equal(pipe(to) | pipe(from), 0);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execl("/proc/self/exe", "store_contract", "--crash-child", place, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    child->to = to[1];
    child->from = from[0];
}

/* Lets the child commit `acks` times, then kills it wherever it is; returns the highest count it
 * told. */
static uint32_t child_kill(struct child *child, uint32_t from, unsigned acks)
{
    uint32_t count = from, told;
    assert_int_equal(write(child->to, &from, sizeof from), sizeof from);
    for (unsigned i = 0; i < acks; i++)
        assert_int_equal(read(child->from, &count, sizeof count), sizeof count);
    assert_int_equal(kill(child->pid, SIGKILL), 0);
    while (read(child->from, &told, sizeof told) == sizeof told)
        count = told;
    int status;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(child->to);
    close(child->from);
    return count;
}

static int count_row(void *arg, const struct sw_row *row)
{
    uint32_t *count = arg;
    uint8_t body[NUMBERED_MAX];
    numbered(*count, body, NUMBERED_MAX);
    assert_int_equal(row->of.chunk.chunk, *count); /* a prefix: no hole */
    assert_int_equal(row->of.chunk.body_size, NUMBERED_MAX);
    assert_memory_equal(row->of.chunk.body, body, NUMBERED_MAX); /* and none torn */
    ++*count;
    return 0;
}

static void test_kill_9_loses_nothing_acknowledged(void **state)
{
    (void)state;
    uint32_t there = 0;
    for (unsigned round = 0; round < KILLS; round++) {
        struct child child;
        child_start(&child);
        uint32_t told = child_kill(&child, there, 1 + round * 13 % 29);
        struct sw_store *store = open_writer(NULL);
        uint32_t found = 0;
        assert_int_equal(ops->chunks(store, 1, 0, 0, count_row, &found), 0);
        assert_true(found >= told);
        ops->close(store);
        if (is_sqlite())
            assert_null(sqlite_damage(place));
        there = found;
    }
    print_message("# %u kills, %u rows\n", KILLS, there);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest crash_tests[] = {
    CASE(test_a_second_writer_is_refused),
    CASE(test_epochs_rise),
    CASE(test_after_a_takeover_the_old_one_is_fenced),
    CASE(test_a_reader_sees_what_is_committed),
    CASE(test_a_long_walk_takes_no_memory),
    CASE(test_kill_9_loses_nothing_acknowledged),
};
const size_t n_crash_tests = SW_COUNT(crash_tests);
