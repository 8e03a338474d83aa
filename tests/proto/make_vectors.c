/* Makes proto/vectors: for each message a file with headers and what they mean. Run by hand (`ninja
 * vectors`) when messages.def grew; what was there before must stay as it is, since old peers still
 * say it. */
#include "vector.h"

#include "base/io.h"
#include "base/pack.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const uint64_t unsigned_edges[] = {0,
                                          1,
                                          127,
                                          128,
                                          255,
                                          256,
                                          65535,
                                          65536,
                                          UINT32_MAX,
                                          UINT64_C(4294967296),
                                          UINT64_C(9007199254740993),
                                          INT64_MAX,
                                          UINT64_MAX};
static const int64_t signed_edges[] = {
    -1,        -32,       -33, -128, -129, INT16_MIN, -32769, INT32_MIN, INT64_C(-2147483649),
    INT64_MIN, INT64_MAX, 0,   127,  128};
static const double real_edges[] = {0.5, 0, -1.25, 1e300, 5e-324, 1, 1.0 / 3};
static const char *const texts[] = {"", "a", "31 bytes, the longest fixstr....",
                                    "Bär\n\t\"quoted\" \\ and 🦊", "text"};
static const char *const names[] = {"plain.txt", "na\xc3\xafve", "\xff\xfe\\back", " -\n", "日本"};
static const char *const jsons[] = {"{\"a\":[1,\"x\",null]}", "", "\"text\"", "[]"};

static struct sw_str text_for(const struct sw_field *field, size_t number, bool inside)
{
    static char long_text[256];
    memset(long_text, 'x', sizeof long_text);
    if (field->kind == SW_NAME)
        return sw_str_of(names[number % SW_COUNT(names)]);
    if (field->kind == SW_JSON)
        return sw_str_of(jsons[number % SW_COUNT(jsons)]);
    if (field->kind == SW_BIN)
        return (struct sw_str){"\x00\x01\xff\x80 any bytes", number % 15};
    if (number % 7 >= SW_COUNT(texts) && !inside)
        return (struct sw_str){long_text, 254 + number % 7 - 4}; /* 255 and 256 */
    return sw_str_of(texts[number % SW_COUNT(texts)]);
}

/* Every field gets the next edge of its kind; lists have 16 items outside and 2 inside. */
static void fill(const struct sw_record *record,
                 uint8_t *at,
                 size_t *number,
                 struct vector_memory *memory,
                 bool inside)
{
    for (const struct sw_field *field = record->fields; field->name; at += sw_field_size(field++)) {
        size_t i = (*number)++, n = inside ? 2 : 16; /* 16: no fixarray */
        struct sw_str text;
        switch (field->kind) {
        case SW_LIST:
        case SW_MAP: {
            struct {
                uint8_t *p;
                size_t n;
            } list = {sw_alloc(n, field->record->size), n};
            sw_grow(&memory->blocks, &memory->room, memory->n + 1, sizeof *memory->blocks);
            memory->blocks[memory->n++] = list.p;
            for (size_t k = 0; k < n; k++)
                fill(field->record, list.p + k * field->record->size, number, memory, true);
            memcpy(at, &list, sizeof list);
            break;
        }
        case SW_SUB:
            fill(field->record, at, number, memory, true);
            break;
        case SW_F64:
            memcpy(at, &real_edges[i % SW_COUNT(real_edges)], 8);
            break;
        case SW_TIME:
            memcpy(at, &(int64_t){i % 3 ? INT64_C(1795564680123) + (int64_t)i : 0}, 8);
            break;
        case SW_I64:
            memcpy(at, &signed_edges[i % SW_COUNT(signed_edges)], 8);
            break;
        case SW_BOOL:
            memcpy(at, &(uint64_t){i % 2}, 8);
            break;
        case SW_U64:
        case SW_ID:
            memcpy(at, &unsigned_edges[i % SW_COUNT(unsigned_edges)], 8);
            break;
        case SW_STR:
        case SW_OPT:
        case SW_BIN:
        case SW_NAME:
        case SW_JSON:
            text = text_for(field, i, inside);
            memcpy(at, &text, sizeof text);
            break;
        }
    }
}

static json_t *one_case(const char *name, const struct sw_buf *header)
{
    static struct sw_message message;
    struct sw_arena arena = {0};
    struct sw_err err;
    int r = sw_decode(header->data, header->size, &arena, &message, &err);
    assert(r == 0);
    const struct sw_record *record = sw_record_of(message.type);
    json_t *found =
        json_pack("{ss so so}", "name", name, "header", vector_hex(header->data, header->size),
                  "fields", vector_fields(record, &message.of));
    json_t *rendered = vector_rendered(record, &message.of);
    if (rendered)
        json_object_set_new(found, "rendered", rendered);
    sw_arena_done(&arena);
    return found;
}

/* The same header from a peer that knows fewer fields, or more. */
static void cut_or_extend(const struct sw_buf *whole, bool extend, struct sw_buf *ret)
{
    static const uint8_t extra[] = {0xc0, 0x81, 1, 0xa1, 'x', 0x92, 0xc3, 0xcb, 1, 2,
                                    3,    4,    5, 6,    7,   8,    0xc4, 2,    0, 1};
    struct sw_cursor cursor = sw_cursor_of(whole->data, whole->size);
    uint32_t n = sw_read_array(&cursor), keep = extend ? n : n / 2;
    const uint8_t *begin = cursor.at;
    for (uint32_t i = 0; i < keep; i++)
        sw_read_skip(&cursor);
    sw_pack_array(ret, keep + (extend ? 4 : 0));
    sw_buf_put(ret, begin, (size_t)(cursor.at - begin));
    if (extend)
        sw_buf_put(ret, extra, sizeof extra);
}

static json_t *cases_of(const struct sw_record *record)
{
    static struct sw_message message;
    struct vector_memory memory = {0};
    AUTO_BUF struct sw_buf zero = {0}, edges = {0}, older = {0}, newer = {0};
    size_t number = (size_t)record->type;
    json_t *cases = json_array();
    memset(&message, 0, sizeof message);
    sw_encode(record->type, &message.of, &zero);
    fill(record, (uint8_t *)&message.of, &number, &memory, false);
    sw_encode(record->type, &message.of, &edges);
    cut_or_extend(&edges, false, &older);
    cut_or_extend(&edges, true, &newer);
    json_array_append_new(cases, one_case("zero", &zero));
    json_array_append_new(cases, one_case("edges", &edges));
    json_array_append_new(cases, one_case("older", &older));
    json_array_append_new(cases, one_case("newer", &newer));
    vector_memory_done(&memory);
    return cases;
}

/* A line a case, so that a change can be seen. */
static void put_file(struct sw_buf *out, const struct sw_record *record)
{
    json_t *cases = cases_of(record), *one;
    size_t i;
    sw_buf_printf(out, "{\"message\": \"%s\", \"code\": %d, \"cases\": [\n", record->constant,
                  (int)record->type);
    json_array_foreach(cases, i, one)
    {
        char *text = json_dumps(one, JSON_COMPACT | JSON_REAL_PRECISION(17));
        sw_buf_printf(out, "%s%s\n", text, i + 1 < json_array_size(cases) ? "," : "");
        free(text);
    }
    sw_buf_text(out, "]}\n");
    json_decref(cases);
}

int main(int argc, char **argv)
{
    AUTO_FD int folder = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder < 0) {
        fprintf(stderr, "usage: make_vectors FOLDER\n");
        return 2;
    }
    for (size_t i = 0; sw_all_records[i]; i++) {
        const struct sw_record *record = sw_all_records[i];
        char file[64];
        if (!record->constant)
            continue;
        snprintf(file, sizeof file, "%s.json", record->constant);
        for (char *p = file; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        AUTO_BUF struct sw_buf bytes = {0};
        put_file(&bytes, record);
        int r = sw_file_replace(folder, file, bytes.data, bytes.size, 0644);
        if (r < 0) {
            fprintf(stderr, "%s: %s\n", file, strerror(-r));
            return 1;
        }
    }
    return 0;
}
