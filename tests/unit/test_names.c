/* Output names across the ADDs of a job, and what is shared out among them: names of made-up inputs
 * against manifests in a folder of each job. The kernel is made up too: it takes `.in` off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"
#include "broker/names.h"
#include "broker/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS 12 /* more than are kept in memory */

static char place[64];
static int folders[JOBS + 1] = {-1}; /* by job, from 1 */
static struct names *names;

static void
take_off(const struct sw_values *values, const char *name, size_t size, struct sw_buf *ret)
{
    (void)values;
    bool is_in = size > 3 && !memcmp(name + size - 3, ".in", 3);
    sw_buf_put(ret, name, is_in ? size - 3 : size);
}

static const struct sw_kernel kernel = {.shape = SW_FILES, .output_name = take_off};
static const struct sw_kernel one_output = {.shape = SW_CONCAT};

static int remove_it(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(place, "/tmp/sw-names.XXXXXX");
    if (!mkdtemp(place))
        return -1;
    for (int job = 1; job <= JOBS; job++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%d", place, job);
        if (mkdir(path, 0700) < 0)
            return -1;
        folders[job] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    names = names_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    names_destroy(&names);
    for (int job = 1; job <= JOBS; job++)
        close(folders[job]);
    return nftw(place, remove_it, 8, FTW_DEPTH | FTW_PHYS);
}

static void append(struct sw_buf *bytes, const char *name, enum sw_entry_state state)
{
    struct sw_entry entry = {
        .name = name, .name_size = strlen(name), .size = 1, .state = state, .reason = ""};
    assert_int_equal(sw_manifest_append(bytes, &entry), 0);
}

/* As the data actor does it: the manifest goes to the disk when its names are new. */
static int add_as(
    const struct sw_kernel *with, int job, uint32_t add, struct sw_buf *bytes, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    char file[32];
    sw_buf_put(&manifest.bytes, bytes->data, bytes->size);
    assert_int_equal(sw_manifest_parse(&manifest, err), 0);
    struct names_request request = {
        .job = (uint64_t)job, .add = add, .job_fd = folders[job], .kernel = with};
    int r = names_add(names, &request, &manifest, err);
    sw_manifest_done(&manifest);
    if (r < 0)
        return r;
    sw_manifest_end(bytes);
    snprintf(file, sizeof file, "manifest.%u", add);
    assert_int_equal(sw_file_replace(folders[job], file, bytes->data, bytes->size, 0600), 0);
    return 0;
}

/* An ADD of two files. */
static int add(int job, uint32_t number, const char *one, const char *two)
{
    AUTO_BUF struct sw_buf bytes = {0};
    struct sw_err err = {""};
    append(&bytes, one, SW_ENTRY_FILE);
    append(&bytes, two, SW_ENTRY_FILE);
    int r = add_as(&kernel, job, number, &bytes, &err);
    if (r < 0)
        assert_non_null(strstr(err.text, "two inputs would both give the output "));
    return r;
}

static void restart(void)
{
    names_destroy(&names);
    names = names_new();
}

static void test_within_one_add(void **state)
{
    (void)state;
    assert_int_equal(add(1, 0, "a", "b"), 0);
    assert_int_equal(add(2, 0, "a", "a"), -EINVAL);
    assert_int_equal(add(3, 0, "a", "a.in"), -EINVAL); /* other names, one output */
    assert_int_equal(add(4, 0, "a", "A"), 0);
}

/* Only what gives an output counts. */
static void test_entries_without_output(void **state)
{
    (void)state;
    AUTO_BUF struct sw_buf bytes = {0};
    struct sw_err err = {""};
    append(&bytes, "a", SW_ENTRY_FILE);
    append(&bytes, "a", SW_ENTRY_FAILED);
    append(&bytes, "a", SW_ENTRY_SKIPPED);
    assert_int_equal(add_as(&kernel, 1, 0, &bytes, &err), 0);
    sw_buf_clear(&bytes);
    append(&bytes, "a", SW_ENTRY_FILE);
    append(&bytes, "a", SW_ENTRY_FILE);
    assert_int_equal(add_as(&one_output, 2, 0, &bytes, &err), 0);
}

static void test_across_adds(void **state)
{
    (void)state;
    assert_int_equal(add(1, 0, "a", "b"), 0);
    assert_int_equal(add(1, 1, "c", "d"), 0);
    assert_int_equal(add(1, 2, "e", "a.in"), -EINVAL);
    assert_int_equal(add(1, 2, "c", "e"),
                     -EINVAL); /* what was refused emptied the table: read in again */
    assert_int_equal(add(1, 2, "e", "f"), 0); /* `e` of the refused ones does not count */
    assert_int_equal(add(2, 0, "a", "b"), 0); /* another job's names */
    assert_int_equal(add(3, 0, "c", "d"), 0);
    assert_int_equal(add(2, 1, "c", "d"), 0);
}

static void test_after_a_restart(void **state)
{
    (void)state;
    assert_int_equal(add(1, 0, "a", "b"), 0);
    assert_int_equal(add(1, 1, "c", "d"), 0);
    restart();
    assert_int_equal(add(1, 2, "e", "b"), -EINVAL);
    restart();
    assert_int_equal(add(1, 2, "e", "d.in"), -EINVAL);
    restart();
    assert_int_equal(add(1, 2, "e", "f"), 0);
}

/* What cannot be read is no reason to let names through. */
static void test_a_damaged_manifest(void **state)
{
    (void)state;
    assert_int_equal(add(1, 0, "a", "b"), 0);
    assert_int_equal(sw_file_replace(folders[1], "manifest.0", "damaged", 7, 0600), 0);
    restart();
    AUTO_BUF struct sw_buf bytes = {0};
    struct sw_err err = {""};
    append(&bytes, "e", SW_ENTRY_FILE);
    assert_int_equal(add_as(&kernel, 1, 1, &bytes, &err), -EBADMSG);
    assert_true(err.text[0]);
}

/* After its names were taken in an ADD failed, and what came in its place was looked at elsewhere.
 */
static void test_a_forgotten_job(void **state)
{
    (void)state;
    AUTO_BUF struct sw_buf bytes = {0};
    assert_int_equal(add(1, 0, "a", "b"), 0);
    assert_int_equal(add(1, 1, "c", "d"), 0);
    names_forget(names, 1);
    names_forget(names, 7); /* nobody's */
    append(&bytes, "e", SW_ENTRY_FILE);
    sw_manifest_end(&bytes);
    assert_int_equal(sw_file_replace(folders[1], "manifest.1", bytes.data, bytes.size, 0600), 0);
    assert_int_equal(add(1, 2, "c", "f"), 0);
    assert_int_equal(add(1, 3, "e", "g"), -EINVAL);
    assert_int_equal(add(1, 3, "a", "g"), -EINVAL);
}

/* The ADD's names were taken in, its row was not: it comes again under the same number. */
static void test_a_number_again(void **state)
{
    (void)state;
    assert_int_equal(add(1, 0, "a", "b"), 0);
    assert_int_equal(add(1, 1, "c", "d"), 0);
    assert_int_equal(add(1, 1, "c", "e"), 0);
    assert_int_equal(add(1, 2, "d", "f"), 0); /* only of the first try */
    assert_int_equal(add(1, 3, "e", "g"), -EINVAL);
    assert_int_equal(add(1, 3, "a", "g"), -EINVAL);
}

static void test_more_jobs_than_are_kept(void **state)
{
    (void)state;
    for (int job = 1; job <= JOBS; job++)
        assert_int_equal(add(job, 0, "a", "b"), 0);
    for (int job = 1; job <= JOBS; job++)
        assert_int_equal(add(job, 1, "c", "d"), 0);
    for (int job = JOBS; job > 0; job--) {
        assert_int_equal(add(job, 2, "e", "a.in"), -EINVAL);
        assert_int_equal(add(job, 2, "e", "c.in"), -EINVAL);
        assert_int_equal(add(job, 2, "e", "f"), 0);
    }
}

/* Tables grow while they are in use, and across ADDs. */
static void test_many_names(void **state)
{
    (void)state;
    enum { ADDS = 5, FILES = 3000 };
    char name[32];
    for (uint32_t number = 0; number <= ADDS; number++) {
        AUTO_BUF struct sw_buf bytes = {0};
        struct sw_err err = {""};
        for (int i = 0; i < (number < ADDS ? FILES << (number / 2) : 10); i++) {
            snprintf(name, sizeof name, "%u/%d", number, i);
            append(&bytes, name, SW_ENTRY_FILE);
        }
        assert_int_equal(add_as(&kernel, 1, number, &bytes, &err), 0);
    }
    for (uint32_t number = 0; number < ADDS; number++) {
        char other[32];
        snprintf(name, sizeof name, "%u/%d.in", number, FILES - 1);
        snprintf(other, sizeof other, "%u/%d", number, FILES << 3);
        assert_int_equal(add(1, ADDS + 1, other, name), -EINVAL);
    }
    assert_int_equal(add(1, ADDS + 1, "new", "newer"), 0);
}

static void test_an_add_that_stands_alone(void **state)
{
    (void)state;
    struct sw_manifest manifest = {0};
    struct sw_err err = {""};
    append(&manifest.bytes, "a", SW_ENTRY_FILE);
    append(&manifest.bytes, "b", SW_ENTRY_FILE);
    assert_int_equal(sw_manifest_parse(&manifest, &err), 0);
    assert_int_equal(names_check(&kernel, NULL, &manifest, &err), 0);
    assert_int_equal(names_check(&kernel, NULL, &manifest, &err), 0);
    sw_release(TAKE(manifest.entries));
    append(&manifest.bytes, "b.in", SW_ENTRY_FILE);
    assert_int_equal(sw_manifest_parse(&manifest, &err), 0);
    assert_int_equal(names_check(&kernel, NULL, &manifest, &err), -EINVAL);
    sw_manifest_done(&manifest);
}

static void test_shares_of_a_chunk_count(void **state)
{
    (void)state;
    const uint64_t tera = (uint64_t)1 << 40;
    assert_int_equal(plan_share(0, 100, 10), 0);
    assert_int_equal(plan_share(7, 0, 10), 7); /* not said how much comes */
    assert_int_equal(plan_share(7, 10, 10), 7);
    assert_int_equal(plan_share(7, 10, 9), 6);
    assert_int_equal(plan_share(7, 1000, 1), 1);
    assert_int_equal(plan_share(7, 1000, 0), 1);
    /* where 64 bits overflow, and where a double is one too few or too many */
    assert_int_equal(plan_share(1000000, 128 * tera, 64 * tera), 500000);
    assert_int_equal(plan_share(3, 3 * ((tera << 13) + 1), 2 * ((tera << 13) + 1)), 2);
    assert_int_equal(plan_share(1000000, UINT64_MAX, UINT64_MAX - 1), 999999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_within_one_add, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries_without_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_across_adds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_manifest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_forgotten_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_number_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_jobs_than_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_add_that_stands_alone, set_up, tear_down),
        cmocka_unit_test(test_shares_of_a_chunk_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
