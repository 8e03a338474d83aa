/* Ownership idioms (conventions 10 to 13): locals own with AUTO, ownership is handed over with
 * TAKE. */
#ifndef SW_OWN_H
#define SW_OWN_H

#include <stddef.h>

/* `AUTO(file) struct file *f = file_open();` calls file_destroy(&f) on every way out of the scope.
 */
#define AUTO(name) __attribute__((cleanup(name##_destroy)))

/* `AUTO_FD int fd = open(...)`: closed on every way out; -1 means "owns nothing". */
#define AUTO_FD __attribute__((cleanup(sw_fd_close)))

/* `AUTO_BUF struct sw_buf b = {0};` */
#define AUTO_BUF __attribute__((cleanup(sw_buf_done)))

/* The pointer moves out; the variable that owned it becomes NULL. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

/* Closes *fd when it is not negative and sets it to -1; keeps errno. */
void sw_fd_close(int *fd);

/* AUTO(sw_text) char *s: an owned heap string. */
void sw_text_destroy(char **p);

/* Allocate or abort (convention 18): for sizes of our own making; bound outside sizes first.
 * Zeroed. */
void *sw_alloc(size_t n, size_t size_bytes);
void *sw_realloc(void *p, size_t n, size_t size_bytes);
char *sw_copy_text(const char *text, size_t size);
void sw_release(void *p); /* free() under a name the wasm build can replace */

/* Grows *p to hold at least `need` items: doubles, so that pushes are amortised constant. */
void sw_grow(void *p, size_t *room, size_t need, size_t item_bytes);

#define SW_COUNT(array)       (sizeof(array) / sizeof((array)[0]))
#define SW_MIN(a, b)          ((a) < (b) ? (a) : (b))
#define SW_MAX(a, b)          ((a) > (b) ? (a) : (b))
#define SW_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

#endif
