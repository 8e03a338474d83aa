/* Acting as the owner of a folder. Called by main and peers.c for --add-peer; never by a broker
 * that runs. Files are made by the right user, not given away afterwards: a user who owns a folder
 * may have put a link in root's way. */
#include "broker/owner.h"

#include "base/own.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int act_as(uid_t uid, gid_t gid)
{
    if (seteuid(0) < 0 || setegid(gid) < 0 || seteuid(uid) < 0)
        return -errno;
    return 0;
}

int owner_become(const char *folder, struct sw_err *err)
{
    struct stat about;
    if (getuid() != 0)
        return 0;
    int r = act_as(0, getgid());
    if (r == 0 && stat(folder, &about) < 0)
        return errno == ENOENT ? 0 : sw_fail(err, errno, "%s: %s", folder, strerror(errno));
    if (r == 0 && about.st_uid == 0)
        return 0;
    if (r == 0 && setgroups(0, NULL) < 0)
        r = -errno;
    if (r == 0)
        r = act_as(about.st_uid, about.st_gid);
    return r < 0 ? sw_fail(err, -r, "cannot act as the owner of %s: %s", folder, strerror(-r)) : 0;
}

static int become_owner_of_parent(const char *file, struct sw_err *err)
{
    AUTO(sw_text) char *path = strdup(file);
    return path ? owner_become(dirname(path), err) : sw_fail(err, ENOMEM, "no memory");
}

static void go_back(uid_t uid, gid_t gid)
{
    if (getuid() == 0 && act_as(uid, gid) < 0)
        _exit(1); /* never go on as somebody else */
}

int owner_keys_read(const char *file, struct sw_keys *ret, struct sw_err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int r = become_owner_of_parent(file, err);
    if (r == 0)
        r = sw_keys_read(file, ret, err);
    go_back(uid, gid);
    return r;
}

int owner_keys_write(const char *file, const struct sw_keys *keys, struct sw_err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int r = become_owner_of_parent(file, err);
    if (r == 0)
        r = sw_keys_write(file, keys, err);
    go_back(uid, gid);
    return r;
}
