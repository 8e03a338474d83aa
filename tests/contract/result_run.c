/* Composes the tar of a result for test_result.py: result_run STEP MAX takes lines `HEXNAME MODE
 * MTIME LENGTH HEXDATA` (`-` for data that is not there) and writes the first MAX bytes of the tar,
 * STEP bytes a read. */
#include "base/io.h"
#include "files/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void same_name(void *arg, const char *name, size_t size, struct sw_buf *ret)
{
    (void)arg;
    sw_buf_put(ret, name, size);
}

static void from_hex(const char *text, struct sw_buf *ret)
{
    for (; text[0] && text[1]; text += 2) {
        char digits[3] = {text[0], text[1], 0};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        sw_buf_put(ret, &byte, 1);
    }
}

static int add_line(struct sw_result *result, uint32_t add, char *line)
{
    AUTO_BUF struct sw_buf name = {0}, data = {0};
    struct sw_manifest manifest = {0};
    char *rest = line;
    from_hex(strsep(&rest, " "), &name);
    struct sw_entry entry = {.name = (const char *)name.data, .name_size = name.size};
    entry.mode = (uint32_t)strtoul(strsep(&rest, " "), NULL, 8);
    entry.mtime = strtoll(strsep(&rest, " "), NULL, 10);
    struct sw_result_segment segment = {.add = add, .n = 1};
    segment.length = strtoull(strsep(&rest, " "), NULL, 10);
    if (strcmp(rest, "-") != 0) {
        from_hex(rest, &data);
        segment.n = 0;
        segment.inline_bytes = data.data;
    }
    int r = sw_manifest_append(&manifest.bytes, &entry);
    if (r == 0)
        r = sw_manifest_parse(&manifest, NULL);
    if (r == 0)
        r = sw_result_add(result, &manifest);
    sw_manifest_done(&manifest);
    return r < 0 ? r : sw_result_segment(result, &segment);
}

static int write_tar(struct sw_result *result, size_t step, uint64_t max, struct sw_err *err)
{
    AUTO_BUF struct sw_buf buf = {0};
    uint8_t *p = sw_buf_reserve(&buf, step);
    uint64_t size = sw_result_size(result, SW_RESULT_TAR);
    size = SW_MIN(size, max);
    for (uint64_t at = 0; at < size; at += step) {
        size_t n = (size_t)SW_MIN((uint64_t)step, size - at);
        int r = sw_result_read(result, SW_RESULT_TAR, p, n, at, err);
        if (r == 0)
            r = sw_write_all(STDOUT_FILENO, p, n);
        if (r < 0)
            return r;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct sw_result_rule rule = {.output_name = same_name};
    AUTO(sw_result) struct sw_result *result = sw_result_new(STDIN_FILENO, &rule);
    AUTO(sw_text) char *line = NULL;
    size_t room = 0;
    ssize_t n;
    struct sw_err err = {""};
    int r = argc == 3 ? 0 : -1;
    for (uint32_t add = 0; r == 0 && (n = getline(&line, &room, stdin)) > 0; add++) {
        line[n - 1] = 0;
        r = add_line(result, add, line);
    }
    if (r == 0)
        r = sw_result_seal(result, &err);
    if (r == 0)
        r = write_tar(result, strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), &err);
    if (r < 0)
        fprintf(stderr, "%d %s\n", -r, err.text);
    return r < 0;
}
