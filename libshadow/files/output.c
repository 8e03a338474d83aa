/* out.CHUNK.N: outputs as agents STORE them. Called by the broker's data actor (append, remove) and
 * its sync actor (seal), for one lease from one thread at a time, but for a removal, which may come
 * while it is sealed. Keeps nothing in memory: where a file ends and whether it has its sums say
 * all, also to a restarted broker. */
#include "files/output.h"

#include "files/disk.h"
#include "files/sums.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void path(uint32_t chunk, uint64_t n, const char *suffix, char ret_name[SW_OUTPUT_PATH])
{
    snprintf(ret_name, SW_OUTPUT_PATH, "out.%u.%ju%s", chunk, (uintmax_t)n, suffix);
}

int sw_output_path(uint32_t chunk, uint64_t n, char ret_name[SW_OUTPUT_PATH])
{
    path(chunk, n, "", ret_name);
    return 0;
}

/* Whether sums of all its bytes are there: they got this name when both were on the disk. */
static bool is_sealed(int job_fd, uint32_t chunk, uint64_t n, uint64_t size)
{
    char name[SW_OUTPUT_PATH];
    struct stat st;
    path(chunk, n, ".sum", name);
    uint64_t spans = size / SW_SUM_SPAN + (size % SW_SUM_SPAN != 0);
    return fstatat(job_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t)st.st_size == spans * SW_SUM_SIZE;
}

int sw_output_append(int job_fd,
                     uint32_t chunk,
                     uint64_t n,
                     uint64_t offset,
                     const void *p,
                     size_t size,
                     uint64_t *ret_size)
{
    char name[SW_OUTPUT_PATH];
    sw_output_path(chunk, n, name);
    AUTO_FD int fd = disk_open(job_fd, name, O_WRONLY | O_CREAT, DISK_MODE_JOB);
    if (fd < 0)
        return fd;
    uint64_t end;
    int r = disk_size(fd, &end);
    if (r < 0)
        return r;
    *ret_size = end;
    if (is_sealed(job_fd, chunk, n, end))
        return -EEXIST;
    if (offset != end)
        return -ERANGE;
    if (size > INT64_MAX - end)
        return -EFBIG;
    r = sw_pwrite_all(fd, p, size, end);
    if (r < 0) {
        if (ftruncate(fd, (off_t)end) < 0)
            return -EIO;
        return r;
    }
    *ret_size = end + size;
    return 0;
}

/* The sums get their name last, so that a crash leaves all of them or none. */
static int name_sums(int job_fd, uint32_t chunk, uint64_t n, int fd)
{
    char new_name[SW_OUTPUT_PATH], name[SW_OUTPUT_PATH];
    struct stat st;
    path(chunk, n, ".sum.new", new_name);
    path(chunk, n, ".sum", name);
    if (renameat(job_fd, new_name, job_fd, name) < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_nlink > 0)
        return 0;
    disk_remove(job_fd, name); /* the output was removed meanwhile */
    return -ENOENT;
}

int sw_output_seal(int job_fd, uint32_t chunk, uint64_t n, bool *ret_fatal)
{
    char name[SW_OUTPUT_PATH];
    uint64_t size = 0;
    *ret_fatal = false;
    path(chunk, n, "", name);
    AUTO_FD int fd = disk_open(job_fd, name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    int r = disk_size(fd, &size);
    if (r < 0 || is_sealed(job_fd, chunk, n, size))
        return r;
    path(chunk, n, ".sum.new", name);
    AUTO_FD int sum_fd = disk_open(job_fd, name, O_RDWR | O_CREAT | O_TRUNC, DISK_MODE_JOB);
    if (sum_fd < 0)
        return sum_fd;
    r = sw_sums_make(fd, sum_fd); /* the bytes are still in memory, mostly */
    if (r < 0)
        return r;
    r = disk_sync(fd);
    if (r == 0)
        r = disk_sync(sum_fd);
    *ret_fatal = r < 0;
    return r < 0 ? r : name_sums(job_fd, chunk, n, fd);
}

int sw_output_remove(int job_fd, uint32_t chunk, uint64_t n)
{
    static const char *const suffixes[] = {"", ".sum.new", ".sum"}; /* as name_sums relies on */
    char name[SW_OUTPUT_PATH];
    int r = 0;
    for (size_t i = 0; i < SW_COUNT(suffixes); i++) {
        path(chunk, n, suffixes[i], name);
        int r_one = disk_remove(job_fd, name);
        r = r < 0 ? r : r_one;
    }
    return r;
}

struct each {
    sw_output_fn *fn;
    void *arg;
};

static int on_name(void *arg, int dir_fd, const char *name)
{
    const struct each *each = arg;
    uintmax_t n;
    uint32_t chunk;
    (void)dir_fd;
    if (sscanf(name, "out.%" SCNu32 ".%ju", &chunk, &n) == 2)
        each->fn(each->arg, chunk, n);
    return 0;
}

int sw_outputs_each(int job_fd, sw_output_fn *fn, void *arg)
{
    struct each each = {fn, arg};
    return disk_each(job_fd, on_name, &each);
}
