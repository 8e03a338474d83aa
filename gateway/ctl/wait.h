/* Following a job to its end. */
#ifndef CTL_WAIT_H
#define CTL_WAIT_H

#include "ctl.h"
#include "http.h"

/* Polls until the job is final, with growing pauses; moves the bar. *ret is the last answer. */
int job_wait(struct ctl *ctl, const char *id, struct http_answer *ret, struct sw_err *err);
/* What the status of a final job means for the exit status. */
enum ctl_exit job_exit(const json_t *job);

#endif
