/* Deep copies: they outlive what they were made of, and their strings end with a NUL. */
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_copy_outlives_its_original(void **state)
{
    (void)state;
    AUTO_BUF struct sw_buf want = {0}, bytes = {0}, got = {0};
    struct sw_arena arena = {0};
    struct sw_message message;
    struct sw_err err;
    const struct sw_msg_outcome pieces[] = {
        {5, sw_str_of("a corrupt frame")}, {7, {0}}, {0, {"", 0}}};
    const struct sw_msg_result results[] = {{.job = 1, .pieces = pieces, .n_pieces = 3},
                                            {.job = 2},
                                            {.job = 3, .pieces = pieces, .n_pieces = 1}};
    struct sw_msg_done done = {.session = 9, .results = results, .n_results = 3};
    sw_encode(SW_MSG_DONE, &done, &want);
    sw_buf_put(&bytes, want.data, want.size);
    assert_int_equal(sw_decode(bytes.data, bytes.size, &arena, &message, &err), 0);
    struct sw_msg_done *copy = sw_record_clone(&sw_record_done, &message.of);
    memset(bytes.data, 0xee, bytes.size);
    memset(arena.data, 0xee, arena.used);
    memset(&message, 0xee, sizeof message);
    sw_encode(SW_MSG_DONE, copy, &got);
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, got.size);
    assert_string_equal(copy->results[0].pieces[0].error.p, "a corrupt frame");
    assert_string_equal(copy->results[0].pieces[1].error.p, "");
    assert_int_equal((uintptr_t)copy->results[2].pieces % 8, 0);
    sw_release(copy);
    sw_arena_done(&arena);
}

static void a_record_in_a_record(void **state)
{
    (void)state;
    char platform[] = "linux", key[] = "k\0y";
    struct sw_msg_device_row row = {.public_key = {key, 3},
                                    .system_info = {.platform = sw_str_of(platform), .memory = 5}};
    struct sw_msg_device_row *copy = sw_record_clone(&sw_record_device_row, &row);
    memset(platform, 'x', sizeof platform);
    memset(key, 'x', sizeof key);
    assert_string_equal(copy->system_info.platform.p, "linux");
    assert_int_equal(copy->system_info.memory, 5);
    assert_memory_equal(copy->public_key.p, "k\0y", 4);
    assert_int_equal(copy->n_kernels, 0);
    struct sw_msg_device_row *again = sw_record_clone(&sw_record_device_row, copy);
    sw_release(copy);
    assert_string_equal(again->system_info.platform.p, "linux");
    sw_release(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_outlives_its_original),
        cmocka_unit_test(a_record_in_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
