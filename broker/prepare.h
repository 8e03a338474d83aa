/* Taking uploads into a job's folder; the part of the data actor that knows no sockets. */
#ifndef BROKER_PREPARE_H
#define BROKER_PREPARE_H

#include "broker/data.h"
#include "broker/names.h"

/* -ENOENT, -EAGAIN, -EINVAL, -E2BIG, -ENOSPC ... with words. The plan comes without its pieces. */
int prepare(const struct data_prepare *request,
            struct names *names,
            int jobs_fd,
            int uploads_fd,
            struct plan *ret_plan,
            struct sw_err *err);

#endif
