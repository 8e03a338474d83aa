/* The limit program of the bulk lines: what it costs at least to move a job's bytes along the way
 * that a job takes. limit.c starts the processes, limit_http.c moves between client and server,
 * limit_link.c between server and worker. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include "kernels/kernel.h"
#include "proto/link.h"

struct limit {
    const struct sw_kernel *kernel;
    const struct sw_values *values;
    char **files;
    uint64_t *sizes;
    size_t n_files;
    uint64_t bytes; /* all files */
    struct sw_keys server_keys, worker_keys;
    char endpoint[64]; /* of the link */
};

/* Ends the process with words when r is negative. */
void limit_check(int r, const char *what);

/* Runs the kernel over the files, one segment each, whose bytes come from `in` one after another.
 */
void limit_run_kernel(const struct limit *limit,
                      struct sw_reader *in,
                      struct sw_writer *out,
                      void (*next_file)(struct sw_reader *, size_t index));

/* The server's process: an upload into a file, the link, a download of what came back. Tells its
 * port, then 0 once the result is there, to `events`; ends when `alive` is closed. */
void limit_serve(const struct limit *limit, const char *folder, int events, int alive);
/* The client; a download returns the bytes of the result. */
void limit_upload(const struct limit *limit, uint64_t port);
uint64_t limit_download(const char *folder, uint64_t port);

/* Both ends of the link: file to worker, results to file. */
void limit_feed_worker(const struct limit *limit, int in_fd, int out_fd);
void limit_work(const struct limit *limit);

#endif
