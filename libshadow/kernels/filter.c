/* filter: the lines that match, in input order, as `LC_ALL=C grep -a -h -P` prints them (-F for
 * fixed), to the byte. A file may be cut anywhere (lines.h), but for `count`, whose answer is about
 * a whole file. A line is matched by itself, so a pattern never sees a line feed. */
#include "kernels/lines.h"
#include "kernels/pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { PATTERN, FIXED, INVERT, IGNORE_CASE, COUNT, WITH_FILENAME };

static const struct sw_param params[] = {
    [PATTERN] = {.name = "pattern",
                 .type = SW_PARAM_TEXT,
                 .required = true,
                 .help = "Perl-compatible regular expression that a line is searched for"},
    [FIXED] = {.name = "fixed",
               .type = SW_PARAM_BOOL,
               .fallback = "false",
               .help = "The pattern is plain text; several texts are separated by line feeds"},
    [INVERT] = {.name = "invert",
                .type = SW_PARAM_BOOL,
                .fallback = "false",
                .help = "Give the lines that do not match"},
    [IGNORE_CASE] = {.name = "ignore-case",
                     .type = SW_PARAM_BOOL,
                     .fallback = "false",
                     .help = "Take a to z for A to Z"},
    [COUNT] = {.name = "count",
               .type = SW_PARAM_BOOL,
               .fallback = "false",
               .help = "Give only the number of such lines of each file"},
    [WITH_FILENAME] = {.name = "with-filename",
                       .type = SW_PARAM_BOOL,
                       .fallback = "false",
                       .help = "Begin each line with the name of its file and a colon"},
};

struct filter {
    struct pattern *pattern;
    bool invert, count, with_filename;
    bool mute; /* `grep -c -v ''` prints no count at all */
    struct lines lines;
    uint8_t block[STREAM_BLOCK];
};

static int check(const struct sw_values *values, struct sw_err *err)
{
    const struct sw_value *text = &values->v[PATTERN];
    return pattern_check(text->text, text->size, values->v[FIXED].number,
                         values->v[IGNORE_CASE].number, err);
}

static void
output_name(const struct sw_values *values, const char *name, size_t size, struct sw_buf *ret_name)
{
    (void)values;
    (void)name;
    (void)size;
    sw_buf_text(ret_name, "filter.txt");
}

static struct sw_split split(const struct sw_values *values)
{
    if (values->v[COUNT].number)
        return (struct sw_split){0};
    return (struct sw_split){.unit_bytes = 1, .lead = 1, .tail_bytes = LINE_BYTES_MAX + 1};
}

static void close_state(void *state)
{
    struct filter *f = state;
    if (!f)
        return;
    pattern_destroy(&f->pattern);
    lines_done(&f->lines);
    sw_release(f);
}

static int open_state(const struct sw_values *values, void **ret_state, struct sw_err *err)
{
    const struct sw_value *text = &values->v[PATTERN];
    struct pattern *pattern = NULL;
    int r = pattern_new(text->text, text->size, values->v[FIXED].number,
                        values->v[IGNORE_CASE].number, &pattern, err);
    if (r < 0)
        return r;
    struct filter *f = sw_alloc(1, sizeof *f);
    f->pattern = pattern;
    f->invert = values->v[INVERT].number;
    f->count = values->v[COUNT].number;
    f->with_filename = values->v[WITH_FILENAME].number;
    f->mute = f->count && f->invert && text->size == 0;
    *ret_state = f;
    return 0;
}

/* [NAME:]LINE and a line feed, which the file's last line may have lacked. */
static int put_line(const struct filter *f,
                    const struct sw_segment *segment,
                    struct sink *sink,
                    const char *line,
                    size_t n)
{
    int r = 0;
    if (f->with_filename) {
        r = sink_put(sink, segment->name, segment->name_size);
        if (r == 0)
            r = sink_put(sink, ":", 1);
    }
    if (r == 0)
        r = sink_put(sink, line, n);
    return r < 0 ? r : sink_put(sink, "\n", 1);
}

static int put_count(const struct filter *f,
                     const struct sw_segment *segment,
                     struct sink *sink,
                     uint64_t count)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, count);
    return put_line(f, segment, sink, text, (size_t)n);
}

/* Writes what is to be given of the segment. *ret_words is set for a line that cannot be judged. */
static int search(struct filter *f,
                  const struct sw_segment *segment,
                  struct sink *sink,
                  const char **ret_words)
{
    uint64_t count = 0;
    const char *line = NULL;
    size_t n = 0;
    int r = 0;
    while ((r = lines_next(&f->lines, &line, &n)) > 0) {
        r = pattern_matches(f->pattern, line, n, ret_words);
        if (r < 0)
            return r;
        if ((r > 0) == f->invert)
            continue;
        count++;
        r = f->count ? 0 : put_line(f, segment, sink, line, n);
        if (r < 0)
            return r;
    }
    if (r == -EMSGSIZE)
        *ret_words = "it is longer than 32 MiB";
    return r == 0 && f->count && !f->mute ? put_count(f, segment, sink, count) : r;
}

static int run(void *state,
               const struct sw_segment *segment,
               struct sw_reader *in,
               struct sw_writer *out,
               struct sw_err *ret_error)
{
    struct filter *f = state;
    struct sink sink = {.out = out, .block = f->block};
    const char *words = NULL;
    int r = lines_start(&f->lines, segment, in);
    if (r == 0)
        r = search(f, segment, &sink, &words);
    if (words)
        return sw_fail(ret_error, EBADMSG, "the line at byte %" PRIu64 ": %s", f->lines.start,
                       words);
    return r < 0 ? r : sink_flush(&sink);
}

/* A last line may go on behind the chunk; every byte may be a line that the name stands before. */
static struct sw_growth growth(const struct sw_values *values)
{
    uint64_t name = values->v[WITH_FILENAME].number ? SW_OUTPUT_NAME_MAX + 2 : 0;
    return (struct sw_growth){.times = 2 + name, .more = LINE_BYTES_MAX + name};
}

const struct sw_kernel sw_kernel_filter = {
    .name = "filter",
    .rev = 1,
    .title = "Filter lines",
    .help =
        "Gives the lines that match a regular expression, as grep -P does, byte by byte in the C "
        "locale. No match is an empty result. A line may have 32 MiB.",
    .params = params,
    .n_params = SW_COUNT(params),
    .shape = SW_CONCAT,
    .check = check,
    .output_name = output_name,
    .split = split,
    .open = open_state,
    .close = close_state,
    .run = run,
    .growth = growth,
    .engine = pattern_engine,
};
