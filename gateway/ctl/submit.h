/* From files to a job. */
#ifndef CTL_SUBMIT_H
#define CTL_SUBMIT_H

#include "ctl.h"
#include "inputs.h"

struct order { /* what is to be done with the inputs; texts are borrowed */
    const struct sw_kernel *kernel;
    struct sw_param_text params[SW_PARAMS_MAX];
    size_t n_params;
    const char *name; /* NULL: none */
    int64_t priority;
    int64_t chunk_count; /* 0: by size */
};

/* Sends everything and seals the job; *ret_id is set as soon as there is one, even when this fails.
 * Inputs that turn out unreadable are dropped. */
int submit(struct ctl *ctl,
           const struct order *order,
           struct inputs *inputs,
           char **ret_id,
           struct sw_err *err);

/* Within HTTP_LAST_MS, also after Ctrl-C; false: it may go on. */
bool job_cancel(struct ctl *ctl, const char *id);

#endif
