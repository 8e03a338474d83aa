/* The state folder and what is always in it. Called at start and by the tools. */
#include "broker/broker.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int state_open(const char *state, int *ret_state_fd, int *ret_jobs_fd, struct sw_err *err)
{
    AUTO_FD int state_fd = -1, jobs_fd = -1;
    if (mkdir(state, 0750) < 0 && errno != EEXIST)
        return sw_fail(err, errno, "state folder %s: %s", state, strerror(errno));
    state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state_fd < 0)
        return sw_fail(err, errno, "state folder %s: %s", state, strerror(errno));
    int r = sw_dir_make(state_fd, "jobs", 0750);
    if (r == 0)
        r = sw_dir_make(state_fd, "uploads", 0770); /* setgid by tmpfiles: mkdir cannot */
    if (r == 0)
        jobs_fd = openat(state_fd, "jobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r < 0 || jobs_fd < 0)
        return sw_fail(err, r < 0 ? -r : errno, "state folder %s: %s", state,
                       strerror(r < 0 ? -r : errno));
    *ret_state_fd = TAKE_FD(state_fd);
    *ret_jobs_fd = TAKE_FD(jobs_fd);
    return 0;
}
