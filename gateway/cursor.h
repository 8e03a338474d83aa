/* Opaque cursors: a place in a list as text that nobody should look into. */
#ifndef GATEWAY_CURSOR_H
#define GATEWAY_CURSOR_H

#include "request.h"

#include <jansson.h>

/* kind: one letter, so that a cursor of one list is refused by another. null for 0. */
json_t *cursor_json(char kind, uint64_t at);

/* Reads the query key; 0 when absent. false: answered 400. */
bool cursor_read(struct request *, const char *key, char kind, uint64_t *ret);

/* Reads a whole number from the query; *ret as it was when absent. false: answered 400. */
bool query_number(struct request *, const char *key, uint64_t min, uint64_t max, uint64_t *ret);

/* false, and 400, when the query has a key besides these (NULL-terminated). */
bool query_only(struct request *, const char *const *keys);

#endif
