/* The sync actor. fsync and fdatasync are this file's own: they count, wait at a gate and fail on
 * demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/sync.h"

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

static int make(int dir, const char *name)
{
    int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    return fd;
}

static void ask(int folder_fd, int fd, const char *name, uint64_t ref)
{
    struct sync_request request = {
        .ref = ref, .folder_fd = folder_fd, .fd = fd, .names = &name, .n_names = name ? 1 : 0};
    assert_int_equal(sync_ask(sync_actor, &request), 0);
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

static void test_files_and_their_folder_are_synced(void **state)
{
    (void)state;
    unsigned before = descriptors();
    close(make(folder, "in.0"));
    close(make(folder, "plan.0"));
    const char *names[] = {"in.0", "plan.0"};
    struct sync_request request = {
        .ref = 5, .folder_fd = folder, .fd = -1, .names = names, .n_names = 2};
    assert_int_equal(sync_ask(sync_actor, &request), 0);
    names[0] = names[1] = NULL; /* copied */
    expect(5, 0, false);
    assert_int_equal(files, 2);
    assert_int_equal(folders, 1);
    ask(folder, make(folder, "out.1"), NULL, 6);
    expect(6, 0, false);
    assert_int_equal(files, 3);
    assert_int_equal(folders, 2);
    ask(-1, make(folder, "out.1"), NULL, 7); /* an old name */
    expect(7, 0, false);
    assert_int_equal(files, 4);
    assert_int_equal(folders, 2);
    assert_int_equal(descriptors(), before);
}

static void test_what_waits_shares_the_fsync_of_its_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(folder, "other", 0700), 0);
    int other = openat(folder, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gated = true;
    ask(folder, make(folder, "first"), NULL, 0);
    while (sem_wait(&arrived) < 0)
        ;
    gated = false; /* the first stands at the gate; all that come now wait together */
    for (uint64_t i = 1; i <= 20; i++)
        ask(i % 2 ? folder : other, make(i % 2 ? folder : other, "more"), NULL, i);
    sem_post(&gate);
    expect(0, 0, false);
    for (uint64_t i = 1; i <= 20; i += 2) /* the folder that came first, in order, then the other */
        expect(i, 0, false);
    for (uint64_t i = 2; i <= 20; i += 2)
        expect(i, 0, false);
    assert_int_equal(files, 21);
    assert_int_equal(folders, 3);
    close(other);
}

static void test_a_missing_file_is_its_own_error(void **state)
{
    (void)state;
    close(make(folder, "there"));
    assert_int_equal(symlinkat("there", folder, "link"), 0);
    ask(folder, -1, "missing", 1);
    expect(1, -ENOENT, false);
    ask(folder, -1, "link", 2);
    expect(2, -ELOOP, false);
    ask(folder, -1, "there", 3);
    expect(3, 0, false);
}

static void test_a_failed_sync_is_fatal(void **state)
{
    (void)state;
    file_error = EIO;
    ask(folder, make(folder, "a"), NULL, 1);
    expect(1, -EIO, true);
    file_error = 0;
    folder_error = ENOSPC;
    ask(folder, make(folder, "b"), NULL, 2);
    expect(2, -ENOSPC, true);
    ask(folder, -1, "missing", 3); /* the folder's failure counts more than the missing file */
    expect(3, -ENOSPC, true);
}

static void test_requests_are_bounded(void **state)
{
    (void)state;
    unsigned before = descriptors();
    gated = true;
    for (uint64_t i = 0; i < SYNC_REQUESTS_MAX; i++)
        ask(folder, make(folder, "f"), NULL, i);
    int fd = make(folder, "one more");
    struct sync_request request = {.ref = 1, .folder_fd = folder, .fd = fd};
    assert_int_equal(sync_ask(sync_actor, &request), -EBUSY);
    close(fd); /* not taken */
    gated = false;
    for (unsigned i = 0; i < SYNC_REQUESTS_MAX; i++)
        sem_post(&gate);
    for (uint64_t i = 0; i < SYNC_REQUESTS_MAX; i++)
        expect(i, 0, false);
    assert_int_equal(descriptors(), before);
    for (uint64_t i = 0; i < 10; i++)
        ask(folder, make(folder, "f"), NULL, i);
    sync_close(&sync_actor); /* finishes the rest */
    assert_int_equal(files, SYNC_REQUESTS_MAX + 10);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_files_and_their_folder_are_synced),
        CASE(test_what_waits_shares_the_fsync_of_its_folder),
        CASE(test_a_missing_file_is_its_own_error),
        CASE(test_a_failed_sync_is_fatal),
        CASE(test_requests_are_bounded),
    };
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
