/* The SQLite store on a disk that fills up: in a child with a mount namespace of its own, so that
 * nothing is left behind. */
#include "store_contract.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define BALLAST_BYTES (2 << 20)

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_message("# line %d: not so: %s (%s)\n", __LINE__, #condition, err.text);         \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int expect_number(void *arg, const struct sw_row *row)
{
    uint32_t *count = arg;
    return row->of.chunk.chunk == (*count)++ ? 0 : -EBADMSG;
}

static int fill_and_recover(void)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    uint32_t epoch = 0, k = 0, found = 0;
    uint8_t body[NUMBERED_MAX];
    struct sw_row row;
    char ballast[4200];
    snprintf(ballast, sizeof ballast, "%s/ballast", place);
    AUTO_FD int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    EXPECT(fd >= 0 && posix_fallocate(fd, 0, BALLAST_BYTES) == 0);
    EXPECT(ops->open(place, true, &store, &err) == 0 && ops->claim(store, &epoch, &err) == 0);
    int r;
    do {
        row = numbered(k, body, sizeof body);
        r = ops->commit(store, &row, 1, &err);
    } while (r == 0 && ++k < 100000);
    EXPECT(r == -ENOSPC);
    print_message("# full after %u rows: %s\n", k, err.text);
    EXPECT(ops->chunks(store, 1, 0, 0, expect_number, &found) == 0 &&
           found == k); /* reads still serve */
    EXPECT(ops->commit(store, &row, 1, &err) == -ENOSPC);
    EXPECT(unlink(ballast) == 0);
    sw_fd_close(&fd);
    EXPECT(ops->commit(store, &row, 1, &err) == 0); /* by itself, as soon as there is room */
    k++;
    ops->close(store);
    EXPECT(ops->open(place, true, &store, &err) == 0 && ops->claim(store, &epoch, &err) == 0);
    found = 0;
    EXPECT(ops->chunks(store, 1, 0, 0, expect_number, &found) == 0 && found >= k);
    row = numbered(found, body, sizeof body);
    EXPECT(ops->commit(store, &row, 1, &err) == 0);
    ops->close(store);
    EXPECT(!sqlite_damage(place));
    return 0;
}

/* Takes what is left of the disk. */
static int fill(int fd)
{
    static const char block[4096];
    while (write(fd, block, sizeof block) > 0) {
    }
    return errno == ENOSPC ? 0 : -errno;
}

/* The rows that it committed before the disk was full, or negative. */
static int commit_until_full(struct sw_store *store, struct sw_err *err)
{
    uint8_t body[NUMBERED_MAX];
    for (int n = 0;; n++) {
        struct sw_row row = numbered((uint32_t)n, body, sizeof body);
        int r = ops->commit(store, &row, 1, err);
        if (r < 0)
            return r == -ENOSPC ? n : r;
    }
}

/* As a kill leaves it: nobody closes the handle. */
static int fill_and_die(int *ret_rows)
{
    fflush(NULL);
    int pipes[2], status;
    if (pipe(pipes) < 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        struct sw_store *store = NULL;
        struct sw_err err = {""};
        uint32_t epoch = 0;
        char path[4200];
        snprintf(path, sizeof path, "%s/ballast", place);
        AUTO_FD int fd = open(path, O_CREAT | O_WRONLY, 0600);
        int n = -1;
        if (ops->open(place, true, &store, &err) == 0 && ops->claim(store, &epoch, &err) == 0 &&
            fd >= 0 && fill(fd) == 0)
            n = commit_until_full(store, &err);
        if (n > 0 && fill(fd) < 0)
            n = -1;
        _exit(write(pipes[1], &n, sizeof n) == sizeof n ? 0 : 1);
    }
    bool told = pid > 0 && read(pipes[0], ret_rows, sizeof *ret_rows) == sizeof *ret_rows;
    return told && waitpid(pid, &status, 0) == pid ? 0 : 1;
}

static int use_the_reserve(void)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    uint32_t epoch = 0, found = 0;
    int rows = 0;
    EXPECT(fill_and_die(&rows) == 0 && rows > 0);
    print_message("# full after %d rows\n", rows);
    EXPECT(ops->open(place, true, &store, &err) == 0 && ops->claim(store, &epoch, &err) == 0);
    EXPECT(ops->chunks(store, 1, 0, 0, expect_number, &found) == 0 && (int)found >= rows);
    struct sw_row row = {.kind = SW_ROW_FORGET, .of.job.job = 1};
    EXPECT(ops->commit(store, &row, 1, &err) == 0); /* what makes room has room */
    ops->close(store);
    EXPECT(!sqlite_damage(place));
    return 0;
}

static int mount_small(const char *where, const char *size)
{
    bool done = unshare(CLONE_NEWNS) == 0 &&
                mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                mount("tmpfs", where, "tmpfs", 0, size) == 0;
    return done ? 0 : -errno;
}

/* In a child: 0, or what it returned. */
static int status_of(pid_t pid)
{
    int status = 0;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

int full_why_not(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(-mount_small("/tmp", "size=1m"));
    return status_of(pid);
}

static void on_small_disk(const char *size, int (*test)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int status = mount_small(place, size) < 0 ? 1 : test();
        fflush(NULL);
        _exit(status);
    }
    assert_int_equal(status_of(pid), 0);
}

static void test_a_full_disk_is_an_error_and_no_damage(void **state)
{
    (void)state;
    on_small_disk("size=6m", fill_and_recover);
}

static void test_a_full_disk_starts_and_forgets(void **state)
{
    (void)state;
    on_small_disk("size=40m", use_the_reserve);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)
const struct CMUnitTest full_tests[] = {
    CASE(test_a_full_disk_is_an_error_and_no_damage),
    CASE(test_a_full_disk_starts_and_forgets),
};
const size_t n_full_tests = SW_COUNT(full_tests);
