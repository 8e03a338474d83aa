/* A work verb that ends before its job does. */
#ifndef CTL_LEAVE_H
#define CTL_LEAVE_H

#include "ctl.h"

/* Ctrl-C: cancels the job (NULL: none is known) and says what has become of it. -EINTR. */
int leave_interrupted(struct ctl *ctl, const char *id, struct sw_err *err);
/* Sending has failed with r: half a job is of no use to anybody, so it is cancelled if it can be.
 */
void leave_unsent(struct ctl *ctl, const char *id, int r);
/* It goes on without us. */
void leave_running(const char *id);

#endif
