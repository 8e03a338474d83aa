/* Words for people, on standard error, and the exit status that an error code stands for. Called by
 * the verbs; never writes to standard output. */
#include "ctl.h"

#include "progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void say(const char *format, ...)
{
    AUTO_BUF struct sw_buf line = {0};
    char text[16384]; /* a name of 4096 bytes, escaped, and the reason */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_escape(&line, text, n < 0 ? 0 : SW_MIN((size_t)n, sizeof text - 1));
    progress_hide();
    fprintf(stderr, "shadowctl: %s\n", (const char *)line.data);
}

enum ctl_exit exit_of(int code)
{
    switch (-code) {
    case 0:
        return CTL_DONE;
    case CTL_ERR_USAGE:
        return CTL_USAGE;
    case CTL_ERR_UNREACHABLE:
        return CTL_UNREACHABLE;
    case CTL_ERR_REFUSED:
        return CTL_REFUSED;
    case CTL_ERR_CANCELLED:
        return CTL_CANCELLED;
    case CTL_ERR_INTERRUPTED:
        return CTL_INTERRUPTED;
    default:
        return CTL_SOME_FAILED;
    }
}

enum ctl_exit say_failed(int code, const struct sw_err *err)
{
    if (code && err->text[0]) /* empty: said already */
        say("%s", err->text);
    return exit_of(code);
}
