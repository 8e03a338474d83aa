/* How many chunk rows a second the store commits, by batch size, beside a plain append + fdatasync
 * of the same bytes in the same run. Usage: store [SECONDS-A-LINE [URI]]. Owns a scratch folder
 * under the build directory's file system (TMPDIR), not a tmpfs: the disk is what is measured. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES 40 /* a DONE row's body: device, times, sizes */
#define ROWS_MAX   4096

static const struct sw_store_ops *ops;
static uint8_t body[BODY_BYTES];

static double now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench/store: %s: %s\n", what, why);
    exit(1);
}

/* Rows complete in order within a job, but two jobs take turns, as in the broker. */
static void fill(struct sw_row *rows, size_t n, uint64_t from)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t row = from + i;
        rows[i] = (struct sw_row){.kind = SW_ROW_CHUNK,
                                  .of.chunk = {.job = 1 + row % 2,
                                               .chunk = (uint32_t)(row / 2),
                                               .state = 3,
                                               .body = body,
                                               .body_size = sizeof body}};
    }
}

static double store_rate(const char *where, size_t batch, double seconds, double *ret_cpu_us)
{
    static struct sw_row rows[ROWS_MAX];
    struct sw_store *store = NULL;
    struct sw_err err;
    uint32_t epoch = 0;
    if (ops->open(where, true, &store, &err) < 0 || ops->claim(store, &epoch, &err) < 0)
        die("open", err.text);
    uint64_t done = 0;
    double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID), start = now_s(CLOCK_MONOTONIC), end = start;
    for (; end - start < seconds; end = now_s(CLOCK_MONOTONIC)) {
        fill(rows, batch, done);
        if (ops->commit(store, rows, batch, &err) < 0)
            die("commit", err.text);
        done += batch;
    }
    *ret_cpu_us = (now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)done;
    struct sw_row forget[] = {{.kind = SW_ROW_FORGET, .of.job.job = 1},
                              {.kind = SW_ROW_FORGET, .of.job.job = 2}};
    if (ops->commit(store, forget, 2, &err) < 0)
        die("forget", err.text);
    ops->close(store);
    return (double)done / (end - start);
}

static double append_rate(const char *path, size_t batch, double seconds)
{
    static uint8_t bytes[ROWS_MAX * (BODY_BYTES + 20)];
    size_t n = batch * (BODY_BYTES + 20);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die(path, strerror(errno));
    uint64_t done = 0;
    double start = now_s(CLOCK_MONOTONIC), end = start;
    for (; end - start < seconds; end = now_s(CLOCK_MONOTONIC)) {
        if (write(fd, bytes, n) != (ssize_t)n || fdatasync(fd) < 0)
            die(path, strerror(errno));
        done += batch;
    }
    close(fd);
    unlink(path);
    return (double)done / (end - start);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    const char *tmp = getenv("TMPDIR");
    char folder[4096], path[4200];
    snprintf(folder, sizeof folder, "%s/sw-bench-store.XXXXXX", tmp ? tmp : ".");
    if (!mkdtemp(folder))
        die(folder, strerror(errno));
    snprintf(path, sizeof path, "%s/append", folder);
    const char *where = argc > 2 ? argv[2] : folder;
    struct sw_err err;
    ops = sw_store_for(where, &err);
    if (!ops)
        die("store", err.text);
    printf("%8s %14s %12s %22s %8s\n", "batch", "rows/s", "CPU us/row", "append+fdatasync/s",
           "ratio");
    static const size_t batches[] = {1, 16, 64, 256, 1024, 4096};
    for (size_t i = 0; i < SW_COUNT(batches); i++) {
        double cpu_us;
        double rows = store_rate(where, batches[i], seconds, &cpu_us);
        double limit = append_rate(path, batches[i], seconds);
        printf("%8zu %14.0f %12.2f %22.0f %8.2f\n", batches[i], rows, cpu_us, limit, rows / limit);
        fflush(stdout);
    }
    static const char *const names[] = {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm",
                                        "store.lock"};
    for (size_t i = 0; i < SW_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}
