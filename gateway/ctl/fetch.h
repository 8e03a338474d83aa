/* From a finished job to files. */
#ifndef CTL_FETCH_H
#define CTL_FETCH_H

#include "ctl.h"

#include <sys/stat.h>

struct wanted {        /* one output, in the order of the job's inputs */
    const char *input; /* borrowed; "" where nobody needs it */
    char *name;        /* the output's name as the gateway knows it */
    size_t name_size;
    char *path; /* where it goes */
    bool has_mode;
    mode_t mode; /* of its input; taken from the tar when the input is not at hand */
    struct timespec mtime;
    uint64_t size; /* of what was written */
    bool written;
    char *error; /* why it could not be written; said already */
};

struct wanted_list {
    struct wanted *list;
    size_t n, room;
    bool force;
};
struct wanted *wanted_add(struct wanted_list *wanted);
void wanted_done(struct wanted_list *wanted);

/* Fetches all that is not written: few one by one, many as one tar taken apart as it comes. Goes on
 * after a file that cannot be written; -errno of the last such, with words said for each. */
int fetch_files(struct ctl *ctl, const char *id, struct wanted_list *wanted, struct sw_err *err);

/* The one output of a CONCAT job: to `path`, or to standard output when it is NULL. */
int fetch_one(struct ctl *ctl,
              const char *id,
              const char *path,
              bool force,
              uint64_t *ret_size,
              struct sw_err *err);

/* The output of a CONCAT job without inputs: nothing, at `path`. */
int fetch_nothing(const char *path, bool force, struct sw_err *err);

/* "-o PATH" of a CONCAT job: a folder takes the output under the kernel's name for it. */
char *fetch_target(const char *path, const char *output_name);

#endif
