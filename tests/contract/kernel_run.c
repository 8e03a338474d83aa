/* Runs a kernel over files as the system would: cut by sw_plan, chunks in any order, outputs joined
 * by the result's rule. tests/contract/test_kernels.py holds what comes out against the reference
 * commands.
 *
 *   kernel_run [-g GRAIN] [-c CHUNKS] [-o ORDER] [-r BYTES] DIR KERNEL [NAME=VALUE…] -- FILE…
 *
 * ORDER is a seed; 0 (the default) is in order. A read gives at most -r bytes. Each output is DIR/N
 * for the N-th file (FILES) or DIR/all (CONCAT); a line for each file on standard output says what
 * came of it: `ok HEXNAME` or `error HEXTEXT`. The first line is `chunks N`. Exit 2: refused, the
 * words on standard error; 3: a run failed. */
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

struct output {
    struct sw_writer writer;
    int fd;
    uint64_t size;
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

static int output_write(struct sw_writer *writer, const void *p, size_t n)
{
    struct output *out = (struct output *)writer;
    out->size += n;
    return sw_write_all(out->fd, p, n);
}

static int open_piece(const char *dir, uint64_t i, int flags)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/piece.%ju", dir, i);
    int fd = open(name, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        die(3, name, strerror(errno));
    return fd;
}

static void run_piece(const struct sw_kernel *k,
                      void *state,
                      const struct options *options,
                      struct file *file,
                      const struct sw_piece *piece,
                      uint64_t i)
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
        .read_bytes = options->read_bytes,
    };
    AUTO_FD int out_fd = open_piece(options->dir, i, O_WRONLY | O_CREAT | O_TRUNC);
    struct output out = {.writer = {output_write}, .fd = out_fd};
    struct sw_err err = {0};
    int r = k->run(state, &segment, &in.reader, &out.writer, &err);
    if (r < 0 && r != -EBADMSG)
        die(3, *err.text ? err.text : "run", strerror(-r));
    if (r == -EBADMSG && !*err.text)
        die(3, file->name, "an input error without words");
    if (r == -EBADMSG && !file->error)
        file->error = sw_copy_text(err.text, strlen(err.text));
}

/* Chunks in the seed's order; the pieces of a chunk in theirs. */
static void run_all(const struct sw_kernel *k,
                    void *state,
                    const struct options *options,
                    struct file *files,
                    const struct sw_piece *pieces,
                    size_t n)
{
    uint32_t n_chunks = n ? pieces[n - 1].chunk + 1 : 0;
    uint32_t *order = sw_alloc(n_chunks, sizeof *order);
    size_t *first = sw_alloc(n_chunks, sizeof *first);
    for (uint32_t i = 0; i < n_chunks; i++)
        order[i] = i;
    for (size_t i = n; i-- > 0;)
        first[pieces[i].chunk] = i;
    srandom((unsigned)options->seed);
    for (uint32_t i = n_chunks; options->seed && i > 1; i--) {
        uint32_t j = (uint32_t)random() % i, chunk = order[j];
        order[j] = order[i - 1];
        order[i - 1] = chunk;
    }
    for (uint32_t c = 0; c < n_chunks; c++) {
        for (size_t i = first[order[c]]; i < n && pieces[i].chunk == order[c]; i++)
            run_piece(k, state, options, &files[pieces[i].file], &pieces[i], i);
    }
    printf("chunks %u\n", n_chunks);
    sw_release(order);
    sw_release(first);
}

/* Appends piece i to the output and removes it; with to = -1 it is only removed. */
static void join_piece(const struct options *options, uint64_t i, int to)
{
    AUTO_FD int from = open_piece(options->dir, i, O_RDONLY);
    char name[4096];
    snprintf(name, sizeof name, "%s/piece.%ju", options->dir, i);
    unlink(name);
    static char block[1 << 16];
    ssize_t got = 0;
    while (to >= 0 && (got = read(from, block, sizeof block)) > 0) {
        if (sw_write_all(to, block, (size_t)got) < 0)
            die(3, name, "cannot join");
    }
}

static int open_output(const struct options *options, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", options->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die(3, path, strerror(errno));
    return fd;
}

static void join_all(const struct sw_kernel *k,
                     const struct options *options,
                     const struct file *files,
                     const struct sw_piece *pieces,
                     size_t n)
{
    AUTO_FD int to = k->shape == SW_CONCAT ? open_output(options, "all") : -1;
    for (size_t i = 0; i < n; i++) {
        const struct file *file = &files[pieces[i].file];
        char name[32];
        snprintf(name, sizeof name, "%u", pieces[i].file);
        if (k->shape == SW_FILES && pieces[i].offset == 0) {
            sw_fd_close(&to);
            to = file->error ? -1 : open_output(options, name);
        }
        join_piece(options, i, file->error ? -1 : to);
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
    struct sw_err err = {0};
    void *state = NULL;
    if (k->open(values, &state, &err) < 0)
        die(2, k->name, err.text);
    uint64_t *sizes = sw_alloc(n_files, sizeof *sizes);
    struct file *files = stat_files(names, n_files, sizes);
    struct sw_split split = k->split(values);
    struct sw_piece *pieces = NULL;
    size_t n = 0;
    int r = sw_plan(&split, sizes, n_files, options->grain, options->chunks, (size_t)1 << 20,
                    &pieces, &n);
    if (r < 0)
        die(3, "plan", strerror(-r));
    run_all(k, state, options, files, pieces, n);
    k->close(state);
    join_all(k, options, files, pieces, n);
    report(k, values, files, n_files);
    sw_release(files);
    sw_release(sizes);
    sw_release(pieces);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.grain = SW_GRAIN_MAX, .read_bytes = SIZE_MAX};
    int option;
    while ((option = getopt(argc, argv, "+g:c:o:r:")) >= 0) {
        uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
        if (option == 'g')
            options.grain = number;
        else if (option == 'c')
            options.chunks = (uint32_t)number;
        else if (option == 'o')
            options.seed = number;
        else if (option == 'r')
            options.read_bytes = number;
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
