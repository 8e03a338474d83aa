/* What the wasm module offers its host (README.md): open a kernel, run it over one segment after
 * another, take the bytes, close. The host puts a segment's bytes into this memory first, so a read
 * is a copy; what is written is gathered in a growing buffer. Called by kernels.mjs; never called
 * by a program. */
#include "kernels/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

/* The largest grain, the byte before it, and filter's tail. */
#define INPUT_BYTES_MAX  ((uint32_t)(SW_GRAIN_MAX + (32U << 20) + 2))
#define OUTPUT_BYTES_MAX ((size_t)256 << 20) /* what unpacks to more is for a native agent */
#define PARAMS_MAX       16

enum { RUN_OK = 0, RUN_INPUT_ERROR = 1, RUN_FAILED = 2 };

/* Written by the host, little-endian as wasm is; kernels.mjs has the same table. */
struct request {
    uint32_t name, name_size;   /* addresses are of this memory */
    uint32_t input, input_size; /* lead, owned bytes and tail */
    uint64_t file_size, offset, size;
    int64_t mtime;
    uint32_t mode, lead;
};
_Static_assert(sizeof(struct request) == 56, "kernels.mjs writes 56 bytes");

struct module {
    const struct sw_kernel *kernel;
    void *state;
    struct sw_buf output; /* of the last run */
};

struct input {
    struct sw_reader reader;
    const uint8_t *at, *end;
};

struct gathered {
    struct sw_writer writer;
    struct sw_buf *output;
};

static struct sw_err words; /* of the last call that failed; a module has one thread */

void *EXPORT(kernel_alloc)(size_t n);
void EXPORT(kernel_free)(void *p);
const char *EXPORT(kernel_list)(void);
struct module *EXPORT(kernel_open)(const char *texts, size_t size);
int EXPORT(kernel_run)(struct module *m, const struct request *request);
const uint8_t *EXPORT(kernel_output)(const struct module *m);
size_t EXPORT(kernel_output_size)(const struct module *m);
const char *EXPORT(kernel_words)(void);
void EXPORT(kernel_close)(struct module *m);

static ssize_t input_read(struct sw_reader *reader, void *p, size_t n)
{
    struct input *in = (struct input *)reader;
    n = SW_MIN(n, (size_t)(in->end - in->at));
    memcpy(p, in->at, n);
    in->at += n;
    return (ssize_t)n;
}

static int gather(struct sw_writer *writer, const void *p, size_t n)
{
    struct sw_buf *output = ((struct gathered *)writer)->output;
    if (n > OUTPUT_BYTES_MAX - output->size)
        return sw_fail(&words, EFBIG, "more than %zu bytes of output", OUTPUT_BYTES_MAX);
    sw_buf_put(output, p, n);
    return 0;
}

/* The choices of the parameter `op` without iconv, as ` a b c`. */
static void list_operations(const struct sw_kernel *kernel, struct sw_buf *ret_list)
{
    for (size_t i = 0; i < kernel->n_params; i++) {
        const char *word =
            strcmp(kernel->params[i].name, "op") == 0 ? kernel->params[i].choices : "";
        while (*word) {
            size_t n = strcspn(word, " ");
            if (n != 5 || memcmp(word, "iconv", n) != 0)
                sw_buf_printf(ret_list, " %.*s", (int)n, word);
            word += n + strspn(word + n, " ");
        }
    }
}

void *kernel_alloc(size_t n)
{
    return malloc(n ? n : 1);
}

void kernel_free(void *p)
{
    free(p);
}

const char *kernel_list(void)
{
    static struct sw_buf list;
    sw_buf_clear(&list);
    for (size_t i = 0; sw_kernels[i]; i++) {
        const struct sw_kernel *kernel = sw_kernels[i];
        sw_buf_printf(&list, "%s\t%u\t%s\t", kernel->name, (unsigned)kernel->rev,
                      sw_kernel_engine(kernel));
        list_operations(kernel, &list);
        sw_buf_text(&list, "\n");
    }
    return (const char *)list.data;
}

/* The NUL-terminated texts as a list of parameters; how many, or -EINVAL. */
static int split_texts(const char *at, const char *end, struct sw_param_text *ret_list)
{
    int n = 0;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (n == PARAMS_MAX || value >= end)
            return sw_fail(&words, EINVAL, "the parameters are no pairs of texts");
        size_t size = strlen(value);
        ret_list[n++] = (struct sw_param_text){at, value, size};
        at = value + size + 1;
    }
    return n;
}

struct module *kernel_open(const char *texts, size_t size)
{
    words = (struct sw_err){0};
    if (size == 0 || texts[size - 1] != 0) {
        sw_fail(&words, EINVAL, "the last text has no end");
        return NULL;
    }
    const struct sw_kernel *kernel = sw_kernel_find(texts);
    if (!kernel) {
        sw_fail(&words, EINVAL, "no such kernel: %.40s", texts);
        return NULL;
    }
    struct sw_param_text list[PARAMS_MAX];
    struct sw_values values;
    void *state = NULL;
    int n = split_texts(texts + strlen(texts) + 1, texts + size, list);
    if (n < 0 || sw_params_parse(kernel, list, (size_t)n, &values, &words) < 0 ||
        kernel->open(&values, &state, &words) < 0)
        return NULL;
    struct module *m = sw_alloc(1, sizeof *m);
    m->kernel = kernel;
    m->state = state;
    return m;
}

int kernel_run(struct module *m, const struct request *request)
{
    words = (struct sw_err){0};
    sw_buf_clear(&m->output);
    uint64_t given = request->input_size;
    if (given > INPUT_BYTES_MAX || request->lead > 1 || request->lead > request->offset ||
        given < request->lead || given - request->lead < request->size) {
        sw_fail(&words, EINVAL, "not a segment: its input has %u bytes", request->input_size);
        return RUN_FAILED;
    }
    const struct sw_segment segment = {
        .name = (const char *)request->name,
        .name_size = request->name_size,
        .mode = request->mode,
        .mtime = request->mtime,
        .file_size = request->file_size,
        .offset = request->offset,
        .size = request->size,
        .lead = request->lead,
        .tail = given - request->lead - request->size,
    };
    const uint8_t *bytes = (const uint8_t *)request->input;
    struct input in = {.reader = {input_read}, .at = bytes, .end = bytes + request->input_size};
    struct gathered out = {.writer = {gather}, .output = &m->output};
    struct sw_err error = {0};
    int r = m->kernel->run(m->state, &segment, &in.reader, &out.writer, &error);
    if (r < 0 && *error.text)
        words = error;
    if (r < 0 && !*words.text)
        sw_fail(&words, -r, "%s: %s", m->kernel->name, strerror(-r));
    return r == 0 ? RUN_OK : r == -EBADMSG ? RUN_INPUT_ERROR : RUN_FAILED;
}

const uint8_t *kernel_output(const struct module *m)
{
    return m->output.data;
}

size_t kernel_output_size(const struct module *m)
{
    return m->output.size;
}

const char *kernel_words(void)
{
    return words.text;
}

void kernel_close(struct module *m)
{
    if (!m)
        return;
    m->kernel->close(m->state);
    sw_buf_done(&m->output);
    sw_release(m);
}
