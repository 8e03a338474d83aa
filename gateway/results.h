/* Layouts and results of jobs: made when asked for, kept for a while. */
#ifndef GATEWAY_RESULTS_H
#define GATEWAY_RESULTS_H

#include "composed.h"
#include "request.h"

void results_open(struct gateway *); /* sets g->results */
void results_destroy(struct results **);
void results_drop(struct gateway *, uint64_t job); /* the job is gone */

enum results_want { WANT_LAYOUT, WANT_RESULT };

/* `then` gets what was wanted (composed is NULL for WANT_LAYOUT), borrowed; it is not called when
 * that failed (answered, unless `soft`: then it is called with NULLs) or the client is gone. The
 * row is read before this returns. */
typedef void results_then(struct request *, void *context, struct layout *, struct composed *);
void results_get(struct request *,
                 const struct sw_msg_job *job,
                 enum results_want want,
                 bool soft,
                 results_then *then,
                 void *context);

bool job_is_final(const struct sw_msg_job *); /* has or had a result: completed or failed */
bool job_is_cancelled(const struct sw_msg_job *);

#endif
