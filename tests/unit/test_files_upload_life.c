/* Uploads beside their bytes: who may write, names from outside, several files in one, sweeping, a
 * full disk. */
#include "files_upload_test.h"

#include "files/manifest.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#define DAY ((int64_t)86400000)

static void test_one_writer(void **state)
{
    (void)state;
    char id[33];
    struct sw_upload *upload = create(10, "x", id), *other = NULL;
    assert_int_equal(sw_upload_open(place_fd, id, &other), -EBUSY);
    assert_int_equal(sw_upload_remove(place_fd, id), -EBUSY);
    uint32_t n = 9;
    assert_int_equal(sw_uploads_sweep(place_fd, sw_wall_ms() + 9 * DAY, DAY, &n), 0);
    assert_int_equal(n, 0);
    sw_upload_close(&upload);
    assert_int_equal(sw_upload_open(place_fd, id, &other), 0);
    sw_upload_close(&other);
    assert_int_equal(sw_upload_remove(place_fd, id), 0);
    assert_int_equal(sw_upload_remove(place_fd, id), -ENOENT);
    assert_int_equal(sw_upload_open(place_fd, id, &other), -ENOENT);
    assert_false(is_there(id));
}

static void test_ids_from_outside(void **state)
{
    (void)state;
    struct sw_upload *upload = NULL;
    struct sw_upload_info info = {0};
    const char *const ids[] = {"", "../../etc/passwd", "0123456789abcdef0123456789abcdeF",
                               "0123456789abcdef0123456789abcdef0",
                               "0123456789abcdef0123456789abcde/"};
    for (size_t i = 0; i < SW_COUNT(ids); i++) {
        assert_int_equal(sw_upload_open(place_fd, ids[i], &upload), -ENOENT);
        assert_int_equal(sw_upload_stat(place_fd, ids[i], &info), -ENOENT);
        assert_int_equal(sw_upload_remove(place_fd, ids[i]), -ENOENT);
    }
    char id[33], target[64];
    upload = create(4, "x", id);
    sw_upload_close(&upload);
    snprintf(target, sizeof target, "%s", part(id, ".elsewhere")); /* symlinks are not followed */
    assert_int_equal(renameat(place_fd, id, place_fd, target), 0);
    assert_int_equal(symlinkat(target, place_fd, id), 0);
    assert_int_equal(sw_upload_open(place_fd, id, &upload), -EBADMSG);
}

static void test_names(void **state)
{
    (void)state;
    struct sw_upload *upload = NULL;
    struct sw_upload_info info = {.length = 1};
    sw_buf_put(&info.name, "a\0b", 3);
    assert_int_equal(sw_upload_create(place_fd, &info, &upload), -EINVAL);
    sw_buf_clear(&info.name);
    for (int i = 0; i <= SW_NAME_MAX; i++)
        sw_buf_text(&info.name, "n");
    assert_int_equal(sw_upload_create(place_fd, &info, &upload), -EINVAL);
    info.name.size = SW_NAME_MAX;
    assert_int_equal(sw_upload_create(place_fd, &info, &upload), 0);
    sw_upload_close(&upload);
    struct sw_upload_info got = {0};
    assert_int_equal(sw_upload_stat(place_fd, info.id, &got), 0);
    assert_int_equal(got.name.size, SW_NAME_MAX);
    sw_upload_info_done(&got);
    sw_upload_info_done(&info);
}

static void test_several_files_in_one(void **state)
{
    (void)state;
    char id[33];
    uint8_t *p = made(300);
    struct sw_upload *upload = create(UINT64_MAX, "", id);
    struct sw_entry entry = {.name = "a", .name_size = 1, .mode = 0644, .size = 100};
    assert_int_equal(sw_upload_entry(upload, &entry), 0);
    append(upload, p, 100);
    entry.name = "b";
    entry.size = 0;
    assert_int_equal(sw_upload_entry(upload, &entry), 0);
    entry.name = "/../c"; /* given, not from a tar: it stays */
    entry.name_size = 5;
    entry.size = 200;
    assert_int_equal(sw_upload_entry(upload, &entry), 0);
    struct sw_err err = {""};
    assert_int_equal(sw_upload_finish(upload, 0, &err), -EINVAL); /* bytes are missing */
    append(upload, p, 300);
    assert_int_equal(sw_upload_finish(upload, 0, &err), 0);
    sw_upload_close(&upload);
    struct sw_manifest manifest = {0};
    assert_int_equal(sw_manifest_load(place_fd, part(id, ".manifest"), &manifest, &err), 0);
    assert_int_equal(manifest.n, 3);
    assert_int_equal(manifest.entries[1].offset, 100);
    assert_int_equal(manifest.entries[2].offset, 100);
    assert_int_equal(manifest.entries[2].size, 200);
    assert_memory_equal(manifest.entries[2].name, "/../c", 5);
    sw_manifest_done(&manifest);
    upload = create(0, "", id); /* no name and no entries: nobody said what it is */
    assert_int_equal(sw_upload_finish(upload, 0, &err), -EINVAL);
    sw_upload_close(&upload);
    free(p);
}

static void set_age(const char *name, int64_t age_s)
{
    struct timespec times[2] = {{.tv_sec = sw_wall_ms() / 1000 - age_s}, {0}};
    times[1] = times[0];
    assert_int_equal(utimensat(place_fd, name, times, 0), 0);
}

static void test_sweep(void **state)
{
    (void)state;
    char old[33], young[33], half[33];
    uint32_t n = 0;
    struct sw_upload *upload = create(5, "old", old);
    sw_upload_close(&upload);
    int64_t now = sw_wall_ms();
    assert_int_equal(sw_uploads_sweep(place_fd, now + DAY - 60000, DAY, &n), 0);
    assert_int_equal(n, 0);
    assert_true(is_there(old));
    assert_int_equal(sw_uploads_sweep(place_fd, now + DAY + 60000, DAY, &n), 0);
    assert_int_equal(n, 1);
    assert_false(is_there(old) || is_there(part(old, ".info")) || is_there(part(old, ".sum")));
    upload = create(5, "young", young);
    sw_upload_close(&upload);
    upload = create(5, "half", half); /* a crash before the record was whole */
    sw_upload_close(&upload);
    assert_int_equal(truncateat(part(half, ".info"), 600), 0);
    write_file("fedcba9876543210fedcba9876543210.sum", "x", 1); /* or before it was there */
    write_file("fedcba9876543210fedcba9876543210.txt", "x", 1); /* not ours */
    write_file("notes", "x", 1);
    assert_int_equal(sw_uploads_sweep(place_fd, now, DAY, &n), 0);
    assert_true(is_there(half)); /* it may be under way */
    set_age(half, 120);
    set_age(part(half, ".info"), 120);
    set_age(part(half, ".sum"), 120);
    set_age("fedcba9876543210fedcba9876543210.sum", 120);
    for (int i = 0; i < 2; i++) /* the first may meet the others before the record */
        assert_int_equal(sw_uploads_sweep(place_fd, now, DAY, &n), 0);
    assert_false(is_there(half) || is_there(part(half, ".info")) || is_there(part(half, ".sum")));
    assert_false(is_there("fedcba9876543210fedcba9876543210.sum"));
    assert_true(is_there("fedcba9876543210fedcba9876543210.txt") && is_there("notes"));
    assert_true(is_there(young));
}

static void test_a_full_disk_takes_nothing_half(void **state)
{
    (void)state;
    uint8_t *p = made(3000);
    char id[33];
    struct sw_upload *upload = create(5000, "x", id);
    append(upload, p, 1000);
    struct rlimit before, small = {2000, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = sw_upload_append(upload, p + 1000, 2000); /* half of it fits */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(sw_upload_received(upload), 1000);
    struct stat st;
    assert_int_equal(fstatat(place_fd, id, &st, 0), 0);
    assert_int_equal(st.st_size, 1000);
    append(upload, p, 3000);
    assert_int_equal(sw_upload_sync(upload), 0);
    sw_upload_close(&upload);
    assert_int_equal(sw_upload_open(place_fd, id, &upload), 0);
    assert_int_equal(sw_upload_received(upload), 3000);
    sw_upload_close(&upload);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_one_writer), FILES_TEST(test_ids_from_outside),
        FILES_TEST(test_names),      FILES_TEST(test_several_files_in_one),
        FILES_TEST(test_sweep),      FILES_TEST(test_a_full_disk_takes_nothing_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
