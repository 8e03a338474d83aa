/* Job folders and what an ADD links into them. Called by the broker (data and sync actors); never
 * copies a byte of input: the file system counts the references. */
#include "files/jobdir.h"

#include "files/disk.h"
#include "files/manifest.h"
#include "files/upload_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOB_MODE 0750 /* the gateway's group reads */

static void job_name(uint64_t job, char ret_name[24])
{
    snprintf(ret_name, 24, "%ju", (uintmax_t)job);
}

int sw_job_dir_make(int jobs_fd, uint64_t job)
{
    char name[24];
    job_name(job, name);
    if (mkdirat(jobs_fd, name, JOB_MODE) < 0)
        return -errno;
    int fd = -1;
    int r = sw_job_dir_open(jobs_fd, job, &fd);
    if (r < 0)
        return r;
    struct stat st; /* whatever the umask, and keeping the setgid bit of the folder above */
    if (fstat(fd, &st) < 0 || fchmod(fd, (st.st_mode & S_ISGID) | JOB_MODE) < 0)
        r = -errno;
    sw_fd_close(&fd);
    return r < 0 ? r : sw_dir_sync(jobs_fd);
}

int sw_job_dir_open(int jobs_fd, uint64_t job, int *ret_fd)
{
    char name[24];
    job_name(job, name);
    int fd = openat(jobs_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

static int remove_name(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    return disk_remove(dir_fd, name);
}

int sw_job_dir_remove(int jobs_fd, uint64_t job)
{
    char name[24];
    AUTO_FD int fd = -1;
    int r = sw_job_dir_open(jobs_fd, job, &fd);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = disk_each(fd, remove_name, NULL);
    if (r < 0)
        return r;
    job_name(job, name);
    /* Not synced: a folder that power loss brings back has no row and goes at the next start. */
    return unlinkat(jobs_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

struct job_list {
    uint64_t *jobs;
    size_t n, room;
};

static int list_job(void *arg, int dir_fd, const char *name)
{
    struct job_list *list = arg;
    char again[24];
    (void)dir_fd;
    uint64_t job = strtoull(name, NULL, 10);
    job_name(job, again);
    if (strcmp(name, again) != 0)
        return 0; /* not ours */
    sw_grow(&list->jobs, &list->room, list->n + 1, sizeof *list->jobs);
    list->jobs[list->n++] = job;
    return 0;
}

int sw_job_dirs_each(int jobs_fd, int (*fn)(void *arg, uint64_t job), void *arg)
{
    struct job_list list = {0}; /* listed first, so that fn may remove folders */
    int r = disk_each(jobs_fd, list_job, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++)
        r = fn(arg, list.jobs[i]);
    sw_release(list.jobs);
    return r;
}

struct link {
    int job_fd, uploads_fd;
    const char *id;
    uint32_t add, part;
};

static void part_name(const struct link *link, uint32_t of_upload, const char *suffix, char *ret)
{
    snprintf(ret, UPLOAD_NAME_ROOM, "in.%u.%u%s", link->add, link->part + of_upload, suffix);
}

static void unlink_part(const struct link *link, uint32_t of_upload)
{
    char name[UPLOAD_NAME_ROOM];
    part_name(link, of_upload, "", name);
    disk_remove(link->job_fd, name);
    part_name(link, of_upload, ".sum", name);
    disk_remove(link->job_fd, name);
}

static int link_file(const struct link *link, const char *from, const char *to, uint64_t *ret_size)
{
    /* Left by an ADD of this number that was never committed. */
    int r = disk_remove(link->job_fd, to);
    if (r < 0)
        return r;
    if (linkat(link->uploads_fd, from, link->job_fd, to, 0) < 0)
        return -errno;
    struct stat st;
    if (fstatat(link->job_fd, to, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    *ret_size = (uint64_t)st.st_size;
    return S_ISREG(st.st_mode) ? 0 : -EBADMSG;
}

/* Part 0 of an upload is its bytes, part 1 what was expanded from them, if anything was. */
static int link_part(const struct link *link, uint32_t of_upload, uint64_t *ret_size)
{
    char from[UPLOAD_NAME_ROOM], to[UPLOAD_NAME_ROOM];
    uint64_t ignored;
    upload_name(link->id, of_upload ? ".1" : "", from);
    part_name(link, of_upload, "", to);
    int r = link_file(link, from, to, ret_size);
    if (r < 0)
        return r;
    upload_name(link->id, of_upload ? ".1.sum" : ".sum", from);
    part_name(link, of_upload, ".sum", to);
    return link_file(link, from, to, &ignored);
}

static int link_parts(const struct link *link, uint32_t n_parts, uint64_t *ret_sizes)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < n_parts; i++)
        r = link_part(link, i, &ret_sizes[i]);
    return r;
}

static int append_entries(const struct link *link,
                          const struct sw_manifest *from,
                          const uint64_t *sizes,
                          struct sw_buf *manifest,
                          struct sw_err *err)
{
    for (size_t i = 0; i < from->n; i++) {
        struct sw_entry entry = from->entries[i];
        bool file = entry.state == SW_ENTRY_FILE && entry.size;
        if (file && entry.offset + entry.size > sizes[entry.part])
            return sw_fail(err, EBADMSG, "upload %s: entry %zu lies beyond the bytes", link->id, i);
        entry.part = file ? entry.part + link->part : 0;
        int r = sw_manifest_append(manifest, &entry);
        if (r < 0)
            return sw_fail(err, -r, "the manifest of this ADD is too large");
    }
    return 0;
}

static int check_complete(int uploads_fd, const char *id, struct sw_err *err)
{
    struct sw_upload_info info = {0};
    int r = sw_upload_stat(uploads_fd, id, &info);
    if (r == 0 && !info.complete)
        r = -EAGAIN;
    sw_upload_info_done(&info);
    if (r == 0)
        return 0;
    const char *what = r == -ENOENT   ? "there is none"
                       : r == -EAGAIN ? "not complete"
                                      : strerror(-r);
    return sw_fail(err, -r, "upload %.*s: %s", SW_UPLOAD_ID_SIZE, id, what);
}

int sw_job_dir_link(int job_fd,
                    int uploads_fd,
                    const char *id,
                    uint32_t add,
                    uint32_t *part,
                    struct sw_buf *manifest,
                    struct sw_err *err)
{
    int r = check_complete(uploads_fd, id, err);
    if (r < 0)
        return r;
    char name[UPLOAD_NAME_ROOM];
    struct sw_manifest from = {0};
    upload_name(id, ".manifest", name);
    r = sw_manifest_load(uploads_fd, name, &from, err);
    if (r < 0)
        return r;
    struct link link = {job_fd, uploads_fd, id, add, *part};
    uint32_t n_parts = 1;
    for (size_t i = 0; i < from.n; i++)
        n_parts = SW_MAX(n_parts, SW_MIN(from.entries[i].part, UINT32_C(2)) + 1);
    uint64_t sizes[2] = {0, 0};
    size_t before = manifest->size;
    r = n_parts > 2 || link.part > UINT32_MAX - 2 ? -EBADMSG : link_parts(&link, n_parts, sizes);
    if (r < 0)
        sw_fail(err, -r, "upload %s cannot be linked: %s", id, strerror(-r));
    else
        r = append_entries(&link, &from, sizes, manifest, err);
    sw_manifest_done(&from);
    if (r == 0) {
        *part += n_parts;
        return 0;
    }
    manifest->size = before;
    for (uint32_t i = 0; i < 2 && i < n_parts; i++)
        unlink_part(&link, i);
    return r;
}

static bool is_there(int job_fd, const char *name)
{
    struct stat st;
    return fstatat(job_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Its parts were linked in ascending order, so the last one goes first: a crash in between leaves
 * what is found again. */
int sw_job_dir_drop_add(int job_fd, uint32_t add)
{
    static const char *const lists[] = {"plan", "manifest"};
    struct link link = {.job_fd = job_fd, .add = add};
    char name[UPLOAD_NAME_ROOM];
    uint32_t n = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < SW_COUNT(lists); i++) {
        snprintf(name, sizeof name, "%s.%u", lists[i], add);
        r = is_there(job_fd, name) ? disk_remove(job_fd, name) : 0;
    }
    for (part_name(&link, 0, "", name); is_there(job_fd, name); part_name(&link, n, "", name))
        n++;
    part_name(&link, n, ".sum", name); /* its bytes went, a crash kept its sums */
    if (is_there(job_fd, name))
        n++;
    while (r == 0 && n-- > 0)
        unlink_part(&link, n);
    return r;
}
