/* The files of a backup. Called by backup.c. A hard link shares the bytes with the system at work,
 * so only what nobody ever writes again is linked: inputs, and outputs that are a chunk's result.
 * Manifests and plans are copied: an ADD that was not committed is written over. */
#include "broker/backup.h"

#include "base/io.h"
#include "files/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP ((size_t)1 << 20)

static int copy_bytes(int from, int to)
{
    AUTO_BUF struct sw_buf buf = {0};
    uint8_t *p = sw_buf_reserve(&buf, STEP);
    for (;;) {
        ssize_t n = read(from, p, STEP);
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int r = sw_write_all(to, p, (size_t)n);
        if (r < 0)
            return r;
    }
}

static int copy_file(int from_fd, int to_fd, const char *name)
{
    AUTO_FD int from = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    if (from < 0 || fstat(from, &about) < 0)
        return -errno;
    if (!S_ISREG(about.st_mode))
        return 0;
    AUTO_FD int to = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    int r = copy_bytes(from, to);
    return r == 0 && fchmod(to, about.st_mode & 07777) < 0 ? -errno : r;
}

/* Another file system, or one without links, or too many of them. */
static bool needs_copy(int code)
{
    return code == EXDEV || code == EPERM || code == EMLINK || code == EOPNOTSUPP;
}

struct walk {
    int from_fd, to_fd;
    const struct job_files *files;
    struct backed_up *count;
};

enum how { SKIP, LINK, COPY };

static enum how how_of(const struct job_files *files, const char *name)
{
    uint32_t number;
    uint64_t n;
    if (sscanf(name, "in.%" SCNu32 ".", &number) == 1)
        return number < files->adds ? LINK : SKIP;
    if (sscanf(name, "manifest.%" SCNu32, &number) == 1 ||
        sscanf(name, "plan.%" SCNu32, &number) == 1)
        return number < files->adds ? COPY : SKIP;
    if (sscanf(name, "out.%" SCNu32 ".%" SCNu64, &number, &n) == 2)
        return number < files->n && files->outputs[number] == n ? LINK : SKIP;
    return SKIP;
}

static int take(const struct walk *walk, const char *name)
{
    enum how how = how_of(walk->files, name);
    if (how == SKIP)
        return 0;
    if (how == LINK && linkat(walk->from_fd, name, walk->to_fd, name, 0) == 0) {
        walk->count->linked++;
        return 0;
    }
    if (how == LINK && !needs_copy(errno))
        return errno == ENOENT ? 0 : -errno; /* the job is being forgotten */
    int r = copy_file(walk->from_fd, walk->to_fd, name);
    walk->count->copied += r == 0;
    return r == -ENOENT ? 0 : r;
}

static int each(const struct walk *walk)
{
    int fd = openat(walk->from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int r = -errno;
        sw_fd_close(&fd);
        return r;
    }
    const struct dirent *entry;
    int r = 0;
    while (r == 0 && (entry = readdir(dir)))
        r = take(walk, entry->d_name);
    closedir(dir);
    return r;
}

int backup_job(int from_jobs_fd,
               int to_jobs_fd,
               uint64_t job,
               const struct job_files *files,
               struct backed_up *count,
               struct sw_err *err)
{
    AUTO_FD int from = -1, to = -1;
    int r = sw_job_dir_open(from_jobs_fd, job, &from);
    if (r == -ENOENT) /* all inline, or being forgotten */
        return 0;
    if (r == 0)
        r = sw_job_dir_make(to_jobs_fd, job);
    if (r == 0)
        r = sw_job_dir_open(to_jobs_fd, job, &to);
    if (r == 0)
        r = each(&(struct walk){from, to, files, count});
    return r < 0 ? sw_fail(err, -r, "the folder of job %ju: %s", (uintmax_t)job, strerror(-r)) : 0;
}

int backup_folder(int from_fd, int to_fd, const char *name, struct sw_err *err)
{
    AUTO_FD int from = openat(from_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat about;
    if (from < 0 || fstat(from, &about) < 0)
        return errno == ENOENT ? 0 : sw_fail(err, errno, "%s: %s", name, strerror(errno));
    int r = sw_dir_make(to_fd, name, about.st_mode & 07777);
    AUTO_FD int to = r < 0 ? -1 : openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int again = to < 0 ? -1 : openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again < 0 ? NULL : fdopendir(TAKE_FD(again));
    if (!dir)
        return sw_fail(err, r < 0 ? -r : errno, "%s: %s", name, strerror(r < 0 ? -r : errno));
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(dir))) {
        r = copy_file(from, to, entry->d_name);
        r = r == -ENOENT ? 0 : r;
    }
    closedir(dir);
    return r < 0 ? sw_fail(err, -r, "%s: %s", name, strerror(-r)) : 0;
}
