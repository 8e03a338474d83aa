/* Job folders: linking uploads in, outputs. */
#include "files_upload_test.h"

#include "files/checked.h"
#include "files/jobdir.h"
#include "files/output.h"

static int jobs_fd, uploads_fd, job_fd;

static int folders_make(void **state)
{
    place_make(state);
    mkdirat(place_fd, "uploads", 0700);
    mkdirat(place_fd, "jobs", 0700);
    uploads_fd = openat(place_fd, "uploads", O_RDONLY | O_DIRECTORY);
    jobs_fd = openat(place_fd, "jobs", O_RDONLY | O_DIRECTORY);
    assert_int_equal(sw_job_dir_make(jobs_fd, 7), 0);
    assert_int_equal(sw_job_dir_open(jobs_fd, 7, &job_fd), 0);
    return 0;
}

static int folders_remove(void **state)
{
    close(uploads_fd);
    close(jobs_fd);
    close(job_fd);
    return place_remove(state);
}

/* A complete upload of n pattern bytes called `name`. */
static void upload_made(const char *name, size_t n, char *ret_id)
{
    int whole = place_fd;
    place_fd = uploads_fd; /* where create() makes it */
    uint8_t *p = made(n);
    struct sw_upload *upload = create(n, name, ret_id);
    append(upload, p, n);
    assert_int_equal(sw_upload_finish(upload, 0, NULL), 0);
    sw_upload_close(&upload);
    free(p);
    place_fd = whole;
}

struct seen {
    uint64_t sum;
    int n;
};

static int see(void *arg, uint64_t job)
{
    struct seen *seen = arg;
    seen->sum += job;
    seen->n++;
    return sw_job_dir_remove(jobs_fd, job);
}

static int stop(void *arg, uint64_t job)
{
    (void)arg;
    return job ? 77 : 0;
}

static void test_folders(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(sw_job_dir_make(jobs_fd, 7), -EEXIST);
    assert_int_equal(sw_job_dir_make(jobs_fd, UINT64_MAX), 0);
    assert_int_equal(sw_job_dir_open(jobs_fd, 8, &fd), -ENOENT);
    assert_int_equal(fd, -1);
    assert_int_equal(mkdirat(jobs_fd, "07", 0700), 0); /* not ours */
    assert_int_equal(mkdirat(jobs_fd, "x", 0700), 0);
    assert_int_equal(symlinkat("x", jobs_fd, "9"), 0);
    assert_true(sw_job_dir_open(jobs_fd, 9, &fd) < 0);
    assert_int_equal(unlinkat(jobs_fd, "9", 0), 0);
    write_file("jobs/7/in.0.0", "x", 1);
    assert_int_equal(sw_job_dirs_each(jobs_fd, stop, NULL), 77);
    struct seen seen = {0};
    assert_int_equal(sw_job_dirs_each(jobs_fd, see, &seen), 0);
    assert_int_equal(seen.n, 2);
    assert_true(seen.sum == UINT64_MAX + UINT64_C(7));
    assert_int_equal(sw_job_dir_remove(jobs_fd, 7), 0); /* it is gone already */
    assert_false(is_there("jobs/7"));
    assert_true(is_there("jobs/07") && is_there("jobs/x"));
}

static void test_uploads_are_linked_in(void **state)
{
    (void)state;
    char a[33], b[33];
    uint32_t part = 0;
    struct sw_manifest manifest = {0};
    struct sw_err err = {""};
    upload_made("a", 1000, a);
    upload_made("b", MIB + 1, b);
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, a, 3, &part, &manifest.bytes, &err), 0);
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, b, 3, &part, &manifest.bytes, &err), 0);
    assert_int_equal(part, 2);
    size_t before = manifest.bytes.size;
    assert_int_equal(sw_upload_remove(uploads_fd, a), 0); /* the job keeps its own */
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, a, 3, &part, &manifest.bytes, &err),
                     -ENOENT);
    assert_non_null(strstr(err.text, a));
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, "../a", 3, &part, &manifest.bytes, &err),
                     -ENOENT);
    assert_int_equal(part, 2);
    assert_int_equal(manifest.bytes.size, before);
    assert_int_equal(sw_manifest_parse(&manifest, &err), 0);
    assert_int_equal(manifest.n, 2);
    assert_int_equal(manifest.entries[0].part, 0);
    assert_int_equal(manifest.entries[1].part, 1);
    assert_int_equal(manifest.entries[1].size, MIB + 1);
    sw_manifest_done(&manifest);
    struct sw_checker *checker = sw_checker_new(2);
    struct sw_checked *file = NULL;
    uint8_t got[1000], wanted[1000];
    assert_int_equal(sw_checked_open(checker, job_fd, "in.3.0", &file), 0);
    assert_int_equal(sw_checked_read(file, got, 1000, 0, &err), 0);
    fill(wanted, 1000, 0);
    assert_memory_equal(got, wanted, 1000);
    sw_checked_destroy(&file);
    sw_checker_destroy(&checker);
    /* After a crash between linking and the commit the same ADD comes again. */
    part = 0;
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, b, 3, &part, &manifest.bytes, &err), 0);
    struct stat one, other;
    assert_int_equal(fstatat(job_fd, "in.3.0", &one, 0), 0);
    assert_int_equal(fstatat(uploads_fd, b, &other, 0), 0);
    assert_true(one.st_ino == other.st_ino);
    sw_manifest_done(&manifest);
}

static void test_uploads_that_cannot_be_linked(void **state)
{
    (void)state;
    char id[33], path[64];
    uint32_t part = 0;
    struct sw_buf manifest = {0};
    struct sw_err err = {""};
    int whole = place_fd;
    place_fd = uploads_fd;
    struct sw_upload *upload = create(5, "x", id);
    place_fd = whole;
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, id, 0, &part, &manifest, &err), -EAGAIN);
    sw_upload_close(&upload);
    upload_made("x", 1000, id);
    snprintf(path, sizeof path, "uploads/%s", id);
    assert_int_equal(truncateat(path, 999), 0); /* shorter than the manifest says */
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, id, 0, &part, &manifest, &err), -EBADMSG);
    assert_false(is_there("jobs/7/in.0.0") || is_there("jobs/7/in.0.0.sum"));
    assert_int_equal(unlinkat(uploads_fd, id, 0), 0);
    place_fd = uploads_fd; /* two files, the second cut: nothing of the first stays behind */
    upload = create(UINT64_MAX, "", id);
    uint8_t bytes[20] = {0};
    const struct sw_entry entry = {.name = "x", .name_size = 1, .size = 10};
    assert_int_equal(sw_upload_entry(upload, &entry), 0);
    assert_int_equal(sw_upload_entry(upload, &entry), 0);
    append(upload, bytes, 20);
    assert_int_equal(sw_upload_finish(upload, 0, &err), 0);
    sw_upload_close(&upload);
    place_fd = whole;
    snprintf(path, sizeof path, "uploads/%s", id);
    assert_int_equal(truncateat(path, 19), 0);
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, id, 0, &part, &manifest, &err), -EBADMSG);
    assert_int_equal(manifest.size, 0);
    assert_int_equal(unlinkat(uploads_fd, id, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", uploads_fd, id), 0); /* a hostile gateway */
    assert_int_equal(sw_job_dir_link(job_fd, uploads_fd, id, 0, &part, &manifest, &err), -EBADMSG);
    assert_false(is_there("jobs/7/in.0.0"));
    assert_int_equal(part, 0);
    assert_int_equal(manifest.size, 0);
    sw_buf_done(&manifest);
}

static bool is_in_job(uint32_t chunk, uint64_t n, const char *suffix)
{
    char name[SW_OUTPUT_PATH], whole[80];
    sw_output_path(chunk, n, name);
    snprintf(whole, sizeof whole, "%s%s", name, suffix);
    return faccessat(job_fd, whole, F_OK, 0) == 0;
}

static void same_bytes(uint32_t chunk, uint64_t n, const uint8_t *p, size_t size)
{
    char name[SW_OUTPUT_PATH];
    struct sw_checker *checker = sw_checker_new(1);
    struct sw_checked *file = NULL;
    uint8_t *got = malloc(size);
    sw_output_path(chunk, n, name);
    assert_int_equal(sw_checked_open(checker, job_fd, name, &file), 0);
    assert_int_equal(sw_checked_read(file, got, size, 0, NULL), 0);
    assert_memory_equal(got, p, size);
    sw_checked_destroy(&file);
    sw_checker_destroy(&checker);
    free(got);
}

static void test_outputs(void **state)
{
    (void)state;
    uint64_t n = UINT64_C(5) << 32 | 9, size = 0;
    uint8_t *p = made(3 * MIB);
    bool fatal = true;
    assert_int_equal(sw_output_seal(job_fd, 31, n, &fatal), -ENOENT);
    assert_false(fatal);
    assert_int_equal(sw_output_append(job_fd, 31, n, 5, p, 10, &size), -ERANGE);
    assert_int_equal(size, 0);
    for (uint64_t at = 0; at < 3 * MIB; at += 262144)
        assert_int_equal(sw_output_append(job_fd, 31, n, at, p + at, 262144, &size), 0);
    assert_int_equal(size, 3 * MIB);
    assert_int_equal(sw_output_append(job_fd, 31, n, 262144, p, 262144, &size), -ERANGE);
    assert_int_equal(size, 3 * MIB);
    assert_int_equal(sw_output_seal(job_fd, 31, n, &fatal), 0);
    same_bytes(31, n, p, 3 * MIB);
    assert_int_equal(sw_output_remove(job_fd, 31, n), 0);
    assert_int_equal(sw_output_remove(job_fd, 31, n), 0);
    assert_false(is_in_job(31, n, ""));
    assert_false(is_in_job(31, n, ".sum"));
    free(p);
}

static void test_a_sealed_output_stays_as_it_is(void **state)
{
    (void)state;
    uint64_t size = 0;
    uint8_t *p = made(MIB + 1);
    struct stat before, after;
    bool fatal = true;
    assert_int_equal(sw_output_append(job_fd, 1, 7, 0, p, MIB + 1, &size), 0);
    assert_int_equal(sw_output_seal(job_fd, 1, 7, &fatal), 0);
    assert_int_equal(fstatat(job_fd, "out.1.7.sum", &before, 0), 0);
    size = 0;
    assert_int_equal(sw_output_append(job_fd, 1, 7, MIB + 1, p, 10, &size), -EEXIST);
    assert_int_equal(size, MIB + 1);
    assert_int_equal(sw_output_append(job_fd, 1, 7, 0, p, 10, &size), -EEXIST);
    assert_int_equal(sw_output_seal(job_fd, 1, 7, &fatal), 0);
    assert_int_equal(fstatat(job_fd, "out.1.7.sum", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    same_bytes(1, 7, p, MIB + 1);
    /* a crash in the midst of sealing leaves no sums, or what looks like some: it is done again */
    assert_int_equal(unlinkat(job_fd, "out.1.7.sum", 0), 0);
    int fd = openat(job_fd, "out.1.7.sum.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(sw_write_all(fd, p, 100), 0);
    close(fd);
    assert_int_equal(sw_output_append(job_fd, 1, 7, 0, p, 10, &size), -ERANGE);
    assert_int_equal(sw_output_seal(job_fd, 1, 7, &fatal), 0);
    assert_false(is_in_job(1, 7, ".sum.new"));
    same_bytes(1, 7, p, MIB + 1);
    free(p);
}

static void note_output(void *arg, uint32_t chunk, uint64_t n)
{
    assert_int_equal(chunk, 4);
    *(unsigned *)arg |= 1U << n;
}

static void test_outputs_are_listed(void **state)
{
    (void)state;
    uint64_t size;
    unsigned seen = 0;
    bool fatal;
    assert_int_equal(sw_output_append(job_fd, 4, 3, 0, "x", 1, &size), 0);
    assert_int_equal(sw_output_append(job_fd, 4, 5, 0, "x", 1, &size), 0);
    assert_int_equal(sw_output_seal(job_fd, 4, 5, &fatal), 0);
    int fd = openat(job_fd, "out.4.6.sum", O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* alone */
    close(fd);
    assert_int_equal(sw_outputs_each(job_fd, note_output, &seen), 0);
    assert_int_equal(seen, 1U << 3 | 1U << 5 | 1U << 6);
}

#define JOB_TEST(f) cmocka_unit_test_setup_teardown(f, folders_make, folders_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(test_folders),
        JOB_TEST(test_uploads_are_linked_in),
        JOB_TEST(test_uploads_that_cannot_be_linked),
        JOB_TEST(test_outputs),
        JOB_TEST(test_a_sealed_output_stays_as_it_is),
        JOB_TEST(test_outputs_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
