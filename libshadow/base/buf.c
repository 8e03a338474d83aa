/* The growing byte buffer. Called by every folder; aborts when memory is out, so callers bound what
 * they put. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sw_buf_done(struct sw_buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (struct sw_buf){0};
}

void sw_buf_clear(struct sw_buf *buf)
{
    buf->size = 0;
}

uint8_t *sw_buf_reserve(struct sw_buf *buf, size_t more)
{
    sw_grow(&buf->data, &buf->room, buf->size + more + 1, 1);
    return buf->data + buf->size;
}

void sw_buf_put(struct sw_buf *buf, const void *p, size_t n)
{
    uint8_t *end = sw_buf_reserve(buf, n);
    if (n)
        memcpy(end, p, n);
    buf->size += n;
    buf->data[buf->size] = 0;
}

void sw_buf_text(struct sw_buf *buf, const char *text)
{
    sw_buf_put(buf, text, strlen(text));
}

void sw_buf_printf(struct sw_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    uint8_t *end = sw_buf_reserve(buf, (size_t)n);
    vsnprintf((char *)end, (size_t)n + 1, format, again);
    va_end(again);
    buf->size += (size_t)n;
}

char *sw_buf_take_text(struct sw_buf *buf)
{
    sw_buf_put(buf, "", 0);
    char *text = (char *)buf->data;
    *buf = (struct sw_buf){0};
    return text;
}
