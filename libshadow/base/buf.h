/* A growing byte buffer: the one container for encoded messages, file contents and built strings.
 */
#ifndef SW_BUF_H
#define SW_BUF_H

#include "base/own.h"

#include <stdint.h>

struct sw_buf {
    uint8_t *
        data; /* owned; always followed by a NUL once anything was put, so text can be read as is */
    size_t size;
    size_t room;
};

void sw_buf_done(struct sw_buf *buf);                         /* frees, zeroes; NULL-safe */
void sw_buf_clear(struct sw_buf *buf);                        /* size 0, keeps the room */
uint8_t *sw_buf_reserve(struct sw_buf *buf, size_t more);     /* room for `more` bytes after size */
void sw_buf_put(struct sw_buf *buf, const void *p, size_t n); /* append */
void sw_buf_text(struct sw_buf *buf, const char *text);       /* append a C string */
void sw_buf_printf(struct sw_buf *buf, const char *format, ...) SW_PRINTF(2, 3);
char *
sw_buf_take_text(struct sw_buf *buf); /* the content as an owned C string; buf is empty after */

#endif
