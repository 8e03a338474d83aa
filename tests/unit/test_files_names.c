/* Names of results: made safe for a tar, clashes found before anything runs. */
#include "files_result_test.h"

static int seal_names(const char *const *names, size_t n, bool concat, struct sw_err *err)
{
    static char sums[] = "SHA256SUMS", none[] = "";
    const struct sw_result_rule rule = {.concat = concat,
                                        .output_name = concat ? one_name : add_suffix,
                                        .arg = concat ? sums : none};
    struct sw_result *result = sw_result_new(-1, &rule);
    for (size_t i = 0; i < n; i++) {
        const struct sw_entry entry = {.name = names[i], .name_size = strlen(names[i])};
        push(result, &entry, 1);
    }
    int r = sw_result_seal(result, err);
    sw_result_destroy(&result);
    return r;
}

static void test_clashes(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"a", "b", "a"},      {"a", "b", "/a"},     {"x/../a", "b", "x/a"}, {"./a", "b", "a"},
        {"a//b", "c", "a/b"}, {"../a", "b", "a/."}, {"a", "a.b", "a/b"},    {"a/b/c", "a-b", "a/b"},
    };
    static const char *const good[] = {"a",     "a.b", "a-b", "aa",  "A",      "a b",
                                       "a\xff", "..a", "a..", "b/a", "b/a.x/c"};
    static const char *const nameless[] = {"..", "/", "./..", "."};
    struct sw_err err = {""};
    for (size_t i = 0; i < SW_COUNT(bad); i++) {
        if (seal_names(bad[i], 3, false, &err) != -EEXIST)
            fail_msg("clash %zu was not found", i);
        assert_true(strlen(err.text) > 20);
        assert_int_equal(seal_names(bad[i], 3, true, &err), 0); /* one output: nothing can clash */
    }
    assert_int_equal(seal_names(good, SW_COUNT(good), false, &err), 0);
    for (size_t i = 0; i < SW_COUNT(nameless); i++)
        assert_int_equal(seal_names(&nameless[i], 1, false, &err), -EINVAL);
    const char *const escaped[] = {"\x1b[1m\xff", "\x1b[1m\xff"};
    assert_int_equal(seal_names(escaped, 2, false, &err), -EEXIST);
    assert_string_equal(err.text, "'\\x1b[1m\\xff' and '\\x1b[1m\\xff' would both give the output "
                                  "'\\x1b[1m\\xff'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
