/* Writes an error's words and hands its code on, so that "say why and fail" is one line. Never
 * logs. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int sw_fail(struct sw_err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return -code;
}
