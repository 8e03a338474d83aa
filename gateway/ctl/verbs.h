/* The functions of the verbs, one file each or a family of tiny ones. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "ctl.h"

verb_fn verb_work;                                          /* work.c */
verb_fn verb_jobs, verb_job, verb_why;                      /* jobs.c */
verb_fn verb_files;                                         /* files.c */
verb_fn verb_cancel, verb_retry, verb_delete, verb_set;     /* change.c */
verb_fn verb_wait;                                          /* wait.c */
verb_fn verb_result;                                        /* result.c */
verb_fn verb_types;                                         /* types.c */
verb_fn verb_devices, verb_device, verb_drain, verb_resume; /* devices.c */
verb_fn verb_login;                                         /* login.c */
verb_fn verb_doctor;                                        /* doctor.c */
verb_fn verb_login_link;                                    /* login_link.c */

#endif
