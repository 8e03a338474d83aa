/* JSON renderings of records: the objects of the REST interface are the records JOB, CHUNK and
 * AGENT as this writes them. */
#ifndef SW_PROTO_JSON_H
#define SW_PROTO_JSON_H

#include "proto/message.h"

#include <jansson.h>

/* A new object with the record's fields that have a JSON name; owned by the caller. */
json_t *sw_json(const struct sw_record *record, const void *value);

/* Text in any bytes as a JSON string: what is not UTF-8 is escaped as \xNN (a backslash as \\), and
 * *ret_exact says whether that happened. */
json_t *sw_json_name(struct sw_str name, bool *ret_escaped);
json_t *sw_json_base64(struct sw_str bytes);
json_t *sw_json_time(int64_t wall_ms); /* null when 0 */
/* A string; bytes that are not UTF-8 become U+FFFD. */
json_t *sw_json_text(struct sw_str text);

#endif
