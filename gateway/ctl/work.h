/* One run of a work verb, and what it reports. */
#ifndef CTL_WORK_H
#define CTL_WORK_H

#include "fetch.h"
#include "http.h"
#include "plan.h"

struct work {
    struct ctl *ctl;
    const struct call *call;
    struct order order;
    struct sw_values values;
    struct inputs inputs;
    struct wanted_list wanted;
    char *target;              /* of a CONCAT job; NULL: standard output */
    char *job;                 /* its id */
    struct http_answer answer; /* the final job */
    json_t *failed;            /* [{input, error}] */
    uint64_t one_size;         /* of the CONCAT output */
    bool one_written;
    int64_t begun_ms;
    struct sw_err err;
};

static inline bool work_is_concat(const struct work *work)
{
    return work->order.kernel->shape == SW_CONCAT;
}

/* ---- report.c ---- */

/* An input without an output, for --json; `report_failed` says it too. */
void report_note(struct work *work, const char *name, size_t size, const char *error);
void report_failed(struct work *work, const char *name, size_t size, const char *error);
void report_job(struct work *work, enum ctl_exit status); /* the object of --json */
void report_summary(const struct work *work);

#endif
