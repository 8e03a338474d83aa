/* Runs a kernel over files as the system would: cut by sw_plan, chunks in any order, outputs joined
 * by the result's rule. tests/contract/test_kernel_*.py compare with the reference commands.
 *
 *   kernel_run [-g GRAIN] [-c CHUNKS] [-o SEED] [-r BYTES] [-n] DIR KERNEL [NAME=VALUE…] -- FILE…
 *
 * -o shuffles the chunks; a read gives at most -r bytes; with -n what is written is only counted.
 * Each output is DIR/N for the N-th file (FILES) or DIR/all (CONCAT). Standard output says
 * `chunks N`, then for each file `ok HEXNAME` or `error HEXTEXT`. Exit 2: refused, the words on
 * standard error; 3: a run failed. */
#include "base/io.h"
#include "kernels/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    uint64_t grain;
    uint32_t chunks;
    uint64_t seed;
    size_t read_bytes;
    bool discard;
    const char *dir;
};

struct file {
    const char *name;
    struct stat stat;
    char *error; /* owned; the first error of its pieces, in their order */
};

struct input {
    struct sw_reader reader;
    int fd;
    uint64_t at, end;
    size_t read_bytes;
};

/* What the pieces gave, one after another as they were run. */
struct spool {
    struct sw_writer writer;
    int fd;
    uint64_t size;
};

struct span {
    uint64_t begin, end; /* of a piece's output in the spool */
};

struct job {
    const struct sw_kernel *kernel;
    void *state;
    const struct options *options;
    struct file *files;
    struct sw_piece *pieces;
    struct span *spans; /* one for each piece */
    size_t n;
    struct spool *spool;
};

static _Noreturn void die(int code, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(code);
}

static ssize_t input_read(struct sw_reader *reader, void *p, size_t n)
{
    struct input *in = (struct input *)reader;
    n = SW_MIN(n, SW_MIN(in->read_bytes, (size_t)SW_MIN(in->end - in->at, SIZE_MAX)));
    ssize_t got = pread(in->fd, p, n, (off_t)in->at);
    if (got < 0)
        return -errno;
    in->at += (uint64_t)got;
    return got;
}

static int spool_write(struct sw_writer *writer, const void *p, size_t n)
{
    struct spool *spool = (struct spool *)writer;
    if (spool->fd < 0)
        return 0;
    spool->size += n;
    return sw_write_all(spool->fd, p, n);
}

static int open_output(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die(3, path, strerror(errno));
    return fd;
}

static void run_piece(const struct job *job, struct file *file, const struct sw_piece *piece)
{
    struct sw_segment segment = {
        .name = file->name,
        .name_size = strlen(file->name),
        .mode = file->stat.st_mode & 07777,
        .mtime = file->stat.st_mtime,
        .file_size = (uint64_t)file->stat.st_size,
        .offset = piece->offset,
        .size = piece->size,
        .lead = piece->lead,
        .tail = piece->tail,
    };
    AUTO_FD int fd = open(file->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die(3, file->name, strerror(errno));
    struct input in = {
        .reader = {input_read},
        .fd = fd,
        .at = piece->offset - piece->lead,
        .end = piece->offset + piece->size + piece->tail,
        .read_bytes = job->options->read_bytes,
    };
    struct sw_err err = {0};
    int r = job->kernel->run(job->state, &segment, &in.reader, &job->spool->writer, &err);
    if (r < 0 && r != -EBADMSG)
        die(3, *err.text ? err.text : "run", strerror(-r));
    if (r == -EBADMSG && !*err.text)
        die(3, file->name, "an input error without words");
    if (r == -EBADMSG && !file->error)
        file->error = sw_copy_text(err.text, strlen(err.text));
}

/* Chunks in the seed's order; the pieces of a chunk in theirs. */
static void run_all(const struct job *job)
{
    const struct sw_piece *pieces = job->pieces;
    uint32_t n_chunks = job->n ? pieces[job->n - 1].chunk + 1 : 0;
    uint32_t *order = sw_alloc(n_chunks, sizeof *order);
    size_t *first = sw_alloc(n_chunks, sizeof *first);
    for (uint32_t i = 0; i < n_chunks; i++)
        order[i] = i;
    for (size_t i = job->n; i-- > 0;)
        first[pieces[i].chunk] = i;
    srandom((unsigned)job->options->seed);
    for (uint32_t i = n_chunks; job->options->seed && i > 1; i--) {
        uint32_t j = (uint32_t)random() % i, chunk = order[j];
        order[j] = order[i - 1];
        order[i - 1] = chunk;
    }
    for (uint32_t c = 0; c < n_chunks; c++) {
        for (size_t i = first[order[c]]; i < job->n && pieces[i].chunk == order[c]; i++) {
            job->spans[i].begin = job->spool->size;
            run_piece(job, &job->files[pieces[i].file], &pieces[i]);
            job->spans[i].end = job->spool->size;
        }
    }
    printf("chunks %u\n", n_chunks);
    sw_release(order);
    sw_release(first);
}

static void join_piece(int spool_fd, struct span span, int to)
{
    static char block[1 << 18];
    while (span.begin < span.end) {
        size_t n = SW_MIN(sizeof block, (size_t)(span.end - span.begin));
        if (sw_pread_all(spool_fd, block, n, span.begin) < 0 || sw_write_all(to, block, n) < 0)
            die(3, "join", "cannot copy");
        span.begin += n;
    }
}

/* FILES: an output for each file without an error; CONCAT: one, without what such files gave. */
static void join_all(const struct job *job)
{
    bool concat = job->kernel->shape == SW_CONCAT;
    AUTO_FD int to = concat ? open_output(job->options->dir, "all") : -1;
    for (size_t i = 0; i < job->n; i++) {
        const struct sw_piece *piece = &job->pieces[i];
        if (job->files[piece->file].error)
            continue;
        if (!concat && piece->offset == 0) {
            char name[32];
            snprintf(name, sizeof name, "%u", piece->file);
            sw_fd_close(&to);
            to = open_output(job->options->dir, name);
        }
        join_piece(job->spool->fd, job->spans[i], to);
    }
}

static void print_hex(const char *word, const void *p, size_t n)
{
    printf("%s ", word);
    for (size_t i = 0; i < n; i++)
        printf("%02x", ((const uint8_t *)p)[i]);
    printf("\n");
}

static void
report(const struct sw_kernel *k, const struct sw_values *values, struct file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF struct sw_buf name = {0};
        k->output_name(values, files[i].name, strlen(files[i].name), &name);
        if (files[i].error)
            print_hex("error", files[i].error, strlen(files[i].error));
        else
            print_hex("ok", name.data, name.size);
        sw_release(files[i].error);
    }
}

static struct file *stat_files(char **names, size_t n, uint64_t *ret_sizes)
{
    struct file *files = sw_alloc(n, sizeof *files);
    for (size_t i = 0; i < n; i++) {
        files[i].name = names[i];
        if (stat(names[i], &files[i].stat) < 0)
            die(3, names[i], strerror(errno));
        ret_sizes[i] = (uint64_t)files[i].stat.st_size;
    }
    return files;
}

static int run_kernel(const struct sw_kernel *k,
                      const struct sw_values *values,
                      const struct options *options,
                      char **names,
                      size_t n_files)
{
    struct spool spool = {.writer = {spool_write}, .fd = -1};
    struct job job = {.kernel = k, .options = options, .spool = &spool};
    struct sw_err err = {0};
    if (k->open(values, &job.state, &err) < 0)
        die(2, k->name, err.text);
    uint64_t *sizes = sw_alloc(n_files, sizeof *sizes);
    job.files = stat_files(names, n_files, sizes);
    struct sw_split split = k->split(values);
    const size_t most = (size_t)1 << 20;
    int r =
        sw_plan(&split, sizes, n_files, options->grain, options->chunks, most, &job.pieces, &job.n);
    if (r < 0)
        die(3, "plan", strerror(-r));
    job.spans = sw_alloc(job.n, sizeof *job.spans);
    spool.fd = options->discard ? -1 : open_output(options->dir, "spool");
    run_all(&job);
    k->close(job.state);
    join_all(&job);
    report(k, values, job.files, n_files);
    sw_fd_close(&spool.fd);
    sw_release(job.files);
    sw_release(job.spans);
    sw_release(job.pieces);
    sw_release(sizes);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.grain = SW_GRAIN_MAX, .read_bytes = SIZE_MAX};
    int option;
    while ((option = getopt(argc, argv, "+g:c:o:r:n")) >= 0) {
        uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
        if (option == 'g')
            options.grain = number;
        else if (option == 'c')
            options.chunks = (uint32_t)number;
        else if (option == 'o')
            options.seed = number;
        else if (option == 'r')
            options.read_bytes = number;
        else if (option == 'n')
            options.discard = true;
        else
            return 3;
    }
    if (argc - optind < 3)
        die(3, "usage", "kernel_run [options] DIR KERNEL [NAME=VALUE...] -- FILE...");
    options.dir = argv[optind++];
    const struct sw_kernel *k = sw_kernel_find(argv[optind++]);
    if (!k)
        die(2, argv[optind - 1], "no such kernel");
    struct sw_param_text list[16] = {0};
    size_t n = 0;
    for (; optind < argc && strcmp(argv[optind], "--") != 0 && n < SW_COUNT(list); optind++) {
        char *equals = strchr(argv[optind], '=');
        if (!equals)
            die(3, argv[optind], "not NAME=VALUE");
        *equals = 0;
        list[n++] = (struct sw_param_text){argv[optind], equals + 1, strlen(equals + 1)};
    }
    struct sw_values values;
    struct sw_err err = {0};
    if (sw_params_parse(k, list, n, &values, &err) < 0)
        die(2, k->name, err.text);
    return run_kernel(k, &values, &options, argv + optind + 1, (size_t)(argc - optind - 1));
}
