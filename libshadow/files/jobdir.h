/* Job folders: STATE/jobs/JOB (the broker's). */
#ifndef SW_FILES_JOBDIR_H
#define SW_FILES_JOBDIR_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

int sw_job_dir_make(int jobs_fd, uint64_t job);              /* durable; -EEXIST */
int sw_job_dir_open(int jobs_fd, uint64_t job, int *ret_fd); /* -ENOENT */
int sw_job_dir_remove(int jobs_fd, uint64_t job); /* with everything in it; 0 if not there */

/* Calls fn for every folder; used at start to remove those without a row (fn may remove it). */
int sw_job_dirs_each(int jobs_fd, int (*fn)(void *arg, uint64_t job), void *arg);

/* Hard-links a complete upload's files in as in.ADD.PART (+ .sum), PART counted from *part on, and
 * appends its entries, with part numbers set, to manifest. -ENOENT unknown, -EAGAIN not complete.
 * *part and manifest are as before on failure. Not durable before sw_plan_write's folder sync. */
int sw_job_dir_link(int job_fd,
                    int uploads_fd,
                    const char *id,
                    uint32_t add,
                    uint32_t *part,
                    struct sw_buf *manifest,
                    struct sw_err *err);

/* Removes what an ADD of this number left that was never committed. */
int sw_job_dir_drop_add(int job_fd, uint32_t add);

#endif
