/* Writes one escaped line in one write(2), so that lines of several threads never mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

static size_t escape(const char *text, char *out, size_t room)
{
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p && n + 5 < room; p++) {
        if (*p >= 0x20 && *p < 0x7f)
            out[n++] = (char)*p;
        else
            n += (size_t)snprintf(out + n, room - n, "\\x%02x", *p);
    }
    return n;
}

/* Read once: a debug line that is not wanted costs next to nothing. */
static bool wants_debug;

__attribute__((constructor)) static void read_environment(void)
{
    wants_debug = getenv("SHADOW_DEBUG") != NULL;
}

void sw_log(enum sw_log_level level, const char *format, ...)
{
    if (level == SW_LOG_DEBUG && !wants_debug)
        return;
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES * 4 + 8];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = (size_t)snprintf(line, sizeof line, "<%d>", (int)level);
    n += escape(text, line + n, sizeof line - n - 1);
    line[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written; /* nowhere left to say it */
}
