/* Any parameters and any content for any kernel, in one segment: `K name=value\n...\n\nCONTENT`, K
 * counts kernels from '0'. It ends with a result, an input error with words, or the writer's
 * refusal. */
#include "fuzz.h"

#include "kernels/kernel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { OUTPUT_MAX = 4 << 20 };

struct input {
    struct sw_reader reader;
    const uint8_t *at;
    size_t left;
};

struct output {
    struct sw_writer writer;
    size_t size;
};

static ssize_t give(struct sw_reader *reader, void *p, size_t n)
{
    struct input *input = (struct input *)reader;
    n = SW_MIN(n, input->left);
    if (n)
        memcpy(p, input->at, n);
    input->at += n;
    input->left -= n;
    return (ssize_t)n;
}

static int take(struct sw_writer *writer, const void *p, size_t n)
{
    struct output *output = (struct output *)writer;
    (void)p;
    output->size += n;
    return output->size > OUTPUT_MAX ? -EFBIG : 0;
}

/* Cuts the parameters off *text, which is changed; their number. */
static size_t read_params(char **text, struct sw_param_text list[SW_PARAMS_MAX])
{
    size_t n = 0;
    char *line;
    while (n < SW_PARAMS_MAX && (line = strsep(text, "\n")) && *line) {
        char *name = strsep(&line, "=");
        list[n++] = (struct sw_param_text){name, line ? line : "", line ? strlen(line) : 0};
    }
    return n;
}

static void
run(const struct sw_kernel *kernel, const struct sw_values *values, const void *p, size_t size)
{
    struct sw_err err = {0};
    void *state = NULL;
    int r = kernel->open ? kernel->open(values, &state, &err) : 0;
    if (r < 0)
        return;
    struct sw_segment segment = {.name = "a", .name_size = 1, .file_size = size, .size = size};
    struct input input = {.reader.read = give, .at = p, .left = size};
    struct output output = {.writer.write = take};
    r = kernel->run(state, &segment, &input.reader, &output.writer, &err);
    assert(r == 0 || r == -EFBIG || (r == -EBADMSG && err.text[0]));
    if (kernel->close)
        kernel->close(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n_kernels = 0;
    while (sw_kernels[n_kernels])
        n_kernels++;
    assert(n_kernels > 0);
    if (size == 0)
        return 0;
    const struct sw_kernel *kernel = sw_kernels[(size_t)(data[0] - '0') % n_kernels];
    AUTO(sw_text) char *copy = sw_copy_text((const char *)data + 1, size - 1);
    char *rest = copy;
    struct sw_param_text list[SW_PARAMS_MAX];
    size_t n = read_params(&rest, list);
    struct sw_values values;
    struct sw_err err = {0};
    if (sw_params_parse(kernel, list, n, &values, &err) < 0)
        assert(err.text[0]);
    else if (rest)
        run(kernel, &values, rest, size - 1 - (size_t)(rest - copy));
    return 0;
}
