/* transform: each file to another by one operation, byte-equal to its command (zstd -d, iconv, tr,
 * sed, base64). This file is the declaration and the table of operations; they live in
 * transform_*.c. */
#include "kernels/transform.h"

#include <errno.h>

enum { OP, FROM, TO, MAX_BYTES };

#define CHARSET_BYTES_MAX 64                  /* the longest known name has 26 */
#define CAP_RATIO         100                 /* text rarely beats it; a bomb does by far */
#define CAP_FLOOR         ((uint64_t)1 << 30) /* small files may grow more */
#define MAX_BYTES_MAX     ((int64_t)1 << 50)  /* exact in every JSON reader */

static const struct sw_param params[] = {
    [OP] = {.name = "op",
            .type = SW_PARAM_CHOICE,
            .required = true,
            .choices = "decompress iconv upper lower crlf lf base64 unbase64",
            .help =
                "What to do: decompress zstd, iconv from one character set to another, upper or "
                "lower case of a to z, crlf (a carriage return before every line's end, as sed "
                "'s/$/\\r/'), lf (takes it away), base64 or unbase64"},
    [FROM] = {.name = "from",
              .type = SW_PARAM_TEXT,
              .min = 1,
              .max = CHARSET_BYTES_MAX,
              .help = "iconv: the character set of the input, such as ISO-8859-1"},
    [TO] = {.name = "to",
            .type = SW_PARAM_TEXT,
            .min = 1,
            .max = CHARSET_BYTES_MAX,
            .help = "iconv: the character set of the output, such as UTF-8 or ASCII//TRANSLIT"},
    [MAX_BYTES] = {.name = "max-bytes",
                   .type = SW_PARAM_INT,
                   .min = 1,
                   .max = MAX_BYTES_MAX,
                   .help =
                       "decompress: a file that would grow larger is an error (else 100 times its "
                       "size and 1 GiB)"},
};

/* In the order of the parameter's choices. NAME becomes NAME without drop, or NAME + add. */
static const struct operation {
    const char *drop, *add;
    int (*run)(struct transform_io *io);
    int (*open)(const char *from, const char *to, void **ret_tool, struct sw_err *err);
    void (*close)(void *tool);
} operations[] = {
    {".zst", ".out", transform_zstd, transform_zstd_open, transform_zstd_close},
    {NULL, ".iconv", transform_iconv, transform_iconv_open, transform_iconv_close},
    {NULL, ".upper", transform_upper, NULL, NULL},
    {NULL, ".lower", transform_lower, NULL, NULL},
    {NULL, ".crlf", transform_crlf, NULL, NULL},
    {NULL, ".lf", transform_lf, NULL, NULL},
    {NULL, ".b64", transform_base64, NULL, NULL},
    {".b64", ".bin", transform_unbase64, NULL, NULL},
};

struct transform {
    const struct operation *operation;
    void *tool;
    uint64_t max_bytes; /* 0: by the input's size */
    uint8_t in[STREAM_BLOCK];
    uint8_t out[STREAM_BLOCK];
};

static int open_tool(const struct sw_values *values, void **ret_tool, struct sw_err *err)
{
    const struct operation *operation = &operations[values->v[OP].number];
    *ret_tool = NULL;
    if (!operation->open)
        return 0;
    return operation->open(values->v[FROM].text, values->v[TO].text, ret_tool, err);
}

static int check(const struct sw_values *values, struct sw_err *err)
{
    const struct operation *operation = &operations[values->v[OP].number];
    bool from = values->v[FROM].present, to = values->v[TO].present;
    if (operation->run == transform_iconv && !(from && to))
        return sw_fail(err, EINVAL, "op iconv needs from and to, such as ISO-8859-1 and UTF-8");
    if (operation->run != transform_iconv && (from || to))
        return sw_fail(err, EINVAL, "%s is allowed with op iconv only", from ? "from" : "to");
    if (operation->run != transform_zstd && values->v[MAX_BYTES].present)
        return sw_fail(err, EINVAL, "max-bytes is allowed with op decompress only");
    void *tool = NULL;
    int r = open_tool(values, &tool, err);
    if (tool)
        operation->close(tool);
    return r;
}

static void
output_name(const struct sw_values *values, const char *name, size_t size, struct sw_buf *ret_name)
{
    const struct operation *operation = &operations[values->v[OP].number];
    if (operation->drop)
        name_drop(ret_name, name, size, operation->drop, operation->add);
    else
        name_add(ret_name, name, size, operation->add);
}

static struct sw_split split(const struct sw_values *values)
{
    (void)values;
    return (struct sw_split){0};
}

static void close_state(void *state)
{
    struct transform *t = state;
    if (!t)
        return;
    if (t->tool)
        t->operation->close(t->tool);
    sw_release(t);
}

static int open_state(const struct sw_values *values, void **ret_state, struct sw_err *err)
{
    void *tool = NULL;
    int r = open_tool(values, &tool, err);
    if (r < 0)
        return r;
    struct transform *t = sw_alloc(1, sizeof *t);
    t->operation = &operations[values->v[OP].number];
    t->tool = tool;
    t->max_bytes = values->v[MAX_BYTES].present ? (uint64_t)values->v[MAX_BYTES].number : 0;
    *ret_state = t;
    return 0;
}

static uint64_t default_cap(uint64_t input_bytes)
{
    return SW_MIN(input_bytes, (uint64_t)MAX_BYTES_MAX) * CAP_RATIO + CAP_FLOOR;
}

static struct sw_growth growth(const struct sw_values *values)
{
    const struct sw_value *max = &values->v[MAX_BYTES];
    uint64_t more = max->present ? (uint64_t)max->number : 0;
    return (struct sw_growth){.times = CAP_RATIO, .more = SW_MAX(more, CAP_FLOOR)};
}

static int run(void *state,
               const struct sw_segment *segment,
               struct sw_reader *in,
               struct sw_writer *out,
               struct sw_err *ret_error)
{
    struct transform *t = state;
    struct transform_io io = {
        .source = {.in = in, .left = segment->size},
        .sink = {.out = out, .block = t->out},
        .block = t->in,
        .max_bytes = t->max_bytes ? t->max_bytes : default_cap(segment->size),
        .tool = t->tool,
        .error = ret_error,
    };
    int r = t->operation->run(&io);
    return r < 0 ? r : sink_flush(&io.sink);
}

const struct sw_kernel sw_kernel_transform = {
    .name = "transform",
    .rev = 1,
    .title = "Transform files",
    .help =
        "Makes another file of each file: unpacks zstd, changes the character set, the case, the "
        "line ends, or to and from base64. The results are those of zstd -d, iconv, tr, sed and "
        "base64.",
    .params = params,
    .n_params = SW_COUNT(params),
    .shape = SW_FILES,
    .check = check,
    .output_name = output_name,
    .split = split,
    .open = open_state,
    .close = close_state,
    .run = run,
    .growth = growth,
};
