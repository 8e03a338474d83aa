/* Chunk inputs read back: an ADD's number that is given again has the new inputs, and no chunk
 * beyond them. */
#include "files_test.h"

#include "broker/source.h"

#define JOB 7

static struct source *source;
static int job_fd = -1;

static int set_up(void **state)
{
    place_make(state);
    assert_int_equal(sw_job_dir_make(place_fd, JOB), 0);
    assert_int_equal(sw_job_dir_open(place_fd, JOB, &job_fd), 0);
    source = source_new(place_fd, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    source_destroy(&source);
    sw_fd_close(&job_fd);
    return place_remove(state);
}

static void write_input(uint32_t add, const char *bytes)
{
    char name[32], sum_name[48];
    snprintf(name, sizeof name, "in.%u.0", add);
    snprintf(sum_name, sizeof sum_name, "%s.sum", name);
    unlinkat(job_fd, name, 0); /* as linking does */
    unlinkat(job_fd, sum_name, 0);
    AUTO_FD int fd = openat(job_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    AUTO_FD int sum_fd = openat(job_fd, sum_name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(sw_write_all(fd, bytes, strlen(bytes)), 0);
    assert_int_equal(sw_sums_make(fd, sum_fd), 0);
}

/* An ADD of one file, a chunk for each of its bytes. */
static void make_add(uint32_t add, uint32_t first_chunk, const char *bytes)
{
    struct sw_plan_piece pieces[8] = {0};
    struct sw_plan_head head = {.first_chunk = first_chunk, .n_chunks = (uint32_t)strlen(bytes)};
    struct sw_entry entry = {.name = "f", .name_size = 1, .size = strlen(bytes), .reason = ""};
    AUTO_BUF struct sw_buf manifest = {0};
    for (uint32_t i = 0; i < head.n_chunks; i++)
        pieces[i] = (struct sw_plan_piece){.chunk = i, .offset = i, .size = 1};
    write_input(add, bytes);
    assert_int_equal(sw_manifest_append(&manifest, &entry), 0);
    assert_int_equal(sw_plan_write(job_fd, add, &head, pieces, head.n_chunks, &manifest), 0);
    source_add(source, JOB, add, first_chunk, head.n_chunks);
}

/* The byte of a chunk, which is the last of its stream; 0: it is not there. */
static char byte_of(uint32_t chunk)
{
    char stream[100];
    size_t n = 0;
    struct sw_err err;
    int r = source_read(source, JOB, chunk, 0, stream, sizeof stream, &n, NULL, &err);
    assert_true(r == 0 || r == -ENOENT);
    return (char)(r == 0 && n ? stream[n - 1] : 0);
}

static void test_chunks_are_found(void **state)
{
    (void)state;
    make_add(0, 0, "ab");
    make_add(1, 2, "cde");
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(byte_of(i), "abcde"[i]);
    assert_int_equal(byte_of(5), 0);
    assert_int_equal(source_pieces(source, JOB, 4), 1);
    assert_int_equal(source_pieces(source, JOB, 5), 0);
    assert_int_equal(source_bytes(source, JOB, 4), 1);
    assert_int_equal(source_bytes(source, JOB, 5), 0);
    source_forget(source, JOB);
    assert_int_equal(byte_of(0), 0);
}

static void test_a_number_given_again_has_the_new_inputs(void **state)
{
    (void)state;
    make_add(0, 0, "ab");
    make_add(1, 2, "cde"); /* refused by the core, after a look at it or before */
    assert_int_equal(byte_of(2), 'c');
    make_add(1, 2, "xyzuvw");
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(byte_of(i), "abxyzuvw"[i]);
    make_add(1, 2, "pqrstu"); /* as many */
    assert_int_equal(byte_of(2), 'p');
    make_add(1, 2, "k");
    assert_int_equal(byte_of(2), 'k');
    assert_int_equal(byte_of(3), 0);
    make_add(2, 3, "l");
    assert_int_equal(byte_of(3), 'l');
    assert_int_equal(byte_of(0), 'a');
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_chunks_are_found),
        CASE(test_a_number_given_again_has_the_new_inputs),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
