/* Where the outputs of a work verb go; decided, and refused, before anything is sent. */
#ifndef CTL_PLAN_H
#define CTL_PLAN_H

#include "fetch.h"
#include "inputs.h"
#include "submit.h"

/* Reads the call's parameters and options; *ret_first is the first argument that is an input. Usage
 * errors end the process. */
void order_read(const struct call *call,
                struct order *ret,
                struct sw_values *ret_values,
                size_t *ret_first);

/* FILES: sets every input's output, and leaves inputs whose output would have too long a name.
 * -EPERM with words when outputs clash, one exists (unless force), or one would be an input. */
int outputs_plan(const struct sw_kernel *kernel,
                 const struct sw_values *values,
                 struct inputs *inputs,
                 const char *folder,
                 bool force,
                 struct sw_err *err);

#endif
