/* Memory of a result: names that stay where they are, and inline outputs that go to disk when they
 * are many. Called by result.c and result_read.c; the file has no name, so nothing is left behind.
 */
#include "files/result_inside.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 << 10)
#define MEMORY_MAX ((size_t)16 << 20) /* a quarter of what a gateway may grow by */

struct arena_block {
    struct arena_block *next;
    size_t used, room;
    char bytes[];
};

const char *arena_copy(struct arena *arena, const void *p, size_t size)
{
    struct arena_block *block = arena->blocks;
    if (!block || size >= block->room - block->used) {
        size_t room = SW_MAX(BLOCK_SIZE, size + 1);
        block = sw_alloc(1, sizeof *block + room);
        block->room = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    char *copy = block->bytes + block->used;
    if (size)
        memcpy(copy, p, size);
    copy[size] = 0;
    block->used += size + 1;
    return copy;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        sw_release(block);
    }
}

static int spill(struct inline_store *store)
{
    const char *const folders[] = {"/var/tmp", "/tmp"};
    AUTO_FD int fd = -1;
    for (size_t i = 0; fd < 0 && i < SW_COUNT(folders); i++)
        fd = open(folders[i], O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = sw_write_all(fd, store->memory.data, store->memory.size);
    if (r < 0)
        return r;
    sw_buf_done(&store->memory);
    store->fd = TAKE_FD(fd);
    return 0;
}

int inline_put(struct inline_store *store, const void *p, size_t n, uint64_t *ret_at)
{
    int r = 0;
    if (store->fd < 0 && n > MEMORY_MAX - store->memory.size)
        r = spill(store);
    if (r == 0 && store->fd >= 0)
        r = sw_pwrite_all(store->fd, p, n, store->size);
    else if (r == 0)
        sw_buf_put(&store->memory, p, n);
    if (r < 0)
        return r;
    *ret_at = store->size;
    store->size += n;
    return 0;
}

int inline_get(const struct inline_store *store, void *p, size_t n, uint64_t at)
{
    if (store->fd >= 0)
        return sw_pread_all(store->fd, p, n, at);
    memcpy(p, store->memory.data + at, n);
    return 0;
}

void inline_done(struct inline_store *store)
{
    sw_buf_done(&store->memory);
    sw_fd_close(&store->fd);
}
