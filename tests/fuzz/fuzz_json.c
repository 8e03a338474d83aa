/* Any record that decodes renders as valid JSON with all its names: it is dumped, read again, and
 * the same. The first byte says which record the rest is. */
#include "fuzz.h"

#include "proto/json.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t value[512]; /* larger than any record */
    struct sw_arena arena = {0};
    size_t n = 0;
    while (sw_all_records[n])
        n++;
    assert(n > 0);
    if (size == 0)
        return 0;
    const struct sw_record *record = sw_all_records[data[0] % n];
    assert(record->size <= sizeof value);
    if (sw_decode_record(record, data + 1, size - 1, &arena, false, value) == 0) {
        json_t *shown = sw_json(record, value);
        char *text = json_dumps(shown, JSON_COMPACT);
        assert(text);
        json_t *again = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert(again && json_equal(shown, again));
        for (const struct sw_field *field = record->fields; field->name; field++)
            assert(!*field->json || json_object_get(shown, field->json));
        void *copy = sw_record_clone(record, value);
        json_t *same = sw_json(record, copy);
        assert(json_equal(shown, same));
        sw_release(copy);
        free(text);
        json_decref(shown);
        json_decref(again);
        json_decref(same);
    }
    sw_arena_done(&arena);
    return 0;
}
