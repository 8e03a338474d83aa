/* transform iconv: one character set to another, by the C library's iconv, as its command does it.
 */
#include "kernels/transform.h"

#include <errno.h>
#include <iconv.h>
#include <inttypes.h>
#include <string.h>

#define TRANSLIT "//TRANSLIT"
#define CHARACTER_BYTES_MAX                                                                        \
    64 /* no unfinished character is this long: then input makes no progress */

/* A name that cannot mean a path or an option. "//TRANSLIT" is the one option that has a fixed
 * result;
 * "//IGNORE" makes the command fail, so it is not offered. */
static int check_name(const char *parameter, const char *name, bool options, struct sw_err *err)
{
    size_t n = strlen(name), n_option = strlen(TRANSLIT);
    if (options && n > n_option && strcmp(name + n - n_option, TRANSLIT) == 0)
        n -= n_option;
    size_t good =
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:()+-");
    if (n == 0 || good < n)
        return sw_fail(
            err, EINVAL,
            "%s is no name of a character set: letters, digits and _.:()+- are allowed%s",
            parameter, options ? ", then " TRANSLIT : "");
    return 0;
}

int transform_iconv_open(const char *from, const char *to, void **ret_tool, struct sw_err *err)
{
    int r = check_name("from", from, false, err);
    if (r == 0)
        r = check_name("to", to, true, err);
    if (r < 0)
        return r;
    iconv_t tool = iconv_open(to, from);
    if ((intptr_t)tool == -1)
        return sw_fail(err, EINVAL, "no conversion from %s to %s: `iconv -l` lists what is known",
                       from, to);
    *ret_tool = tool;
    return 0;
}

void transform_iconv_close(void *tool)
{
    iconv_close(tool);
}

/* Converts *p up to what cannot be done yet. 0 when more input is needed, or an error. `at` is the
 * place of *p in the file. A NULL p ends the output. */
static int convert(struct transform_io *io, char **p, size_t *left, uint64_t at)
{
    size_t begin = *left;
    for (;;) {
        char *to = (char *)io->sink.block;
        size_t room = STREAM_BLOCK;
        size_t before = *left;
        size_t done = iconv(io->tool, p, left, &to, &room);
        int code = done == (size_t)-1 ? errno : 0;
        size_t n = STREAM_BLOCK - room;
        int r = n ? io->sink.out->write(io->sink.out, io->sink.block, n) : 0;
        if (r < 0)
            return r;
        if (code == E2BIG && (n || *left < before))
            continue;
        if (code == 0 || code == EINVAL)
            return 0;
        return sw_fail(io->error, EBADMSG, "cannot convert the character at byte %" PRIu64,
                       at + (begin - *left));
    }
}

int transform_iconv(struct transform_io *io)
{
    if (io->source.left == 0)
        return 0; /* nothing, not even a byte order mark: as the command */
    iconv(io->tool, NULL, NULL, NULL, NULL);
    uint64_t at = 0; /* of block in the file */
    size_t left = 0; /* bytes of a character whose rest is to come */
    for (;;) {
        ssize_t n = source_read(&io->source, io->block + left, STREAM_BLOCK - left);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        char *p = (char *)io->block;
        size_t size = left + (size_t)n;
        left = size;
        int r = convert(io, &p, &left, at);
        if (r < 0)
            return r;
        if (left > CHARACTER_BYTES_MAX)
            break;
        memmove(io->block, p, left);
        at += size - left;
    }
    if (left)
        return sw_fail(io->error, EBADMSG, "an unfinished character at byte %" PRIu64, at);
    return convert(io, &(char *){NULL}, &left, at);
}
