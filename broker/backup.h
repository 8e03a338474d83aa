/* `shadow-broker --backup DIR`: a state folder that a broker can start on, of a system that may be
 * at work. */
#ifndef BROKER_BACKUP_H
#define BROKER_BACKUP_H

#include "broker/copy.h"

struct backed_up {
    struct copied rows;
    uint64_t linked, copied; /* files of jobs */
};

int backup_make(const char *state,
                const char *store,
                const char *folder,
                struct backed_up *ret,
                struct sw_err *err);

/* ---- backup_files.c ---- */

/* What of a job's folder belongs to its rows as they were copied. */
struct job_files {
    uint32_t adds;
    uint64_t *outputs; /* of each chunk: the lease whose output counts; 0 = none in a file */
    size_t n, room;
};

/* Inputs and outputs are linked where that can be, what is small is copied. 0 also when there is
 * no such folder. */
int backup_job(int from_jobs_fd,
               int to_jobs_fd,
               uint64_t job,
               const struct job_files *files,
               struct backed_up *count,
               struct sw_err *err);
int backup_folder(int from_fd, int to_fd, const char *name, struct sw_err *err); /* STATE/keys */

#endif
