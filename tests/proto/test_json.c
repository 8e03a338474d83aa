/* The renderings: what is null, what is left out, how names in any bytes, parameters, times and ids
 * look. Compared as JSON, field for field. */
#include "proto/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void renders(const struct sw_record *record, const void *value, const char *expected)
{
    json_error_t error;
    json_t *want = json_loads(expected, 0, &error), *got = sw_json(record, value);
    assert_non_null(want);
    char *text = json_dumps(got, JSON_SORT_KEYS);
    assert_non_null(text);
    if (!json_equal(want, got))
        fail_msg("%s", text);
    free(text);
    json_decref(want);
    json_decref(got);
}

static void an_empty_job_has_nulls_where_they_are_allowed(void **state)
{
    (void)state;
    struct sw_msg_job job = {0};
    renders(
        &sw_record_job, &job,
        "{\"jobId\":\"0\",\"type\":\"\",\"status\":\"\",\"totalChunks\":0,\"completedChunks\":0,"
        "\"failedChunks\":0,\"totalFiles\":0,\"failedFiles\":0,\"inputData\":null,\"result\":"
        "null,\"createdAt\":null,\"startedAt\":null,\"completedAt\":null,\"name\":\"\","
        "\"priority\":0,\"params\":{},\"progress\":0.0,\"bytesIn\":0,\"bytesOut\":0,\"error\":"
        "null}");
}

static void a_full_job(void **state)
{
    (void)state;
    const struct sw_msg_param params[] = {
        {sw_str_of("level"), sw_str_of("-9"), 1},
        {sw_str_of("fixed"), sw_str_of("true"), 2},
        {sw_str_of("invert"), sw_str_of("false"), 2},
        {sw_str_of("pattern"), sw_str_of("a\xffz"), 0},
        {sw_str_of("to"), {0}, 0},
    };
    struct sw_msg_job job = {
        .job = UINT64_MAX,
        .type = sw_str_of("filter"),
        .status = sw_str_of("failed"),
        .total_chunks = INT64_MAX,
        .input_data = sw_str_of("[{\"name\": \"x\"}, 5, null]"),
        .result = sw_str_of("{\"files\":[]}"),
        .created_at = 1795564680123,
        .started_at = 951782400000, /* a 29th of February */
        .completed_at = 1,
        .name = sw_str_of("B\xc3\xa4r\n\"\x01"),
        .priority = -100,
        .params = params,
        .n_params = SW_COUNT(params),
        .progress = 0.25,
        .error = sw_str_of("why"),
        .owner = sw_str_of("never shown"),
    };
    renders(
        &sw_record_job, &job,
        "{\"jobId\":\"18446744073709551615\",\"type\":\"filter\",\"status\":\"failed\","
        "\"totalChunks\":9223372036854775807,\"completedChunks\":0,\"failedChunks\":0,"
        "\"totalFiles\":0,\"failedFiles\":0,\"inputData\":[{\"name\":\"x\"},5,null],\"result\":"
        "{\"files\":[]},\"createdAt\":\"2026-11-24T23:58:00.123Z\",\"startedAt\":"
        "\"2000-02-29T00:00:00.000Z\",\"completedAt\":\"1970-01-01T00:00:00.001Z\",\"name\":"
        "\"B\xc3\xa4r\\n\\\"\\u0001\",\"priority\":-100,\"params\":{\"level\":-9,\"fixed\":true,"
        "\"invert\":false,\"pattern\":\"a\xef\xbf\xbdz\",\"to\":\"\"},\"progress\":0.25,"
        "\"bytesIn\":0,\"bytesOut\":0,\"error\":\"why\"}");
}

static void a_device_with_what_it_can(void **state)
{
    (void)state;
    const struct sw_msg_kernel kernels[] = {{sw_str_of("hash"), 1, sw_str_of("openssl 3")},
                                            {sw_str_of("filter"), 2, {0}}};
    struct sw_msg_agent agent = {
        .device_id = sw_str_of("d-abc"),
        .name = sw_str_of("desk"),
        .kind = sw_str_of("agent"),
        .status = sw_str_of("online"),
        .system_info = {sw_str_of("linux x86_64"), 8, UINT64_C(16) << 30},
        .slots = 4,
        .current_load = 0.5,
        .version = sw_str_of("0.1.0"),
        .kernels = kernels,
        .n_kernels = 2,
    };
    renders(
        &sw_record_agent, &agent,
        "{\"deviceId\":\"d-abc\",\"name\":\"desk\",\"kind\":\"agent\",\"status\":\"online\","
        "\"reason\":null,\"systemInfo\":{\"platform\":\"linux x86_64\",\"cpuCores\":8,"
        "\"memory\":17179869184},\"slots\":4,\"currentLoad\":0.5,\"tasksCompleted\":0,"
        "\"lastHeartbeat\":null,\"connectedAt\":null,\"version\":\"0.1.0\",\"kernels\":"
        "[{\"type\":\"hash\",\"rev\":1,\"engine\":\"openssl 3\"},{\"type\":\"filter\",\"rev\":2,"
        "\"engine\":\"\"}]}");
}

static void a_chunk_hides_what_is_not_for_people(void **state)
{
    (void)state;
    struct sw_msg_chunk chunk = {.chunk_id = sw_str_of("7-0"),
                                 .job = 7,
                                 .status = sw_str_of("completed"),
                                 .stderr_tail = sw_str_of("\xf0\x9f\xa6\x8a \xf0\x9f"),
                                 .n = 5,
                                 .output = sw_str_of("bytes"),
                                 .losses = 2};
    renders(&sw_record_chunk, &chunk,
            "{\"chunkId\":\"7-0\",\"jobId\":\"7\",\"chunkIndex\":0,\"status\":\"completed\","
            "\"assignedTo\":null,\"attempts\":0,\"result\":null,\"error\":null,\"stderr\":"
            "\"\xf0\x9f\xa6\x8a \xef\xbf\xbd\xef\xbf\xbd\",\"startedAt\":null,\"completedAt\":"
            "null}");
}

/* A name that is UTF-8 is shown as it is, backslashes too; any other escaped, and exact beside it.
 */
static void names_in_any_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t size;
        const char *shown, *exact;
    } table[] = {
        {"plain.txt", 9, "plain.txt", NULL},
        {"", 0, "", NULL},
        {"a\\b", 3, "a\\b", NULL},
        {"new\nline \x7f", 10, "new\nline \x7f", NULL},
        {"\xe6\x97\xa5", 3, "\xe6\x97\xa5", NULL},
        {"\xff", 1, "\\xff", "/w=="},
        {"a\\\xff", 3, "a\\\\\\xff", "YVz/"},
        {"\xc3\xa4\xc3", 3, "\xc3\xa4\\xc3", "w6TD"},
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80", "7aCA"},              /* half a surrogate pair */
        {"\xc0\x80", 2, "\\xc0\\x80", "wIA="},                       /* an overlong NUL */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80", "9JCAgA=="}, /* beyond Unicode */
        {"\xf0\x9f\xa6\x8a\xfe", 5, "\xf0\x9f\xa6\x8a\\xfe", "8J+miv4="},
    };
    for (size_t i = 0; i < SW_COUNT(table); i++) {
        struct sw_msg_input input = {
            .name = {table[i].name, table[i].size}, .size = 5, .mtime = -1};
        json_t *got = sw_json(&sw_record_input, &input);
        assert_string_equal(json_string_value(json_object_get(got, "name")), table[i].shown);
        const char *exact = json_string_value(json_object_get(got, "nameBytes"));
        assert_int_equal(exact != NULL, table[i].exact != NULL);
        if (exact)
            assert_string_equal(exact, table[i].exact);
        assert_int_equal(json_integer_value(json_object_get(got, "mtime")), -1);
        json_decref(got);
    }
}

static void values_that_json_has_not(void **state)
{
    (void)state;
    static const double reals[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < SW_COUNT(reals); i++) {
        struct sw_msg_stat stat = {sw_str_of("x"), reals[i]};
        renders(&sw_record_stat, &stat, "{\"name\":\"x\",\"value\":0.0}");
    }
    struct sw_msg_job job = {.total_chunks = UINT64_MAX,
                             .created_at = INT64_MAX,
                             .started_at = INT64_MIN,
                             .completed_at = -1,
                             .input_data = sw_str_of("{not json"),
                             .result = sw_str_of("\"\\u0000\"")};
    json_t *got = sw_json(&sw_record_job, &job);
    assert_true(json_real_value(json_object_get(got, "totalChunks")) > 1.8e19);
    assert_string_equal(json_string_value(json_object_get(got, "createdAt")),
                        "9999-12-31T23:59:59.999Z");
    assert_string_equal(json_string_value(json_object_get(got, "startedAt")),
                        "0000-01-01T00:00:00.000Z");
    assert_string_equal(json_string_value(json_object_get(got, "completedAt")),
                        "1969-12-31T23:59:59.999Z");
    assert_true(json_is_null(json_object_get(got, "inputData")));
    assert_int_equal(json_string_length(json_object_get(got, "result")), 1); /* as it was sent */
    json_decref(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_job_has_nulls_where_they_are_allowed),
        cmocka_unit_test(a_full_job),
        cmocka_unit_test(a_device_with_what_it_can),
        cmocka_unit_test(a_chunk_hides_what_is_not_for_people),
        cmocka_unit_test(names_in_any_bytes),
        cmocka_unit_test(values_that_json_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
