/* Any bytes as a header frame from outside: scan, decode, render as JSON; what was decoded encodes
 * to bytes that decode to the same. */
#include "fuzz.h"

#include "base/pack.h"
#include "proto/json.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_arena arena = {0};
    struct sw_message message;
    struct sw_err err = {0};
    AUTO_BUF struct sw_buf first = {0};
    AUTO_BUF struct sw_buf second = {0};
    int r = sw_decode(data, size, &arena, &message, &err);
    if (r < 0) {
        assert((r == -EBADMSG || r == -E2BIG) && err.text[0]);
        sw_arena_done(&arena);
        return 0;
    }
    assert(sw_pack_scan(data, size) == 0); /* nothing was decoded that the scan refuses */
    json_t *json = sw_json(sw_record_of(message.type), &message.of);
    assert(json);
    json_decref(json);
    enum sw_message_type type = message.type;
    sw_encode(type, &message.of, &first);
    r = sw_decode(first.data, first.size, &arena, &message, &err);
    assert(r == 0 && message.type == type);
    sw_encode(type, &message.of, &second);
    assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    sw_arena_done(&arena);
    return 0;
}
