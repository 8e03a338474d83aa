/* Values of messages as the JSON of proto/vectors: every field of a record under its name in
 * messages.def. Numbers that need 64 bits are decimal strings, bin is hex. */
#ifndef VECTOR_H
#define VECTOR_H

#include "proto/message.h"

#include <jansson.h>

struct vector_memory { /* what a value read from JSON points to */
    void **blocks;
    size_t n, room;
};
void vector_memory_done(struct vector_memory *memory);

json_t *vector_fields(const struct sw_record *record, const void *value);
/* False: a field is missing, unknown or of another kind. */
bool vector_value(const struct sw_record *record,
                  const json_t *fields,
                  struct vector_memory *memory,
                  void *ret_value);

json_t *vector_hex(const void *p, size_t n);
bool vector_bytes(const json_t *hex, struct sw_buf *ret_bytes);

/* The objects that REST would show of the message's rows; NULL where it has none. */
json_t *vector_rendered(const struct sw_record *record, const void *value);

#endif
