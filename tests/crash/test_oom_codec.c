/* The codec to which memory is refused, at every call for it: each golden vector decoded, encoded
 * and copied. It comes back whole or not at all (sw_alloc aborts), a refusal hands nothing out,
 * and what comes back leaves no block behind. */
#include "proto/json.h"
#include "proto/message.h"
#include "refuse.h"
#include "vector.h"

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static unsigned points;

/* A way through the codec: true if it succeeded, and then what came of it is right. */
struct way {
    const struct sw_record *record;
    const struct sw_buf *header;
    struct sw_message message; /* decoded with memory */
    struct sw_buf encoded;     /* with memory */
    json_t *rendered;          /* its rows, with memory; NULL where it has none */
};
typedef bool way_fn(struct way *way);

static bool decode(struct way *way)
{
    static struct sw_message message;
    struct sw_arena arena = {0};
    struct sw_err err;
    message.type = SW_MSG_NONE;
    bool done = sw_decode(way->header->data, way->header->size, &arena, &message, &err) == 0;
    assert_int_equal(message.type, done ? way->record->type : SW_MSG_NONE);
    sw_arena_done(&arena);
    return done;
}

static bool encode(struct way *way)
{
    AUTO_BUF struct sw_buf bytes = {0};
    sw_encode(way->record->type, &way->message.of, &bytes);
    assert_int_equal(bytes.size, way->encoded.size);
    assert_memory_equal(bytes.data, way->encoded.data, bytes.size);
    return true;
}

static bool clone(struct way *way)
{
    AUTO_BUF struct sw_buf bytes = {0};
    void *copy = sw_record_clone(way->record, &way->message.of);
    sw_encode(way->record->type, copy, &bytes);
    sw_release(copy);
    assert_int_equal(bytes.size, way->encoded.size);
    assert_memory_equal(bytes.data, way->encoded.data, bytes.size);
    return true;
}

/* The objects of its rows: whole ones. */
static bool render(struct way *way)
{
    const uint8_t *at = (const uint8_t *)&way->message.of;
    const struct sw_field *field = way->record->fields;
    struct {
        const uint8_t *p;
        size_t n;
    } rows;
    while (strcmp(field->name, "rows") != 0)
        at += sw_field_size(field++);
    memcpy(&rows, at, sizeof rows);
    for (size_t i = 0; i < rows.n; i++) {
        json_t *row = sw_json(field->record, rows.p + i * field->record->size);
        assert_true(json_equal(row, json_array_get(way->rendered, i)));
        json_decref(row);
    }
    return true;
}

/* Whether it came to its end: false for an abort. */
static bool try_way(way_fn *fn, struct way *way, uint64_t at, bool *ret_done, uint64_t *ret_calls)
{
    static jmp_buf abort_to;
    int64_t before = refuse_blocks();
    refuse_abort = &abort_to;
    volatile bool returned = false;
    if (setjmp(abort_to) == 0) {
        refuse_from(at, false);
        *ret_done = fn(way);
        returned = true;
    }
    *ret_calls = refuse_end();
    refuse_abort = NULL;
    if (returned)
        assert_int_equal(refuse_blocks(), before);
    return returned;
}

static void every_call(way_fn *fn, struct way *way)
{
    bool done = false;
    uint64_t calls = 0, same;
    assert_true(try_way(fn, way, 0, &done, &calls));
    assert_true(done);
    for (uint64_t at = 1; at <= calls; at++, points++) {
        bool returned = try_way(fn, way, at, &done, &same);
        if (returned && done)
            fail_msg("%s: call %ju was refused, and it went on", way->record->constant,
                     (uintmax_t)at);
    }
}

static json_t *load(const struct sw_record *record)
{
    char path[sizeof VECTORS + 64];
    int n = snprintf(path, sizeof path, "%s/%s.json", VECTORS, record->constant);
    for (char *p = path + n - strlen(record->constant) - 5; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    json_t *whole = json_load_file(path, 0, NULL);
    assert_non_null(whole);
    return whole;
}

static void each_message(void **state)
{
    struct way way = {.record = *state};
    json_t *whole = load(way.record), *one;
    size_t i;
    json_array_foreach(json_object_get(whole, "cases"), i, one)
    {
        AUTO_BUF struct sw_buf header = {0};
        struct sw_arena arena = {0};
        struct sw_err err;
        assert_true(vector_bytes(json_object_get(one, "header"), &header));
        way.header = &header;
        assert_int_equal(sw_decode(header.data, header.size, &arena, &way.message, &err), 0);
        sw_encode(way.record->type, &way.message.of, &way.encoded);
        way.rendered = vector_rendered(way.record, &way.message.of);
        every_call(decode, &way);
        every_call(encode, &way);
        every_call(clone, &way);
        if (way.rendered)
            every_call(render, &way);
        json_decref(way.rendered);
        sw_buf_done(&way.encoded);
        sw_arena_done(&arena);
    }
    json_decref(whole);
}

static void covered(void **state)
{
    (void)state;
    print_message("# covered: memory refused at all %u calls for it\n", points);
    assert_true(points > 1000);
}

int main(void)
{
    struct CMUnitTest tests[128];
    size_t n = 0;
    for (size_t i = 0; sw_all_records[i]; i++)
        if (sw_all_records[i]->constant)
            tests[n++] = (struct CMUnitTest){sw_all_records[i]->constant, each_message, NULL, NULL,
                                             (void *)sw_all_records[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(covered);
    return _cmocka_run_group_tests("oom-codec", tests, n, NULL, NULL);
}
