/* Owns how a gateway gets its place on a state folder: the folders, and the lock that one at a time
 * holds. Called by main before anything else; serves nothing. */
#include "place.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>

#define STANDBY_LOOK_MS 250

/* One gateway works on a state folder. A standby waits for its place, without a port; SIGTERM ends
 * it as it ends any program that has begun nothing. */
static int take_place(const struct options *options, int lock_fd, struct sw_err *err)
{
    bool told = false;
    while (flock(lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return sw_fail(err, errno, "cannot lock gateway/lock: %s", strerror(errno));
        if (!options->standby)
            return sw_fail(err, EBUSY, "another gateway runs on %s", options->state);
        if (!told) {
            sw_log(SW_LOG_INFO, "standby: waits, another gateway runs state=%s", options->state);
            sd_notify(0, "READY=1\nSTATUS=standby: another gateway works");
        }
        told = true;
        sd_notify(0, "WATCHDOG=1");
        poll(NULL, 0, STANDBY_LOOK_MS);
    }
    return 0;
}

int place_open(struct gateway *g, int *ret_lock_fd, struct sw_err *err)
{
    const char *state = g->options->state;
    g->state_fd = open(state, O_DIRECTORY | O_CLOEXEC | O_RDONLY);
    if (g->state_fd < 0)
        return sw_fail(err, errno, "state %s: %s", state, strerror(errno));
    int r = sw_dir_make(g->state_fd, "gateway", 0700);
    if (r == 0)
        r = sw_dir_make(g->state_fd, "uploads", 0770); /* setgid by tmpfiles: mkdir cannot */
    if (r < 0)
        return sw_fail(err, -r, "cannot make folders in %s: %s", state, strerror(-r));
    g->gateway_fd = openat(g->state_fd, "gateway", O_DIRECTORY | O_CLOEXEC | O_RDONLY);
    g->uploads_fd = openat(g->state_fd, "uploads", O_DIRECTORY | O_CLOEXEC | O_RDONLY);
    if (g->gateway_fd < 0 || g->uploads_fd < 0)
        return sw_fail(err, errno, "cannot open the folders in %s: %s", state, strerror(errno));
    if (!ret_lock_fd)
        return 0;
    *ret_lock_fd = openat(g->gateway_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*ret_lock_fd < 0)
        return sw_fail(err, errno, "cannot open gateway/lock: %s", strerror(errno));
    return take_place(g->options, *ret_lock_fd, err);
}
