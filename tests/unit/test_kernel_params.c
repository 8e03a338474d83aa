/* sw_params_parse against tables: every type, its bounds, and the words of each refusal. The real
 * kernels' own rules are in tests/contract; here is a made-up kernel with one parameter of each
 * kind. */
#include "kernels/kernel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct sw_param params[] = {
    {.name = "level", .type = SW_PARAM_INT, .fallback = "3", .min = -5, .max = 19, .help = "Level"},
    {.name = "fast", .type = SW_PARAM_BOOL, .fallback = "false", .help = "Fast"},
    {.name = "op", .type = SW_PARAM_CHOICE, .choices = "up down updown", .help = "Which way"},
    {.name = "pattern",
     .type = SW_PARAM_TEXT,
     .required = true,
     .min = 1,
     .max = 8,
     .help = "What"},
    {.name = "note", .type = SW_PARAM_TEXT, .help = "Anything"},
};

static int check(const struct sw_values *values, struct sw_err *err)
{
    if (values->v[1].number && values->v[0].number > 5)
        return sw_fail(err, EINVAL, "fast goes with level 5 at most");
    return 0;
}

static const struct sw_kernel kernel = {
    .name = "demo", .params = params, .n_params = SW_COUNT(params), .check = check};

/* "name=value" items, NULL at the end */
static int parse(const char *const *items, struct sw_values *values, struct sw_err *err)
{
    static char names[8][32];
    static struct sw_param_text list[8];
    size_t n = 0;
    for (; items[n]; n++) {
        const char *equals = strchr(items[n], '=');
        snprintf(names[n], sizeof names[n], "%.*s", (int)(equals - items[n]), items[n]);
        list[n] = (struct sw_param_text){names[n], equals + 1, strlen(equals + 1)};
    }
    return sw_params_parse(&kernel, list, n, values, err);
}

static void test_values(void **state)
{
    (void)state;
    struct sw_values v;
    struct sw_err err = {0};
    assert_int_equal(parse((const char *[]){"pattern=a+b", NULL}, &v, &err), 0);
    assert_true(v.v[0].present && v.v[0].number == 3); /* the default */
    assert_true(v.v[1].present && v.v[1].number == 0);
    assert_false(v.v[2].present);
    assert_string_equal(v.v[3].text, "a+b");
    assert_int_equal(v.v[3].size, 3);
    assert_false(v.v[4].present);
    const char *all[] = {"note=", "op=updown", "level=-5", "fast=", "pattern=12345678", NULL};
    assert_int_equal(parse(all, &v, &err), 0);
    assert_int_equal(v.v[0].number, -5);
    assert_int_equal(v.v[1].number, 1); /* a bare flag */
    assert_int_equal(v.v[2].number, 2);
    assert_string_equal(v.v[2].text, "updown");
    assert_true(v.v[4].present && v.v[4].size == 0);
    const char *words[][2] = {
        {"fast=true", "1"}, {"fast=1", "1"}, {"fast=false", ""}, {"fast=0", ""}};
    for (size_t i = 0; i < SW_COUNT(words); i++) {
        assert_int_equal(parse((const char *[]){words[i][0], "pattern=x", NULL}, &v, &err), 0);
        assert_int_equal(v.v[1].number, *words[i][1] == '1');
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *items[3];
        const char *words;
    } cases[] = {
        {{"level=20"}, "level \"20\" is not allowed: a whole number from -5 to 19"},
        {{"level=-6"}, "level \"-6\" is not allowed: a whole number from -5 to 19"},
        {{"level="}, "level \"\" is not allowed: a whole number from -5 to 19"},
        {{"level=-"}, "level \"-\" is not allowed: a whole number from -5 to 19"},
        {{"level=3 "}, "level \"3 \" is not allowed: a whole number from -5 to 19"},
        {{"level=+3"}, "level \"+3\" is not allowed: a whole number from -5 to 19"},
        {{"level=0x3"}, "level \"0x3\" is not allowed: a whole number from -5 to 19"},
        {{"level=3.0"}, "level \"3.0\" is not allowed: a whole number from -5 to 19"},
        {{"level=99999999999999999999"},
         "level \"99999999999999999999\" is not allowed: a whole number from -5 to 19"},
        {{"level=1111111111111111111111111111111111111111111111"},
         "level \"11111111111111111111111111111111...\" is not allowed: a whole number from -5 to "
         "19"},
        {{"fast=yes"}, "fast \"yes\" is not allowed: true or false"},
        {{"op=sideways"}, "op \"sideways\" is not allowed: one of up down updown"},
        {{"op="}, "op \"\" is not allowed: one of up down updown"},
        {{"op=up down"}, "op \"up down\" is not allowed: one of up down updown"},
        {{"op=upd"}, "op \"upd\" is not allowed: one of up down updown"},
        {{"op=a\033\"\xc3"}, "op \"a???\" is not allowed: one of up down updown"},
        {{"pattern="}, "pattern has 0 bytes: 1 to 8 are allowed"},
        {{"pattern=123456789"}, "pattern has 9 bytes: 1 to 8 are allowed"},
        {{"note=x", "note=y"}, "note is given twice"},
        {{"fast=", "fast=false"}, "fast is given twice"},
        {{"Level=3"}, "unknown parameter \"Level\": demo takes level fast op pattern note"},
        {{"=3"}, "unknown parameter \"\": demo takes level fast op pattern note"},
        {{"level=3"}, "pattern is required: What"},
        {{"fast=1", "level=6"}, "pattern is required: What"},
    };
    for (size_t i = 0; i < SW_COUNT(cases); i++) {
        struct sw_values v = {.v[0].number = 77};
        struct sw_err err = {0};
        assert_int_equal(parse(cases[i].items, &v, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].words);
        assert_int_equal(v.v[0].number, 77); /* untouched on failure */
    }
}

static void test_edges(void **state)
{
    (void)state;
    struct sw_values v;
    struct sw_err err = {0};
    struct sw_param_text nul = {"pattern", "a\0b", 3};
    assert_int_equal(sw_params_parse(&kernel, &nul, 1, &v, &err), -EINVAL);
    assert_string_equal(err.text, "pattern must not contain a NUL byte");
    AUTO_BUF struct sw_buf note = {0};
    for (size_t i = 0; i < SW_PARAM_TEXT_MAX; i++)
        sw_buf_text(&note, "n");
    struct sw_param_text list[] = {{"pattern", "x", 1}, {"note", (char *)note.data, note.size}};
    assert_int_equal(sw_params_parse(&kernel, list, 2, &v, &err), 0);
    sw_buf_text(&note, "n");
    list[1] = (struct sw_param_text){"note", (char *)note.data, note.size};
    assert_int_equal(sw_params_parse(&kernel, list, 2, &v, NULL), -EINVAL);
    const char *both[] = {"fast=1", "level=6", "pattern=x", NULL};
    assert_int_equal(parse(both, &v, &err), -EINVAL); /* the kernel's own rule comes last */
    assert_string_equal(err.text, "fast goes with level 5 at most");
}

/* Each declared kernel can be shown and parsed: what REST, shadowctl and the form rely on. */
static void test_declarations(void **state)
{
    (void)state;
    for (size_t i = 0; sw_kernels[i]; i++) {
        const struct sw_kernel *k = sw_kernels[i];
        assert_ptr_equal(sw_kernel_find(k->name), k);
        assert_true(k->rev > 0 && *k->title && *k->help && k->n_params <= SW_PARAMS_MAX);
        assert_true(k->output_name && k->split && k->open && k->close && k->run);
        assert_non_null(sw_kernel_engine(k));
        for (size_t j = 0; j < k->n_params; j++) {
            const struct sw_param *p = &k->params[j];
            assert_true(*p->help && p->help[strlen(p->help) - 1] != '.');
            assert_true(!(p->required && p->fallback));
            assert_int_equal(p->type == SW_PARAM_CHOICE, p->choices != NULL);
            struct sw_values v; /* defaults are within bounds, or the parser asserts */
            struct sw_param_text none = {0};
            int r = sw_params_parse(k, &none, 0, &v, NULL);
            assert_true(r == 0 || r == -EINVAL);
        }
    }
    assert_null(sw_kernel_find("Compress"));
    assert_null(sw_kernel_find(""));
}

static struct sw_growth growth_of(const char *name, const struct sw_param_text *list, size_t n)
{
    struct sw_values values;
    struct sw_err err = {0};
    const struct sw_kernel *real = sw_kernel_find(name);
    assert_int_equal(sw_params_parse(real, list, n, &values, &err), 0);
    struct sw_growth growth = sw_kernel_growth(real, &values);
    assert_true(growth.times <= 1U << 13 && growth.more <= UINT64_C(1) << 50);
    return growth;
}

/* The bounds of outputs follow what the parameters allow. */
static void test_growth(void **state)
{
    (void)state;
    const struct sw_param_text unpack[] = {{"op", "decompress", 10},
                                           {"max-bytes", "9000000000", 10}};
    const struct sw_param_text filter[] = {{"pattern", "a", 1}, {"with-filename", "true", 4}};
    assert_int_equal(growth_of("transform", unpack, 1).times, 100);
    assert_int_equal(growth_of("transform", unpack, 1).more, 1 << 30);
    assert_int_equal(growth_of("transform", unpack, 2).more, 9000000000);
    assert_true(growth_of("filter", filter, 1).times < 4096);
    assert_true(growth_of("filter", filter, 2).times > 4096); /* a name before each empty line */
    assert_true(growth_of("hash", NULL, 0).more > (uint64_t)2 * SW_OUTPUT_NAME_MAX);
    assert_true(sw_kernel_growth(NULL, NULL).times > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_edges),  cmocka_unit_test(test_declarations),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
