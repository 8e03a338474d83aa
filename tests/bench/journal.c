/* What the journal adds to the store: rows a second through it, with the caller's own cost a row,
 * and the latency of a single durable row beside one plain append + fdatasync. Usage: bench-journal
 * [SECONDS-A-LINE]. */
#include "broker/journal.h"

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES  40
#define TURN_ROWS   64 /* what a turn of the loop brings */
#define SAMPLES_MAX 20000

static uint8_t body[BODY_BYTES];
static uint64_t rows;

static double now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench-journal: %s: %s\n", what, why);
    exit(1);
}

static void put(struct journal *journal)
{
    struct sw_row row = {.kind = SW_ROW_CHUNK,
                         .of.chunk = {.job = 1 + rows % 2,
                                      .chunk = (uint32_t)(rows / 2),
                                      .state = 3,
                                      .body = body,
                                      .body_size = sizeof body}};
    journal_put(journal, &row, ++rows);
}

/* A task of its own: job and add at submit, chunk and final job at its end. */
static void put_task(struct journal *journal)
{
    uint64_t id = 1000000 + rows;
    struct sw_row row = {
        .kind = SW_ROW_JOB,
        .of.job = {
            .job = id, .type = "hash", .owner = "t1", .body = body, .body_size = sizeof body}};
    journal_put(journal, &row, ++rows);
    struct sw_row add = {.kind = SW_ROW_ADD,
                         .of.add = {.job = id, .body = body, .body_size = sizeof body}};
    journal_put(journal, &add, ++rows);
    struct sw_row chunk = {.kind = SW_ROW_CHUNK,
                           .of.chunk = {.job = id, .body = body, .body_size = sizeof body}};
    journal_put(journal, &chunk, ++rows);
    row.of.job.final_ms = 1;
    journal_put(journal, &row, ++rows);
}

static uint64_t turn(struct journal *journal, long wait_ms)
{
    zmq_pollitem_t item = {zsock_resolve(journal_socket(journal)), 0, ZMQ_POLLIN, 0};
    uint64_t told = 0;
    struct sw_err err;
    zmq_poll(&item, 1, wait_ms);
    if (journal_committed(journal, &told, &err) < 0)
        die("commit", err.text);
    journal_flush(journal);
    return told;
}

static void throughput(struct journal *journal,
                       const char *what,
                       void (*put_one)(struct journal *),
                       double seconds)
{
    uint64_t from = rows, done = 0;
    double start = now_s(CLOCK_MONOTONIC), putting = 0;
    double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
    while (now_s(CLOCK_MONOTONIC) - start < seconds) {
        double before = now_s(CLOCK_MONOTONIC);
        for (int i = 0; i < TURN_ROWS; i++, done++)
            put_one(journal);
        putting += now_s(CLOCK_MONOTONIC) - before;
        turn(journal, 0);
        while (journal_full(journal))
            turn(journal, -1);
    }
    while (turn(journal, -1) < rows)
        ;
    double wall = now_s(CLOCK_MONOTONIC) - start;
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%-28s %9.0f/s %9.0f rows/s, CPU %.2f us each, of it putting %.3f us\n", what,
           (double)done / wall, (double)(rows - from) / wall, cpu * 1e6 / (double)done,
           putting * 1e6 / (double)done);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double middle(double *samples, size_t n)
{
    qsort(samples, n, sizeof *samples, compare);
    return samples[n / 2] * 1e6;
}

static void latency(struct journal *journal, const char *folder, double seconds)
{
    static double samples[SAMPLES_MAX];
    char path[4200];
    size_t n = 0;
    double start = now_s(CLOCK_MONOTONIC);
    for (; n < SAMPLES_MAX && now_s(CLOCK_MONOTONIC) - start < seconds; n++) {
        double before = now_s(CLOCK_MONOTONIC);
        put(journal);
        journal_flush(journal);
        while (turn(journal, -1) < rows)
            ;
        samples[n] = now_s(CLOCK_MONOTONIC) - before;
    }
    double journal_us = middle(samples, n);
    snprintf(path, sizeof path, "%s/append", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    start = now_s(CLOCK_MONOTONIC);
    for (n = 0; n < SAMPLES_MAX && now_s(CLOCK_MONOTONIC) - start < seconds; n++) {
        double before = now_s(CLOCK_MONOTONIC);
        if (write(fd, body, sizeof body) != sizeof body || fdatasync(fd) < 0)
            die(path, strerror(errno));
        samples[n] = now_s(CLOCK_MONOTONIC) - before;
    }
    close(fd);
    unlink(path);
    printf("%-28s %9.0f us p50, append + fdatasync %.0f us\n", "one row, put to told", journal_us,
           middle(samples, n));
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    const char *tmp = getenv("TMPDIR");
    char folder[4096], path[4200];
    struct journal *journal;
    struct sw_err err;
    uint32_t epoch;
    snprintf(folder, sizeof folder, "%s/sw-bench-journal.XXXXXX", tmp ? tmp : ".");
    if (!mkdtemp(folder))
        die(folder, strerror(errno));
    if (journal_open(&sw_store_sqlite, folder, &journal, &epoch, &err) < 0)
        die("open", err.text);
    journal_start(journal);
    throughput(journal, "chunks of one job", put, seconds);
    throughput(journal, "tasks of four rows", put_task, seconds);
    latency(journal, folder, seconds);
    journal_close(&journal, NULL);
    static const char *const names[] = {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm",
                                        "store.lock"};
    for (size_t i = 0; i < SW_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}
