/* Reads the headers of conditional and partial requests. Called by the route of results; pure but
 * for the reading of headers. */
#include "range.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void range_etag(struct sw_str job_etag, const struct request *r, char ret_etag[RESULT_ETAG])
{
    uint8_t hash[8];
    char text[17];
    size_t size = 0;
    const char *name = request_query(r, "name", &size);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 16);
    crypto_generichash_update(&state, (const uint8_t *)(job_etag.n ? job_etag.p : ""), job_etag.n);
    crypto_generichash_update(&state, (const uint8_t *)(name ? "n" : "-"), 1);
    crypto_generichash_update(&state, (const uint8_t *)(name ? name : ""), size);
    uint8_t whole[16];
    crypto_generichash_final(&state, whole, sizeof whole);
    memcpy(hash, whole, sizeof hash);
    sodium_bin2hex(text, sizeof text, hash, sizeof hash);
    snprintf(ret_etag, RESULT_ETAG, "\"%s\"", text);
}

/* A list of ETags, or `*`; weak ones compare as strong ones do here. */
static bool lists(const char *list, const char *etag)
{
    size_t n = strlen(etag);
    while (*list) {
        list += strspn(list, ", \t");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        size_t item = strcspn(list, ",");
        if (item >= n && memcmp(list, etag, n) == 0 && strspn(list + n, " \t") == item - n)
            return true;
        list += item;
    }
    return false;
}

static bool number(const char **at, uint64_t *ret)
{
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 18)
        return false;
    *ret = strtoull(*at, NULL, 10);
    *at += digits;
    return true;
}

static struct range part_of(const char *text, uint64_t size)
{
    struct range whole = {RANGE_WHOLE, 0, size};
    uint64_t first, last;
    if (strncasecmp(text, "bytes=", 6) != 0)
        return whole;
    text += 6 + strspn(text + 6, " ");
    if (*text == '-') {
        text++;
        if (!number(&text, &last) || *text)
            return whole;
        last = last < size ? last : size;
        return last ? (struct range){RANGE_PART, size - last, last}
                    : (struct range){RANGE_OUTSIDE, 0, 0};
    }
    if (!number(&text, &first) || *text++ != '-')
        return whole;
    last = UINT64_MAX;
    if (*text && (!number(&text, &last) || *text || last < first))
        return whole;
    if (first >= size)
        return (struct range){RANGE_OUTSIDE, 0, 0};
    last = last < size - 1 ? last : size - 1;
    return (struct range){RANGE_PART, first, last - first + 1};
}

struct range range_read(const struct request *r, const char *etag, uint64_t size)
{
    const char *none = request_header(r, "If-None-Match"), *range = request_header(r, "Range"),
               *only_if = request_header(r, "If-Range");
    if (none && lists(none, etag))
        return (struct range){RANGE_NOT_MODIFIED, 0, 0};
    if (!range || (only_if && strcmp(only_if, etag) != 0))
        return (struct range){RANGE_WHOLE, 0, size};
    return part_of(range, size);
}
