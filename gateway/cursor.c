/* Reads pages' places, numbers and keys from queries. Called by the listing routes. */
#include "cursor.h"

#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *cursor_json(char kind, uint64_t at)
{
    char text[32];
    if (at == 0)
        return json_null();
    snprintf(text, sizeof text, "%c%" PRIu64, kind, at);
    return json_string(text);
}

bool cursor_read(struct request *r, const char *key, char kind, uint64_t *ret)
{
    size_t size = 0;
    const char *text = request_query(r, key, &size);
    *ret = 0;
    if (!text)
        return true;
    size_t digits = *text == kind ? strspn(text + 1, "0123456789") : 0;
    if (digits && digits <= 16 && digits + 1 == size && text[1] != '0') {
        *ret = strtoull(text + 1, NULL, 10);
        return true;
    }
    reply_error(r, REPLY_BAD_REQUEST, "%s: not a cursor of this list", key);
    return false;
}

bool query_number(struct request *r, const char *key, uint64_t min, uint64_t max, uint64_t *ret)
{
    size_t size = 0;
    const char *text = request_query(r, key, &size);
    if (!text)
        return true;
    size_t digits = strspn(text, "0123456789");
    uint64_t number =
        digits && digits <= 18 && digits == size ? strtoull(text, NULL, 10) : UINT64_MAX;
    if (number < min || number > max) {
        reply_error(r, REPLY_BAD_REQUEST, "%s: a whole number from %" PRIu64 " to %" PRIu64, key,
                    min, max);
        return false;
    }
    *ret = number;
    return true;
}

struct looking {
    const char *const *keys;
    const char *unknown;
};

static enum MHD_Result look(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct looking *looking = arg;
    (void)kind, (void)value;
    for (size_t i = 0; looking->keys[i]; i++) {
        if (strcmp(looking->keys[i], key) == 0)
            return MHD_YES;
    }
    looking->unknown = key;
    return MHD_NO;
}

bool query_only(struct request *r, const char *const *keys)
{
    struct looking looking = {.keys = keys};
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, look, &looking);
    if (looking.unknown)
        reply_error(r, REPLY_BAD_REQUEST, "%.60s: no such key in the query", looking.unknown);
    return !looking.unknown;
}
