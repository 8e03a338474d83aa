/* Sums and checked reading: written in any pieces they are the same, and no changed bit passes. */
#include "files_test.h"

#include "files/checked.h"
#include "files/sums.h"

#define MIB ((size_t)1 << 20)

static void sum_in_pieces(const char *name, const uint8_t *p, size_t n, size_t piece, size_t flush)
{
    struct sw_sums *sums = sw_sums_new();
    int fd = open_file(name);
    for (size_t at = 0; at < n; at += piece) {
        sw_sums_feed(sums, p + at, SW_MIN(piece, n - at));
        if (flush && at / flush != (at + piece) / flush)
            assert_int_equal(sw_sums_write(sums, fd), 0);
    }
    assert_int_equal(sw_sums_write(sums, fd), 0);
    close(fd);
    sw_sums_destroy(&sums);
    assert_null(sums);
}

static void assert_same(const char *a, const char *b)
{
    struct sw_buf x = {0}, y = {0};
    assert_int_equal(sw_file_read(place_fd, a, MIB, &x), 0);
    assert_int_equal(sw_file_read(place_fd, b, MIB, &y), 0);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    sw_buf_done(&x);
    sw_buf_done(&y);
}

static void test_sums_do_not_depend_on_pieces(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 77};
    for (size_t i = 0; i < SW_COUNT(sizes); i++) {
        size_t n = sizes[i];
        uint8_t *p = made(n);
        unlinkat(place_fd, "once.sum", 0);
        unlinkat(place_fd, "often.sum", 0);
        sum_in_pieces("once.sum", p, n, n + 1, 0);
        sum_in_pieces("often.sum", p, n, 4093, 100000);
        assert_same("once.sum", "often.sum");
        write_file("data", p, n);
        int data = open_file("data"), sum = open_file("made.sum");
        assert_int_equal(sw_sums_make(data, sum), 0);
        close(data);
        close(sum);
        assert_same("once.sum", "made.sum");
        struct stat st;
        assert_int_equal(fstatat(place_fd, "once.sum", &st, 0), 0);
        assert_int_equal(st.st_size, 16 * ((n + MIB - 1) / MIB));
        free(p);
    }
}

static void test_resume_goes_on_as_if_never_stopped(void **state)
{
    (void)state;
    size_t n = 3 * MIB + 500;
    uint8_t *p = made(n);
    sum_in_pieces("whole.sum", p, n, n, 0);
    const size_t cuts[] = {0, 5, MIB, MIB + 1, 2 * MIB - 1, 3 * MIB, n};
    for (size_t i = 0; i < SW_COUNT(cuts); i++) {
        write_file("data", p, n);
        sum_in_pieces("data.sum", p, cuts[i] + (n - cuts[i]) / 2, 65536, 1); /* ran ahead */
        int data = open_file("data"), sum = open_file("data.sum");
        struct sw_sums *sums = sw_sums_new();
        assert_int_equal(sw_sums_resume(sums, data, sum, cuts[i]), 0);
        sw_sums_feed(sums, p + cuts[i], n - cuts[i]);
        assert_int_equal(sw_sums_write(sums, sum), 0);
        sw_sums_destroy(&sums);
        close(data);
        close(sum);
        assert_same("whole.sum", "data.sum");
    }
    int data = open_file("data"), sum = open_file("none.sum");
    struct sw_sums *sums = sw_sums_new();
    assert_int_equal(sw_sums_resume(sums, data, sum, 2 * MIB), -EBADMSG); /* its sums are gone */
    assert_int_equal(sw_sums_resume(sums, data, sum, MIB - 1), 0);
    assert_int_equal(ftruncate(data, 10), 0);
    assert_int_equal(sw_sums_resume(sums, data, sum, 11), -ENODATA);
    sw_sums_destroy(&sums);
    close(data);
    close(sum);
    free(p);
}

static void write_checked(const char *name, size_t n)
{
    char sum_name[32];
    uint8_t *p = made(n);
    snprintf(sum_name, sizeof sum_name, "%s.sum", name);
    write_file(name, p, n);
    sum_in_pieces(sum_name, p, n, n + 1, 0);
    free(p);
}

static void test_reads_give_the_bytes(void **state)
{
    (void)state;
    size_t n = 5 * MIB + 12345;
    write_checked("a", n);
    write_checked("b", MIB + 1);
    struct sw_checker *checker = sw_checker_new(2); /* fewer spans than a read can touch */
    struct sw_checked *a = NULL, *b = NULL, *again = NULL;
    assert_int_equal(sw_checked_open(checker, place_fd, "a", &a), 0);
    assert_int_equal(sw_checked_open(checker, place_fd, "b", &b), 0);
    assert_int_equal(sw_checked_open(checker, place_fd, "a", &again), 0);
    assert_ptr_equal(a, again);
    uint8_t *got = malloc(n), *wanted = malloc(n);
    srand(7);
    for (int i = 0; i < 300; i++) {
        struct sw_checked *file = i % 3 ? a : b;
        size_t size = i % 3 ? n : MIB + 1, from = (size_t)rand() % (size + 1);
        size_t count = i % 10 ? (size_t)rand() % 300000 : size;
        count = SW_MIN(count, size - from);
        assert_int_equal(sw_checked_read(file, got, count, from, NULL), 0);
        fill(wanted, count, from);
        assert_memory_equal(got, wanted, count);
    }
    assert_int_equal(sw_checked_read(a, got, 2, n - 1, NULL), -ERANGE);
    assert_int_equal(sw_checked_read(a, got, 1, UINT64_MAX, NULL), -ERANGE);
    sw_checked_destroy(&again);
    sw_checked_destroy(&a);
    sw_checked_destroy(&b);
    sw_checker_destroy(&checker);
    free(got);
    free(wanted);
}

static int read_once(const char *name, size_t n, uint64_t offset, struct sw_err *err)
{
    struct sw_checker *checker = sw_checker_new(4);
    struct sw_checked *file = NULL;
    uint8_t *got = malloc(n);
    int r = sw_checked_open(checker, place_fd, name, &file);
    if (r == 0)
        r = sw_checked_read(file, got, n, offset, err);
    sw_checked_destroy(&file);
    sw_checker_destroy(&checker);
    free(got);
    return r;
}

static void test_every_changed_bit_is_seen(void **state)
{
    (void)state;
    size_t n = 2 * MIB + 1000;
    const uint64_t spoiled[] = {0, 1, MIB - 1, MIB, 2 * MIB, n - 1};
    write_checked("a", n);
    for (size_t i = 0; i < SW_COUNT(spoiled); i++) {
        struct sw_err err = {""};
        spoil("a", spoiled[i]);
        uint64_t span = spoiled[i] / MIB;
        assert_int_equal(read_once("a", 1, span * MIB + 7, &err),
                         -EBADMSG); /* elsewhere in the span */
        char words[64];
        snprintf(words, sizeof words, "a: bytes %zu to ", (size_t)span * MIB);
        assert_memory_equal(err.text, words, strlen(words));
        assert_int_equal(read_once("a", 1, (span + 1) % 3 * MIB, &err), 0);
        assert_int_equal(read_once("a", n, 0, &err), -EBADMSG);
        spoil("a", spoiled[i]);
        assert_int_equal(read_once("a", n, 0, &err), 0);
        spoil("a.sum", span * 16 + 3);
        assert_int_equal(read_once("a", 1, spoiled[i], &err), -EBADMSG);
        spoil("a.sum", span * 16 + 3);
    }
}

static void test_cut_grown_and_strange_files(void **state)
{
    (void)state;
    write_checked("a", MIB + 5);
    assert_int_equal(truncateat("a", MIB), 0);
    assert_int_equal(read_once("a", 1, 0, NULL), -EBADMSG); /* one sum too many */
    assert_int_equal(truncateat("a", MIB + 4), 0);
    assert_int_equal(read_once("a", 1, 0, NULL), 0);
    assert_int_equal(read_once("a", 1, MIB, NULL), -EBADMSG);
    assert_int_equal(read_once("none", 1, 0, NULL), -ENOENT);
    assert_int_equal(symlinkat("a", place_fd, "link"), 0);
    assert_int_equal(symlinkat("a.sum", place_fd, "link.sum"), 0);
    assert_int_equal(read_once("link", 1, 0, NULL), -EBADMSG);
    assert_int_equal(mkfifoat(place_fd, "fifo", 0600), 0);
    assert_int_equal(read_once("fifo", 1, 0, NULL), -EBADMSG);
}

static int count_open(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_idle_files_are_few_and_can_be_dropped(void **state)
{
    (void)state;
    struct sw_checker *checker = sw_checker_new(4);
    int before = count_open();
    for (int i = 0; i < 40; i++) {
        char name[16];
        uint8_t byte;
        snprintf(name, sizeof name, "f%d", i);
        write_checked(name, 100 + (size_t)i % 2);
        if (i == 20) {
            sw_checker_drop(checker); /* the next may lie in memory where this one did */
            spoil(name, 10);
        }
        struct sw_checked *file = NULL;
        assert_int_equal(sw_checked_open(checker, place_fd, name, &file), 0);
        int r = sw_checked_read(file, &byte, 1, 50, NULL);
        assert_int_equal(r, i == 20 ? -EBADMSG : 0);
        if (r == 0)
            assert_int_equal(byte, byte_at(50));
        sw_checked_destroy(&file);
    }
    assert_in_range(count_open() - before, 1, 16);
    sw_checker_drop(checker);
    assert_int_equal(count_open(), before);
    sw_checker_destroy(&checker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_sums_do_not_depend_on_pieces),
        FILES_TEST(test_resume_goes_on_as_if_never_stopped),
        FILES_TEST(test_reads_give_the_bytes),
        FILES_TEST(test_every_changed_bit_is_seen),
        FILES_TEST(test_cut_grown_and_strange_files),
        FILES_TEST(test_idle_files_are_few_and_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
