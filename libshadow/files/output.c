/* out.CHUNK.N: outputs as agents STORE them. Called by the broker's data and sync actors, for one
 * lease from one thread at a time; keeps nothing in memory, so a restarted broker goes on where the
 * file ends. */
#include "files/output.h"

#include "files/disk.h"
#include "files/sums.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sw_output_path(uint32_t chunk, uint64_t n, char ret_name[SW_OUTPUT_PATH])
{
    snprintf(ret_name, SW_OUTPUT_PATH, "out.%u.%ju", chunk, (uintmax_t)n);
    return 0;
}

static void sum_path(uint32_t chunk, uint64_t n, char ret_name[SW_OUTPUT_PATH])
{
    snprintf(ret_name, SW_OUTPUT_PATH, "out.%u.%ju.sum", chunk, (uintmax_t)n);
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
    if (offset != end) {
        *ret_size = end;
        return -ERANGE;
    }
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

int sw_output_sync(int job_fd, uint32_t chunk, uint64_t n)
{
    char name[SW_OUTPUT_PATH];
    sw_output_path(chunk, n, name);
    AUTO_FD int fd = disk_open(job_fd, name, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    sum_path(chunk, n, name);
    AUTO_FD int sum_fd = disk_open(job_fd, name, O_RDWR | O_CREAT | O_TRUNC, DISK_MODE_JOB);
    if (sum_fd < 0)
        return sum_fd;
    int r = sw_sums_make(fd, sum_fd); /* the bytes are still in memory */
    if (r == 0)
        r = disk_sync(fd);
    if (r == 0)
        r = disk_sync(sum_fd);
    return r < 0 ? r : sw_dir_sync(job_fd);
}

int sw_output_remove(int job_fd, uint32_t chunk, uint64_t n)
{
    char name[SW_OUTPUT_PATH];
    sw_output_path(chunk, n, name);
    int r = disk_remove(job_fd, name);
    sum_path(chunk, n, name);
    int r_sum = disk_remove(job_fd, name);
    return r < 0 ? r : r_sum;
}

struct keep {
    char prefix[SW_OUTPUT_PATH]; /* "out.CHUNK." */
    uint64_t n;
};

static int remove_other(void *arg, int dir_fd, const char *name)
{
    const struct keep *keep = arg;
    size_t size = strlen(keep->prefix);
    if (strncmp(name, keep->prefix, size) != 0)
        return 0;
    char *end = NULL;
    uint64_t n = strtoull(name + size, &end, 10);
    bool output = end != name + size && (*end == 0 || strcmp(end, ".sum") == 0);
    return output && n != keep->n ? disk_remove(dir_fd, name) : 0;
}

int sw_output_remove_others(int job_fd, uint32_t chunk, uint64_t keep_n)
{
    struct keep keep = {.n = keep_n};
    snprintf(keep.prefix, sizeof keep.prefix, "out.%u.", chunk);
    return disk_each(job_fd, remove_other, &keep);
}
