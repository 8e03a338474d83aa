/* Sending what was asked for. */
#ifndef GATEWAY_SUBMIT_H
#define GATEWAY_SUBMIT_H

#include "request.h"
#include "submission.h"

/* Takes the submission: SUBMIT to the broker, repeated as needed, then the job is shown: 201, or
 * 200 when the key had made it before. An upload that this request made goes at its end. */
void submit_take(struct request *, struct submission *);

/* Removes an upload later, off the loop. */
void submit_drop_upload(struct gateway *, const char *id);

/* uploads.c's business with a list of uploads, on the pool: each must be there, complete and the
 * owner's own. -ENOENT, -EAGAIN with words. Also that no two inputs give one output name, -EEXIST.
 */
int submit_check_inputs(
    struct submission *, int uploads_fd, const char *owner, bool any_owner, struct sw_err *err);

#endif
