/* The sync actor. fsync and fdatasync are this file's own: they count, wait at a gate and fail on
 * demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/sync.h"
#include "files/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int files, folders; /* synced */
static atomic_int file_error, folder_error;
static atomic_bool gated;
static sem_t gate, arrived;

int fdatasync(int fd)
{
    if (gated) {
        sem_post(&arrived);
        while (sem_wait(&gate) < 0)
            ;
    }
    files++;
    errno = file_error;
    return file_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    folders++;
    errno = folder_error;
    return folder_error ? -1 : (int)syscall(SYS_fsync, fd);
}

static char place[64];
static int folder = -1;
static struct sync *sync_actor;

static int set_up(void **state)
{
    (void)state;
    files = folders = file_error = folder_error = 0;
    gated = false;
    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
    strcpy(place, "/tmp/sw-sync.XXXXXX");
    if (!mkdtemp(place))
        return -1;
    folder = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : sync_open(&sync_actor);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *ftw)
{
    (void)about;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    sync_close(&sync_actor);
    close(folder);
    nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void make(int folder_fd, uint32_t chunk)
{
    uint64_t size;
    assert_int_equal(sw_output_append(folder_fd, chunk, 9, 0, "x", 1, &size), 0);
}

static void ask(int folder_fd, uint32_t chunk, uint64_t ref)
{
    struct sync_request request = {.ref = ref, .folder_fd = folder_fd, .chunk = chunk, .n = 9};
    assert_int_equal(sync_ask(sync_actor, &request), 0);
}

static void make_and_ask(int folder_fd, uint64_t ref)
{
    make(folder_fd, (uint32_t)ref);
    ask(folder_fd, (uint32_t)ref, ref);
}

static struct sync_reply next_reply(void)
{
    struct sync_reply reply;
    while (!sync_next(sync_actor, &reply)) {
        zmq_pollitem_t item = {zsock_resolve(sync_socket(sync_actor)), 0, ZMQ_POLLIN, 0};
        assert_int_equal(zmq_poll(&item, 1, 20000), 1);
    }
    return reply;
}

static void expect(uint64_t ref, int status, bool fatal)
{
    struct sync_reply reply = next_reply();
    assert_int_equal(reply.ref, ref);
    assert_int_equal(reply.status, status);
    assert_int_equal(reply.fatal, fatal);
}

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void test_an_output_its_sums_and_the_folder_are_synced(void **state)
{
    (void)state;
    unsigned before = descriptors();
    make_and_ask(folder, 5);
    expect(5, 0, false);
    assert_int_equal(files, 2);
    assert_int_equal(folders, 1);
    assert_int_equal(faccessat(folder, "out.5.9.sum", F_OK, 0), 0);
    ask(folder, 5, 6); /* it is sealed; but before a crash its name may not have been synced */
    expect(6, 0, false);
    assert_int_equal(files, 2);
    assert_int_equal(folders, 2);
    assert_int_equal(descriptors(), before);
}

static void test_sums_have_their_name_only_when_all_is_synced(void **state)
{
    (void)state;
    gated = true;
    make_and_ask(folder, 1);
    for (int i = 0; i < 2; i++) { /* the bytes, the sums */
        while (sem_wait(&arrived) < 0)
            ;
        assert_int_equal(faccessat(folder, "out.1.9.sum", F_OK, 0), -1);
        sem_post(&gate);
    }
    expect(1, 0, false);
    assert_int_equal(faccessat(folder, "out.1.9.sum", F_OK, 0), 0);
}

static void test_what_is_removed_meanwhile_leaves_nothing(void **state)
{
    (void)state;
    gated = true;
    make_and_ask(folder, 1);
    while (sem_wait(&arrived) < 0)
        ;
    assert_int_equal(sw_output_remove(folder, 1, 9), 0);
    gated = false;
    sem_post(&gate);
    expect(1, -ENOENT, false);
    assert_int_equal(rmdir(place), 0);
}

static void test_what_waits_shares_the_fsync_of_its_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(folder, "other", 0700), 0);
    int other = openat(folder, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gated = true;
    make_and_ask(folder, 0);
    while (sem_wait(&arrived) < 0)
        ;
    gated = false; /* the first stands at the gate; all that come now wait together */
    for (uint64_t i = 1; i <= 20; i++)
        make_and_ask(i % 2 ? folder : other, i);
    sem_post(&gate);
    expect(0, 0, false);
    for (uint64_t i = 1; i <= 20; i += 2) /* the folder that came first, in order, then the other */
        expect(i, 0, false);
    for (uint64_t i = 2; i <= 20; i += 2)
        expect(i, 0, false);
    assert_int_equal(files, 42);
    assert_int_equal(folders, 3);
    close(other);
}

static void test_a_missing_file_is_its_own_error(void **state)
{
    (void)state;
    make(folder, 3);
    assert_int_equal(symlinkat("out.3.9", folder, "out.2.9"), 0);
    ask(folder, 1, 1);
    expect(1, -ENOENT, false);
    ask(folder, 2, 2);
    expect(2, -EBADMSG, false);
    ask(folder, 3, 3);
    expect(3, 0, false);
}

static void test_a_failed_sync_is_fatal(void **state)
{
    (void)state;
    file_error = EIO;
    make_and_ask(folder, 1);
    expect(1, -EIO, true);
    file_error = 0;
    folder_error = ENOSPC;
    make_and_ask(folder, 2);
    expect(2, -ENOSPC, true);
    ask(folder, 3, 3); /* the folder's failure counts more than the missing file */
    expect(3, -ENOSPC, true);
}

static void test_requests_are_bounded(void **state)
{
    (void)state;
    unsigned before = descriptors();
    gated = true;
    for (uint64_t i = 0; i < SYNC_REQUESTS_MAX; i++)
        make_and_ask(folder, i);
    struct sync_request request = {.ref = 1, .folder_fd = folder};
    assert_int_equal(sync_ask(sync_actor, &request), -EBUSY);
    gated = false;
    for (unsigned i = 0; i < 2 * SYNC_REQUESTS_MAX; i++)
        sem_post(&gate);
    for (uint64_t i = 0; i < SYNC_REQUESTS_MAX; i++)
        expect(i, 0, false);
    assert_int_equal(descriptors(), before);
    for (uint64_t i = 0; i < 10; i++)
        make_and_ask(folder, 1000 + i);
    sync_close(&sync_actor); /* finishes the rest */
    assert_int_equal(files, 2 * (SYNC_REQUESTS_MAX + 10));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_an_output_its_sums_and_the_folder_are_synced),
        CASE(test_sums_have_their_name_only_when_all_is_synced),
        CASE(test_what_is_removed_meanwhile_leaves_nothing),
        CASE(test_what_waits_shares_the_fsync_of_its_folder),
        CASE(test_a_missing_file_is_its_own_error),
        CASE(test_a_failed_sync_is_fatal),
        CASE(test_requests_are_bounded),
    };
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
