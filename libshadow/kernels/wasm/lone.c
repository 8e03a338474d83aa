/* What the module would else import from a host, so that its import list stays empty: descriptors,
 * the words of a failed assertion, libsodium's wiping, and iconv, which needs the C library of a
 * machine. Called by the C library, libsodium and transform.c. */
#include "kernels/transform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Noreturn void
__assert_fail(const char *expression, const char *file, int line, const char *function);
_Noreturn void sodium_misuse(void);
size_t __stdio_write(FILE *file, const unsigned char *p, size_t n);
off_t __stdio_seek(FILE *file, off_t offset, int from);
int __stdio_close(FILE *file);
void sodium_memzero(void *p, size_t n);

int close(int fd) /* base/own.c; there is no descriptor */
{
    (void)fd;
    return 0;
}

_Noreturn void
__assert_fail(const char *expression, const char *file, int line, const char *function)
{
    (void)expression;
    (void)file;
    (void)line;
    (void)function;
    __builtin_trap();
}

/* Standard error's: snprintf would complain there about a long double, which nobody gives it. */
size_t __stdio_write(FILE *file, const unsigned char *p, size_t n)
{
    (void)file;
    (void)p;
    return n;
}

off_t __stdio_seek(FILE *file, off_t offset, int from)
{
    (void)file;
    (void)offset;
    (void)from;
    return -1;
}

int __stdio_close(FILE *file)
{
    (void)file;
    return 0;
}

_Noreturn void sodium_misuse(void)
{
    __builtin_trap();
}

void sodium_memzero(void *p, size_t n)
{
    memset(p, 0, n); /* there are no secrets here */
}

int transform_iconv_open(const char *from, const char *to, void **ret_tool, struct sw_err *err)
{
    (void)from;
    (void)to;
    (void)ret_tool;
    return sw_fail(err, ENOTSUP, "op iconv is for native agents only");
}

void transform_iconv_close(void *tool)
{
    (void)tool;
}

int transform_iconv(struct transform_io *io)
{
    (void)io;
    return -ENOTSUP;
}
