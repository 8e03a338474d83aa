/* Answers that show a job. */
#ifndef GATEWAY_JOB_SHOW_H
#define GATEWAY_JOB_SHOW_H

#include "proto/message.h"
#include "request.h"

#include <stdint.h>

/* As it stands in a list: the files of its result are left out, `more` says so. */
json_t *job_json(const struct sw_msg_job *row);

#define CHUNKS_A_PAGE 100

/* `{job, chunks, nextChunkCursor}` with the chunks from `from`, or only `{job}` for no chunks. */
void job_show(struct request *, unsigned status, uint64_t job, uint64_t from, size_t chunks_max);

/* The id in the route's argument; false: answered 404. */
bool job_argument(struct request *, uint64_t *ret_job);

/* For routes that change a job: `then` runs if it is the token's own, or the token is an admin's.
 */
void job_own(struct request *, void (*then)(struct request *, uint64_t job));

#endif
