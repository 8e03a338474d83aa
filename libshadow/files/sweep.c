/* Removing uploads: by id, by age, and what a crash left half made. Called by the gateway at start
 * and by its timer. The record goes first, so that an upload is whole or not there; files without a
 * record are leftovers once they are older than a create can take. */
#include "files/disk.h"
#include "files/upload.h"
#include "files/upload_record.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define GRACE_MS 60000 /* a create takes milliseconds; on a stalled disk, seconds */

static const char *const suffixes[] = {".info", "", ".sum", ".manifest", ".1", ".1.sum"};

static bool known_suffix(const char *suffix)
{
    for (size_t i = 0; i < SW_COUNT(suffixes); i++)
        if (strcmp(suffix, suffixes[i]) == 0)
            return true;
    return false;
}

void upload_unlink(int uploads_fd, const char *id)
{
    for (size_t i = 0; i < SW_COUNT(suffixes); i++) {
        char name[UPLOAD_NAME_ROOM];
        upload_name(id, suffixes[i], name);
        disk_remove(uploads_fd, name);
    }
}

/* Unlinks an upload unless somebody writes it, or (max_age_ms >= 0) it was touched lately. */
static int
remove_unless_open(int uploads_fd, const char *id, int64_t now_wall_ms, int64_t max_age_ms)
{
    char name[UPLOAD_NAME_ROOM];
    upload_name(id, ".info", name);
    AUTO_FD int fd = disk_open(uploads_fd, name, O_RDWR, 0);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    struct sw_upload_info info = {0};
    uint64_t sequence;
    int r = upload_record_read(fd, id, &info, &sequence);
    int64_t age_ms = now_wall_ms - info.touched_ms;
    sw_upload_info_done(&info);
    if (max_age_ms >= 0 && (r < 0 || age_ms < max_age_ms))
        return r == -EBADMSG ? r : -EBUSY;
    upload_unlink(uploads_fd, id);
    return 0;
}

int sw_upload_remove(int uploads_fd, const char *id)
{
    if (!upload_id_valid(id))
        return -ENOENT;
    return remove_unless_open(uploads_fd, id, 0, -1);
}

struct sweep {
    int64_t now_ms, max_age_ms;
    uint32_t n;
};

/* A file without a whole record: a leftover once it is older than a create can take. */
static int sweep_leftover(const struct sweep *sweep, int dir_fd, const char *file)
{
    struct stat st;
    if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (sweep->now_ms - (int64_t)st.st_mtim.tv_sec * 1000 >= GRACE_MS)
        disk_remove(dir_fd, file);
    return 0;
}

static int sweep_name(void *arg, int dir_fd, const char *file)
{
    struct sweep *sweep = arg;
    char id[SW_UPLOAD_ID_SIZE + 1] = "", info_name[UPLOAD_NAME_ROOM];
    if (strlen(file) < SW_UPLOAD_ID_SIZE)
        return 0;
    memcpy(id, file, SW_UPLOAD_ID_SIZE);
    if (!upload_id_valid(id) || !known_suffix(file + SW_UPLOAD_ID_SIZE))
        return 0; /* not ours */
    upload_name(id, ".info", info_name);
    if (strcmp(file, info_name) != 0) /* an upload is judged once, by its record */
        return faccessat(dir_fd, info_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                   ? 0
                   : sweep_leftover(sweep, dir_fd, file);
    struct sw_upload_info info = {0};
    int r = sw_upload_stat(dir_fd, id, &info); /* without the lock: most are young */
    int64_t age_ms = sweep->now_ms - info.touched_ms;
    sw_upload_info_done(&info);
    if (r < 0)
        return sweep_leftover(sweep, dir_fd, file);
    if (age_ms >= sweep->max_age_ms)
        sweep->n += remove_unless_open(dir_fd, id, sweep->now_ms, sweep->max_age_ms) == 0;
    return 0;
}

int sw_uploads_sweep(int uploads_fd, int64_t now_wall_ms, int64_t max_age_ms, uint32_t *ret_n)
{
    struct sweep sweep = {now_wall_ms, SW_MAX(max_age_ms, INT64_C(0)), 0};
    int r = disk_each(uploads_fd, sweep_name, &sweep);
    if (r == 0)
        *ret_n = sweep.n;
    return r;
}
