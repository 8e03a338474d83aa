/* The INI file of a program, read by libinih against the program's table.
 *
 * Called by config.c alone. Stops at the first bad line and names it; a typing error must not leave
 * a daemon running on a default. Lines are handed to inih by our own reader, which counts them and
 * refuses what inih would cut. Never logs and never shows a secret. */
#include "base/io.h"
#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>

enum {
    FILE_BYTES_MAX = 64 * 1024, /* far above any sane file */
    LINE_BYTES_MAX = 197,       /* inih's buffer of 200 cuts what is longer in two */
    PATH_SHOWN = 60,            /* of a long path the end: a message has 160 bytes */
};

struct file {
    const struct load *load;
    struct sw_buf text;
    size_t next;       /* offset of the next line */
    int line;          /* of the line read last */
    int failed_line;   /* the first bad line, 0 if none */
    struct sw_err why; /* what was wrong there */
    uint64_t seen;     /* keys that were given */
};

static int fail_line(struct file *file)
{
    file->failed_line = file->line;
    return 0; /* inih's "error" */
}

/* inih's reader: one line as fgets would, NULL at the end or at a line it could not take whole. */
static char *read_line(char *ret_line, int room, void *stream)
{
    struct file *file = stream;
    size_t left = file->text.size - file->next;
    if (left == 0 || file->failed_line)
        return NULL;
    const char *start = (const char *)file->text.data + file->next;
    const char *newline = memchr(start, '\n', left);
    size_t size = newline ? (size_t)(newline - start) : left;
    file->line++;
    if (size > LINE_BYTES_MAX || (int)size + 2 > room || memchr(start, '\0', size)) {
        sw_fail(&file->why, EINVAL, "a line of text of at most %d bytes is allowed",
                LINE_BYTES_MAX);
        fail_line(file);
        return NULL;
    }
    memcpy(ret_line, start, size);
    memcpy(ret_line + size, "\n", 2);
    file->next += size + (newline ? 1 : 0);
    return ret_line;
}

static void
fail_unknown(const struct sw_config_program *program, const char *name, struct sw_err *ret_err)
{
    AUTO_BUF struct sw_buf names = {0};
    for (size_t i = 0; i < program->n_keys; i++)
        if (!(program->keys[i].flags & SW_CONFIG_COMMAND_LINE))
            sw_buf_printf(&names, " %s", program->keys[i].name);
    sw_fail(ret_err, EINVAL, "unknown key '%.24s'; allowed:%s", name,
            names.data ? (char *)names.data : " none");
}

static const struct sw_config_key *find_key(const struct sw_config_program *program,
                                            const char *name)
{
    for (size_t i = 0; i < program->n_keys; i++) {
        const struct sw_config_key *key = &program->keys[i];
        if (!(key->flags & SW_CONFIG_COMMAND_LINE) && strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

/* inih's handler: 0 is an error. It calls again with the same name for an indented line that
 * continues a value, which ends as "given twice": no value of ours has two lines. */
static int take_value(void *user, const char *section, const char *name, const char *value)
{
    struct file *file = user;
    const struct sw_config_program *program = file->load->program;
    if (*section && strcmp(section, program->name) != 0) {
        sw_fail(&file->why, EINVAL, "section [%.24s]: [%s] is allowed", section, program->name);
        return fail_line(file);
    }
    const struct sw_config_key *key = find_key(program, name);
    if (!key) {
        fail_unknown(program, name, &file->why);
        return fail_line(file);
    }
    uint64_t bit = UINT64_C(1) << (key - program->keys);
    if (file->seen & bit) {
        sw_fail(&file->why, EINVAL, "%s is given twice", name);
        return fail_line(file);
    }
    file->seen |= bit;
    if (value_set(key, value, file->load->config, &file->why) < 0)
        return fail_line(file);
    return 1;
}

static int parse(struct file *file, const char *path)
{
    int line = ini_parse_stream(read_line, file, take_value, file);
    if (line < 0)
        return sw_fail(file->load->ret_err, ENOMEM, "%.*s: no memory", 2 * PATH_SHOWN, path);
    if (line == 0 && !file->failed_line)
        return 0;
    if (line &&
        line != file->failed_line) /* inih's own complaint, which does not stop it, came first */
        sw_fail(&file->why, EINVAL, "a line like `key = value` is allowed");
    size_t size = strlen(path);
    size_t skip = size > PATH_SHOWN ? size - PATH_SHOWN : 0;
    return sw_fail(file->load->ret_err, EINVAL, "%s%s:%d: %s", skip ? "..." : "", path + skip,
                   line ? line : file->failed_line, file->why.text);
}

int file_apply(const struct load *load)
{
    AUTO_BUF struct sw_buf usual = {0};
    sw_buf_printf(&usual, "/etc/shadowwork/%s.conf", load->program->name);
    const char *path = load->path ? load->path : (const char *)usual.data;
    struct file file = {.load = load};
    int r = sw_file_read(AT_FDCWD, path, FILE_BYTES_MAX, &file.text);
    if (r == -ENOENT && !load->path)
        r = 0;
    else if (r < 0)
        sw_fail(load->ret_err, -r, "%.*s: %s", 2 * PATH_SHOWN, path, strerror(-r));
    else
        r = parse(&file, path);
    sw_buf_done(&file.text);
    return r;
}
