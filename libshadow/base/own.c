/* Allocation that aborts and the destroy functions of plain things. Every folder calls this; it
 * owns nothing itself and never logs. */
#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sw_fd_close(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    errno = saved;
    *fd = -1;
}

void sw_text_destroy(char **p)
{
    free(*p);
    *p = NULL;
}

void *sw_alloc(size_t n, size_t size_bytes)
{
    void *p = calloc(n ? n : 1, size_bytes ? size_bytes : 1);
    if (!p)
        abort(); /* a lease makes a crash safe; a half-made object is not */
    return p;
}

void *sw_realloc(void *p, size_t n, size_t size_bytes)
{
    p = reallocarray(p, n ? n : 1, size_bytes ? size_bytes : 1);
    if (!p)
        abort();
    return p;
}

char *sw_copy_text(const char *text, size_t size)
{
    char *copy = sw_alloc(size + 1, 1);
    if (size)
        memcpy(copy, text, size);
    return copy;
}

void sw_release(void *p)
{
    free(p);
}

void sw_grow(void *p, size_t *room, size_t need, size_t item_bytes)
{
    if (need <= *room)
        return;
    size_t wanted = SW_MAX(SW_MAX(need, *room * 2), (size_t)8);
    void *old;
    memcpy(&old, p, sizeof old);
    void *grown = sw_realloc(old, wanted, item_bytes);
    memcpy(p, &grown, sizeof grown);
    *room = wanted;
}
