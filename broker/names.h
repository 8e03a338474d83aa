/* Output names of jobs that take in uploads ADD by ADD: two inputs with one output name are refused
 * when the second comes, since one of the results would be lost. Kernels whose output is one file
 * have none. Used by the data actor, and by control for inline inputs. */
#ifndef BROKER_NAMES_H
#define BROKER_NAMES_H

#include "files/files.h"
#include "kernels/kernel.h"

struct names; /* of a few jobs; what is not in it is read from the jobs' manifests */

struct names_request {
    uint64_t job;
    uint32_t add; /* its manifests 0 to add - 1 count as taken in */
    int job_fd;
    const struct sw_kernel *kernel;
    const struct sw_values *values;
    const struct sw_manifest
        *inlines; /* of ADDs before it that came in their message; NULL: none */
};

struct names *names_new(void);
void names_destroy(struct names **);

/* The outputs of one more ADD. -EINVAL with words: one of them is there already. What fails later
 * on is taken back by names_forget. */
int names_add(struct names *,
              const struct names_request *,
              const struct sw_manifest *,
              struct sw_err *err);
/* Of an ADD that stands alone. */
int names_check(const struct sw_kernel *,
                const struct sw_values *,
                const struct sw_manifest *,
                struct sw_err *err);
void names_forget(struct names *, uint64_t job); /* it ended, or an ADD failed */

#endif
