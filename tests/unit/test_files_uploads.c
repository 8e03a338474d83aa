/* The bytes of uploads: what was synced survives any cut, what was not is gone. */
#include "files_upload_test.h"

#include "files/checked.h"

#include <signal.h>
#include <sys/wait.h>

/* The upload, complete, has one file of n pattern bytes with good sums. */
static void assert_whole(const char *id, size_t n)
{
    struct sw_manifest manifest = {0};
    assert_int_equal(sw_manifest_load(place_fd, part(id, ".manifest"), &manifest, NULL), 0);
    assert_int_equal(manifest.n, 1);
    assert_int_equal(manifest.entries[0].size, n);
    assert_int_equal(manifest.entries[0].mode, 0640);
    assert_int_equal(manifest.entries[0].mtime, 1700000000);
    assert_int_equal(manifest.entries[0].offset, 0);
    sw_manifest_done(&manifest);
    struct sw_checker *checker = sw_checker_new(1);
    struct sw_checked *file = NULL;
    assert_int_equal(sw_checked_open(checker, place_fd, id, &file), 0);
    uint8_t *got = malloc(n + 1), *wanted = made(n);
    struct sw_err err = {""};
    assert_int_equal(sw_checked_read(file, got, 1, n, &err), -ERANGE);
    assert_int_equal(sw_checked_read(file, got, n, 0, &err), 0);
    assert_memory_equal(got, wanted, n);
    sw_checked_destroy(&file);
    sw_checker_destroy(&checker);
    free(got);
    free(wanted);
}

static void test_one_file(void **state)
{
    (void)state;
    size_t n = 2 * MIB + 3;
    uint8_t *p = made(n);
    char id[33];
    struct sw_upload *upload = create(n, "a name\n\xff", id);
    append(upload, p, n);
    assert_int_equal(sw_upload_append(upload, p, 1), -EFBIG);
    assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
    assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
    assert_int_equal(sw_upload_append(upload, p, 1), -EFBIG);
    sw_upload_close(&upload);
    assert_null(upload);
    assert_whole(id, n);
    struct sw_upload_info info = {0};
    assert_int_equal(sw_upload_stat(place_fd, id, &info), 0);
    assert_true(info.complete && !info.unpack);
    assert_int_equal(info.length, n);
    assert_int_equal(info.offset, n);
    assert_string_equal(info.owner, "token-1");
    assert_string_equal(info.id, id);
    assert_int_equal(info.name.size, 8);
    assert_memory_equal(info.name.data, "a name\n\xff", 8);
    assert_in_range(sw_wall_ms() - info.touched_ms, 0, 60000);
    sw_upload_info_done(&info);
    const char *const suffixes[] = {"", ".sum", ".info", ".manifest"};
    for (size_t i = 0; i < SW_COUNT(suffixes);
         i++) { /* whatever the umask: the broker links them */
        struct stat st;
        assert_int_equal(fstatat(place_fd, part(id, suffixes[i]), &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
    }
    assert_int_equal(sw_upload_open(place_fd, id, &upload), 0); /* complete: opens, never changes */
    assert_int_equal(sw_upload_append(upload, p, 1), -EFBIG);
    assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
    sw_upload_close(&upload);
    assert_whole(id, n);
    free(p);
}

static void test_a_tar_with_a_prefix(void **state)
{
    (void)state;
    static uint8_t tar[4 * 512] = "sub/a \xff";
    char id[33];
    snprintf((char *)tar + 100, 8, "0000640");
    snprintf((char *)tar + 124, 12, "00000000003");
    snprintf((char *)tar + 136, 12, "00000000007");
    memset(tar + 148, ' ', 8);
    snprintf((char *)tar + 257, 6, "ustar");
    tar[156] = tar[263] = tar[264] = '0';
    memset(tar + 512, 'x', 3);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += tar[i];
    snprintf((char *)tar + 148, 8, "%06o", sum);
    struct sw_upload_info info = {
        .length = sizeof tar, .unpack = true, .created_ms = sw_wall_ms(), .owner = "token-1"};
    struct sw_upload *upload = NULL;
    sw_buf_text(&info.name, "/x/../");
    assert_int_equal(sw_upload_create(place_fd, &info, &upload), 0);
    memcpy(id, info.id, sizeof id);
    sw_upload_info_done(&info);
    append(upload, tar, sizeof tar);
    assert_int_equal(sw_upload_finish(upload, MIB, NULL), 0);
    sw_upload_close(&upload);
    struct sw_manifest manifest = {0};
    assert_int_equal(sw_manifest_load(place_fd, part(id, ".manifest"), &manifest, NULL), 0);
    assert_int_equal(manifest.n, 1);
    assert_int_equal(manifest.entries[0].name_size, 13);
    assert_memory_equal(manifest.entries[0].name, "/x/../sub/a \xff", 13);
    assert_int_equal(manifest.entries[0].size, 3);
    assert_int_equal(manifest.entries[0].offset, 512);
    assert_int_equal(manifest.entries[0].mode, 0640);
    sw_manifest_done(&manifest);
}

/* A crash at a moment of the test's choosing: the folder as a process left it, plus bytes that the
 * kernel had or had not written behind the recorded offset. */
static void test_resumed_from_any_point(void **state)
{
    (void)state;
    size_t n = 3 * MIB + 1000;
    uint8_t *p = made(n), *junk = calloc(1, 2 * MIB);
    srand(3);
    for (int round = 0; round < 40; round++) {
        char id[33];
        size_t synced = round < 3 ? (size_t)round * MIB : (size_t)rand() % (n + 1);
        size_t more = round % 4 ? (size_t)rand() % (n - synced + 1) : 0;
        struct sw_upload *upload = create(n, "x", id);
        append(upload, p, synced / 2);
        assert_int_equal(sw_upload_sync(upload), 0);
        append(upload, p, synced);
        assert_int_equal(sw_upload_sync(upload), 0);
        assert_int_equal(sw_upload_info(upload)->offset, synced);
        append(upload, p, synced + more);
        sw_upload_close(&upload); /* as kill -9: nothing more is written */
        if (round % 3 == 0) {     /* what lies behind is rubbish after a power loss */
            int fd = open_file(id);
            assert_int_equal(sw_pwrite_all(fd, junk, round % 2 ? 2 * MIB : 10, synced), 0);
            close(fd);
            fd = open_file(part(id, ".sum"));
            assert_int_equal(sw_pwrite_all(fd, junk, 64, (synced + MIB - 1) / MIB * 16), 0);
            close(fd);
        }
        struct sw_upload_info info = {0};
        assert_int_equal(sw_upload_stat(place_fd, id, &info), 0);
        assert_int_equal(info.offset, synced);
        sw_upload_info_done(&info);
        assert_int_equal(sw_upload_open(place_fd, id, &upload), 0);
        assert_int_equal(sw_upload_received(upload), synced);
        assert_int_equal(sw_upload_finish(upload, 0, NULL), synced == n ? 0 : -ENODATA);
        append(upload, p, n);
        assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
        sw_upload_close(&upload);
        assert_whole(id, n);
        assert_int_equal(sw_upload_remove(place_fd, id), 0);
    }
    free(p);
    free(junk);
}

static void test_a_torn_slot_is_the_one_before(void **state)
{
    (void)state;
    uint8_t *p = made(1000);
    char id[33];
    struct sw_upload *upload = create(UINT64_MAX, "x", id);
    for (uint64_t to = 100; to <= 800; to += 100) {
        append(upload, p, to);
        assert_int_equal(sw_upload_sync(upload), 0);
        struct sw_upload_info info = {0};
        uint64_t slot = 512 * (1 + to / 100 % 2);
        for (uint64_t i = 0; i < 48; i += 5) {
            spoil(part(id, ".info"), slot + i);
            assert_int_equal(sw_upload_stat(place_fd, id, &info), 0);
            assert_int_equal(info.offset, to - 100);
            assert_int_equal(info.length, UINT64_MAX);
            sw_upload_info_done(&info);
            spoil(part(id, ".info"), slot + i);
        }
    }
    assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
    assert_int_equal(sw_upload_info(upload)->length, 800); /* what came */
    sw_upload_close(&upload);
    assert_whole(id, 800);
    for (uint64_t i = 0; i < 24; i++) { /* a record that was never whole is no upload */
        spoil(part(id, ".info"), i);
        assert_int_equal(sw_upload_open(place_fd, id, &upload), -ENOENT);
        spoil(part(id, ".info"), i);
    }
    free(p);
}

/* The child appends and syncs for ever and says each offset that is acknowledged. */
static void write_until_killed(const char *id, int acknowledged_fd)
{
    struct sw_upload *upload = NULL;
    uint8_t bytes[5000];
    if (sw_upload_open(place_fd, id, &upload) < 0)
        _exit(2);
    for (;;) {
        uint64_t offset = sw_upload_received(upload);
        fill(bytes, sizeof bytes, offset);
        if (sw_upload_append(upload, bytes, sizeof bytes) < 0)
            _exit(3);
        if (offset / sizeof bytes % 4)
            continue;
        if (sw_upload_sync(upload) < 0)
            _exit(4);
        offset = sw_upload_info(upload)->offset;
        if (write(acknowledged_fd, &offset, sizeof offset) != sizeof offset)
            _exit(0);
    }
}

static void test_killed_at_any_moment(void **state)
{
    (void)state;
    char id[33];
    uint64_t acknowledged = 0;
    struct sw_upload *upload = create(UINT64_MAX, "x", id);
    sw_upload_close(&upload);
    for (int round = 0; round < 15; round++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(id, ends[1]);
        close(ends[1]);
        for (int i = 0; i < round + 1; i++) /* it writes on while the last of these is read */
            assert_int_equal(read(ends[0], &acknowledged, 8), 8);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &acknowledged, 8) == 8)
            continue;
        close(ends[0]);
        assert_int_equal(sw_upload_open(place_fd, id, &upload), 0);
        assert_true(sw_upload_received(upload) >= acknowledged);
        sw_upload_close(&upload);
    }
    assert_int_equal(sw_upload_open(place_fd, id, &upload), 0);
    size_t n = sw_upload_received(upload);
    assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
    sw_upload_close(&upload);
    assert_whole(id, n);
}

static void test_lost_bytes_are_refused(void **state)
{
    (void)state;
    uint8_t *p = made(1000);
    char id[33];
    struct sw_upload *upload = create(2000, "x", id);
    append(upload, p, 1000);
    assert_int_equal(sw_upload_sync(upload), 0);
    sw_upload_close(&upload);
    assert_int_equal(truncateat(id, 999), 0);
    assert_int_equal(sw_upload_open(place_fd, id, &upload), -EBADMSG);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_one_file),
        FILES_TEST(test_a_tar_with_a_prefix),
        FILES_TEST(test_resumed_from_any_point),
        FILES_TEST(test_a_torn_slot_is_the_one_before),
        FILES_TEST(test_killed_at_any_moment),
        FILES_TEST(test_lost_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
