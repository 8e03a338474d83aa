/* The list of a job's files, all pages. */
#ifndef CTL_FILES_H
#define CTL_FILES_H

#include "ctl.h"

/* An array of file objects in the order of the inputs; status may be NULL. The caller releases it.
 */
int job_files(
    struct ctl *ctl, const char *id, const char *status, json_t **ret, struct sw_err *err);

#endif
