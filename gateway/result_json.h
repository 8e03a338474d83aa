/* Results as JSON: a job's, a chunk's, the list of files. */
#ifndef GATEWAY_RESULT_JSON_H
#define GATEWAY_RESULT_JSON_H

#include "composed.h"

#include <jansson.h>

#define RESULT_FILES_SHOWN 100
#define RESULT_DATA_MAX    ((size_t)16 << 10) /* all outputs together, to be shown in place */

/* {files, more, url}. data: the outputs one after the other, NULL when they are not shown. */
json_t *result_json_job(const struct composed *, const uint8_t *data);
/* Of a completed chunk, from its full row; with_data as its reader may see it. NULL: does not fit.
 */
json_t *result_json_chunk(const struct layout *, const struct sw_msg_chunk *, bool with_data);

/* NAME, and NAMEBytes where it is not UTF-8. */
void result_json_name(json_t *object, const char *key, const char *name, size_t size);
json_t *result_json_file(const struct composed *,
                         const struct sw_result_file *,
                         size_t index,
                         bool cancelled);
const char *
result_json_status(const struct composed *, const struct sw_result_file *, size_t index);

#endif
