/* The list of brokers in a configuration: places, endpoints, and the words of every refusal. */
#include "proto/brokers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void test_one_and_many(void **state)
{
    struct sw_brokers brokers;
    (void)state;
    assert_int_equal(sw_brokers_parse("127.0.0.1:7420", &brokers, NULL), 0);
    assert_int_equal(brokers.n, 1);
    assert_string_equal(brokers.at[0].control, "tcp://127.0.0.1:7420");
    assert_string_equal(brokers.at[0].data, "tcp://127.0.0.1:7421");
    assert_int_equal(sw_brokers_parse(" a.example:1 ,\t[::1]:65534", &brokers, NULL), 0);
    assert_int_equal(brokers.n, 2);
    assert_string_equal(brokers.at[0].place, "a.example:1");
    assert_string_equal(brokers.at[1].control, "tcp://[::1]:65534");
    assert_string_equal(brokers.at[1].data, "tcp://[::1]:65535");
    assert_int_equal(sw_brokers_parse("a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8", &brokers, NULL), 0);
    assert_int_equal(brokers.n, SW_BROKERS_MAX);
    assert_string_equal(brokers.at[7].data, "tcp://h:9");
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {"",         "a",       "a:",    ":1",   "a:0",
                                      "a:65535",  "a:7420x", "a:-1",  "a:1,", ",a:1",
                                      "a:1,,b:2", "a:1 b:2", "a b:1", "a: 1", "a:1;b:2x"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sw_brokers brokers = {.n = 77};
        struct sw_err err = {""};
        assert_int_equal(sw_brokers_parse(bad[i], &brokers, &err), -EINVAL);
        assert_non_null(strstr(err.text, "HOST:PORT"));
        assert_int_equal(brokers.n, 77);
    }
    struct sw_brokers brokers;
    struct sw_err err;
    char text[400];
    assert_int_equal(sw_brokers_parse("a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8,i:9", &brokers, &err),
                     -EINVAL);
    assert_string_equal(err.text, "broker: more than 8 are named");
    memset(text, 'x', sizeof text);
    memcpy(text + sizeof text - 3, ":1", 3);
    assert_int_equal(sw_brokers_parse(text, &brokers, &err), -EINVAL);
    assert_non_null(strstr(err.text, "at most 255 bytes"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_and_many),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
