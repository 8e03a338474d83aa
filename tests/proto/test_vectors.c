/* The golden vectors of proto/vectors: each header decodes to its values; values encode to the
 * header, unless it comes from an older or newer peer; rows render as they did. Every message has
 * its file, and every file is of a message. */
#include "vector.h"

#include "base/io.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_t *load(const struct sw_record *record)
{
    char path[sizeof VECTORS + 64];
    int n = snprintf(path, sizeof path, "%s/%s.json", VECTORS, record->constant);
    for (char *p = path + n - strlen(record->constant) - 5; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    json_error_t error;
    json_t *whole = json_load_file(path, 0, &error);
    if (!whole)
        fail_msg("%s: %s: `ninja -C build-test vectors` makes it", path, error.text);
    return whole;
}

static void check_decode(const struct sw_record *record, const json_t *one)
{
    static struct sw_message message;
    struct sw_arena arena = {0};
    struct sw_err err;
    AUTO_BUF struct sw_buf header = {0};
    assert_true(vector_bytes(json_object_get(one, "header"), &header));
    assert_int_equal(sw_decode(header.data, header.size, &arena, &message, &err), 0);
    assert_int_equal(message.type, record->type);
    json_t *fields = vector_fields(record, &message.of);
    json_t *rendered = vector_rendered(record, &message.of);
    if (!json_equal(fields, json_object_get(one, "fields")))
        fail_msg("%s %s decodes to %s", record->constant,
                 json_string_value(json_object_get(one, "name")), json_dumps(fields, 0));
    if (rendered && !json_equal(rendered, json_object_get(one, "rendered")))
        fail_msg("%s %s renders as %s", record->constant,
                 json_string_value(json_object_get(one, "name")), json_dumps(rendered, 0));
    json_decref(fields);
    json_decref(rendered);
    sw_arena_done(&arena);
}

static void check_encode(const struct sw_record *record, const json_t *one)
{
    static struct sw_message message;
    struct vector_memory memory = {0};
    AUTO_BUF struct sw_buf want = {0}, got = {0};
    memset(&message, 0, sizeof message);
    assert_true(vector_bytes(json_object_get(one, "header"), &want));
    assert_true(vector_value(record, json_object_get(one, "fields"), &memory, &message.of));
    sw_encode(record->type, &message.of, &got);
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, got.size);
    vector_memory_done(&memory);
}

static void each_message(void **state)
{
    const struct sw_record *record = *state;
    json_t *whole = load(record), *one;
    size_t i, encoded = 0;
    assert_string_equal(json_string_value(json_object_get(whole, "message")), record->constant);
    assert_int_equal(json_integer_value(json_object_get(whole, "code")), record->type);
    json_array_foreach(json_object_get(whole, "cases"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        check_decode(record, one);
        if (strcmp(name, "older") != 0 && strcmp(name, "newer") != 0) {
            check_encode(record, one);
            encoded++;
        }
    }
    assert_true(encoded >= 2 && i >= 4);
    json_decref(whole);
}

static void no_file_is_of_nothing(void **state)
{
    (void)state;
    DIR *folder = opendir(VECTORS);
    size_t messages = 0, files = 0;
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        files += strstr(entry->d_name, ".json") != NULL;
    closedir(folder);
    for (size_t i = 0; sw_all_records[i]; i++)
        messages += sw_all_records[i]->constant != NULL;
    assert_int_equal(files, messages);
}

int main(void)
{
    struct CMUnitTest tests[128] = {cmocka_unit_test(no_file_is_of_nothing)};
    size_t n = 1;
    for (size_t i = 0; sw_all_records[i]; i++)
        if (sw_all_records[i]->constant)
            tests[n++] = (struct CMUnitTest){sw_all_records[i]->constant, each_message, NULL, NULL,
                                             (void *)sw_all_records[i]};
    return _cmocka_run_group_tests("vectors", tests, n, NULL, NULL);
}
