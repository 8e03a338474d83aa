/* What a bulk job costs at least: the same bytes by HTTP into a file, from there by CURVE to
 * another process that runs the kernel, back by CURVE into a file, and by HTTP to the client.
 * Nothing is scheduled, summed or made durable. `bulk.py` compares a real job with it.
 *
 * Usage: limit FOLDER KERNEL [NAME=VALUE...] -- FILE...   Prints `NAME NUMBER` lines: CPU seconds
 * of the kernel alone in one process, of all processes of the limit, the bytes of the result. */
#include "tests/bench/limit.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void limit_check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "limit: %s: %s\n", what, strerror(-r));
    exit(1);
}

void limit_run_kernel(const struct limit *limit,
                      struct sw_reader *in,
                      struct sw_writer *out,
                      void (*next_file)(struct sw_reader *, size_t index))
{
    struct sw_err err = {0};
    void *state = NULL;
    limit_check(limit->kernel->open(limit->values, &state, &err), err.text);
    for (size_t i = 0; i < limit->n_files; i++) {
        struct sw_segment segment = {
            .name = limit->files[i],
            .name_size = strlen(limit->files[i]),
            .file_size = limit->sizes[i],
            .size = limit->sizes[i],
        };
        next_file(in, i);
        limit_check(limit->kernel->run(state, &segment, in, out, &err), err.text);
    }
    limit->kernel->close(state);
}

/* ---- the kernel alone ---- */

struct plain_reader {
    struct sw_reader reader;
    const struct limit *limit;
    int fd;
};

static void plain_next(struct sw_reader *reader, size_t index)
{
    struct plain_reader *in = (struct plain_reader *)reader;
    sw_fd_close(&in->fd);
    in->fd = open(in->limit->files[index], O_RDONLY | O_CLOEXEC);
    limit_check(in->fd < 0 ? -errno : 0, in->limit->files[index]);
}

static ssize_t plain_read(struct sw_reader *reader, void *p, size_t n)
{
    ssize_t got = read(((struct plain_reader *)reader)->fd, p, n);
    return got < 0 ? -errno : got;
}

static int discard(struct sw_writer *writer, const void *p, size_t n)
{
    (void)writer, (void)p, (void)n;
    return 0;
}

/* ---- processes ---- */

static double seconds_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static double wait_cpu_s(pid_t child)
{
    struct rusage usage;
    int status;
    limit_check(wait4(child, &status, 0, &usage) < 0 ? -errno : 0, "wait");
    limit_check(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD, "a process failed");
    return seconds_of(&usage);
}

static double kernel_alone(const struct limit *limit)
{
    pid_t child = fork();
    if (child == 0) {
        struct plain_reader in = {.reader = {plain_read}, .limit = limit, .fd = -1};
        struct sw_writer out = {discard};
        limit_run_kernel(limit, &in.reader, &out, plain_next);
        _exit(0);
    }
    return wait_cpu_s(child);
}

static uint64_t hear(int events)
{
    uint64_t word = 0;
    limit_check(read(events, &word, sizeof word) == sizeof word ? 0 : -EPIPE, "the server ended");
    return word;
}

static double move_all(const struct limit *limit, const char *folder, uint64_t *ret_bytes_out)
{
    int events[2], alive[2];
    limit_check(pipe2(events, O_CLOEXEC) | pipe2(alive, O_CLOEXEC), "pipe");
    pid_t server = fork();
    if (server == 0) {
        close(alive[1]);
        limit_serve(limit, folder, events[1], alive[0]);
        _exit(0);
    }
    pid_t worker = fork();
    if (worker == 0) {
        limit_work(limit);
        _exit(0);
    }
    struct rusage before, after;
    close(events[1]);
    getrusage(RUSAGE_SELF, &before);
    uint64_t port = hear(events[0]);
    limit_upload(limit, port);
    hear(events[0]);
    *ret_bytes_out = limit_download(folder, port);
    getrusage(RUSAGE_SELF, &after);
    close(alive[1]);
    return seconds_of(&after) - seconds_of(&before) + wait_cpu_s(worker) + wait_cpu_s(server);
}

static void make_keys(struct limit *limit)
{
    sw_keys_make(&limit->server_keys);
    sw_keys_make(&limit->worker_keys);
    memcpy(limit->worker_keys.server_key, limit->server_keys.public_key, SW_KEY_TEXT);
    snprintf(limit->endpoint, sizeof limit->endpoint, "tcp://127.0.0.1:%d",
             20000 + (int)(getpid() % 4000));
}

static void take_files(struct limit *limit, char **files, size_t n)
{
    limit->files = files;
    limit->n_files = n;
    limit->sizes = sw_alloc(n, sizeof *limit->sizes);
    for (size_t i = 0; i < n; i++) {
        struct stat about;
        limit_check(stat(files[i], &about) < 0 ? -errno : 0, files[i]);
        limit->sizes[i] = (uint64_t)about.st_size;
        limit->bytes += limit->sizes[i];
    }
}

int main(int argc, char **argv)
{
    struct limit limit = {.kernel = argc > 4 ? sw_kernel_find(argv[2]) : NULL};
    struct sw_param_text params[SW_PARAMS_MAX];
    struct sw_values values;
    struct sw_err err = {0};
    size_t n = 0;
    int at = 3;
    for (; at < argc && strcmp(argv[at], "--") != 0 && n < SW_PARAMS_MAX; at++) {
        char *equals = strchr(argv[at], '=');
        if (!equals)
            break;
        *equals = 0;
        params[n++] = (struct sw_param_text){argv[at], equals + 1, strlen(equals + 1)};
    }
    if (!limit.kernel || at + 1 >= argc || strcmp(argv[at], "--") != 0) {
        fprintf(stderr, "usage: limit FOLDER KERNEL [NAME=VALUE...] -- FILE...\n");
        return 2;
    }
    limit_check(sw_params_parse(limit.kernel, params, n, &values, &err), err.text);
    limit.values = &values;
    take_files(&limit, argv + at + 1, (size_t)(argc - at - 1));
    make_keys(&limit);
    double kernel_s = kernel_alone(&limit);
    uint64_t bytes_out;
    double limit_s = move_all(&limit, argv[1], &bytes_out);
    printf("kernel_s %.3f\nlimit_s %.3f\nbytes_in %ju\nbytes_out %ju\n", kernel_s, limit_s,
           (uintmax_t)limit.bytes, (uintmax_t)bytes_out);
    sw_release(limit.sizes);
    return 0;
}
