/* Asks a kernel whether an output is right: tests/contract/test_kernel_verify.py.
 *
 *   verify_run [-r BYTES] OUTPUT KERNEL [NAME=VALUE…] -- FILE LENGTH ERROR [FILE LENGTH ERROR…]
 *
 * OUTPUT holds the files' outputs one after another, of LENGTH bytes each; an ERROR that is not
 * empty is claimed instead of one. A read gives at most -r bytes. Says `right`, or `wrong` and why,
 * for each file. Exit 2: refused; 3: it could not be found out. */
#include "base/io.h"
#include "kernels/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct part {
    struct sw_reader reader;
    int fd;
    uint64_t at, end;
    size_t read_bytes;
};

static _Noreturn void die(int code, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(code);
}

static ssize_t part_read(struct sw_reader *reader, void *p, size_t n)
{
    struct part *part = (struct part *)reader;
    n = SW_MIN(n, SW_MIN(part->read_bytes, (size_t)SW_MIN(part->end - part->at, SIZE_MAX)));
    ssize_t got = pread(part->fd, p, n, (off_t)part->at);
    if (got < 0)
        return -errno;
    part->at += (uint64_t)got;
    return got;
}

static void verify(const struct sw_kernel *k, void *state, char **words, struct part *output)
{
    struct stat stat;
    AUTO_FD int fd = open(words[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0)
        die(3, words[0], strerror(errno));
    struct sw_segment segment = {.name = words[0],
                                 .name_size = strlen(words[0]),
                                 .file_size = (uint64_t)stat.st_size,
                                 .size = (uint64_t)stat.st_size};
    struct part in = {{part_read}, fd, 0, segment.size, output->read_bytes};
    struct sw_err why = {0};
    output->end = output->at + strtoull(words[1], NULL, 10);
    uint64_t end = output->end;
    const char *error = *words[2] ? words[2] : NULL;
    int r = sw_kernel_verify(k, state, &segment, &in.reader, &output->reader, error, &why);
    if (r < 0 && r != -EBADMSG)
        die(3, *why.text ? why.text : words[0], strerror(-r));
    printf(r == 0 ? "right\n" : "wrong %s\n", why.text);
    output->at = end;
}

int main(int argc, char **argv)
{
    struct part output = {.reader = {part_read}, .read_bytes = SIZE_MAX};
    if (argc > 2 && strcmp(argv[1], "-r") == 0) {
        output.read_bytes = strtoull(argv[2], NULL, 10);
        argv += 2;
    }
    if (!argv[1] || !argv[2])
        die(3, "usage", "verify_run [-r BYTES] OUTPUT KERNEL [NAME=VALUE...] -- ...");
    output.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    const struct sw_kernel *k = sw_kernel_find(argv[2]);
    if (output.fd < 0 || !k)
        die(2, argv[2], "no such kernel, or no output");
    struct sw_param_text list[16] = {0};
    size_t n = 0;
    for (argv += 3; *argv && strcmp(*argv, "--") != 0 && n < SW_COUNT(list); argv++) {
        char *equals = strchr(*argv, '=');
        if (!equals)
            die(3, *argv, "not NAME=VALUE");
        *equals = 0;
        list[n++] = (struct sw_param_text){*argv, equals + 1, strlen(equals + 1)};
    }
    struct sw_values values;
    struct sw_err err = {0};
    void *state;
    if (sw_params_parse(k, list, n, &values, &err) < 0 || k->open(&values, &state, &err) < 0)
        die(2, k->name, err.text);
    for (argv += 1; argv[0] && argv[1] && argv[2]; argv += 3)
        verify(k, state, argv, &output);
    k->close(state);
    close(output.fd);
    return 0;
}
