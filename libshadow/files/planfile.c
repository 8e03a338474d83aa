/* plan.ADD: the pieces of an ADD as bytes and on disk. Called by the broker's data actor; the
 * numbers come from the kernels' planning and are only checked here for being a plan at all. */
#include "files/planfile.h"

#include "base/pack.h"
#include "files/disk.h"
#include "files/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define VERSION   1
#define PIECE_MIN 7 /* bytes of the smallest piece: bounds what a count can make us allocate */
#define SUM_SIZE  16

void sw_plan_encode(const struct sw_plan_head *head,
                    const struct sw_plan_piece *pieces,
                    size_t n,
                    struct sw_buf *ret)
{
    size_t from = ret->size;
    sw_pack_array(ret, 4);
    sw_pack_u64(ret, VERSION);
    sw_pack_u64(ret, head->first_chunk);
    sw_pack_u64(ret, head->n_chunks);
    sw_pack_u64(ret, n);
    for (size_t i = 0; i < n; i++) {
        const struct sw_plan_piece *piece = &pieces[i];
        sw_pack_array(ret, 6);
        sw_pack_u64(ret, piece->chunk);
        sw_pack_u64(ret, piece->entry);
        sw_pack_u64(ret, piece->offset);
        sw_pack_u64(ret, piece->size);
        sw_pack_u64(ret, piece->lead);
        sw_pack_u64(ret, piece->tail);
    }
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(ret->data + from, ret->size - from));
    sw_buf_put(ret, &sum, sizeof sum);
}

static bool read_piece(struct sw_cursor *cursor, struct sw_plan_piece *ret)
{
    bool six = sw_read_array(cursor) == 6;
    uint64_t chunk = sw_read_u64(cursor), entry = sw_read_u64(cursor);
    ret->offset = sw_read_u64(cursor);
    ret->size = sw_read_u64(cursor);
    uint64_t lead = sw_read_u64(cursor);
    ret->tail = sw_read_u64(cursor);
    ret->chunk = (uint32_t)chunk;
    ret->entry = (uint32_t)entry;
    ret->lead = (uint32_t)lead;
    return six && !cursor->failed && chunk <= UINT32_MAX && entry <= UINT32_MAX &&
           lead <= ret->offset && lead <= UINT32_MAX && ret->offset <= INT64_MAX &&
           ret->size <= INT64_MAX && ret->tail <= INT64_MAX;
}

/* Chunks rise by one at a time from 0 and none is empty; entries never fall. */
static int read_pieces(struct sw_cursor *cursor, struct sw_plan_file *plan)
{
    uint32_t next_chunk = 0, entry = 0;
    for (size_t i = 0; i < plan->n; i++) {
        struct sw_plan_piece *piece = &plan->pieces[i];
        if (!read_piece(cursor, piece) || piece->entry < entry)
            return -EBADMSG;
        entry = piece->entry;
        if (piece->chunk == next_chunk && next_chunk < plan->head.n_chunks)
            plan->first_piece[next_chunk++] = (uint32_t)i;
        else if (next_chunk == 0 || piece->chunk != next_chunk - 1)
            return -EBADMSG;
    }
    plan->first_piece[plan->head.n_chunks] = (uint32_t)plan->n;
    return next_chunk == plan->head.n_chunks && cursor->at == cursor->end ? 0 : -EBADMSG;
}

static int decode(const uint8_t *p, size_t size, struct sw_plan_file *ret)
{
    XXH128_canonical_t sum;
    if (size < SUM_SIZE || size > SW_PLAN_BYTES_MAX)
        return -EBADMSG;
    size -= SUM_SIZE;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(p, size));
    if (memcmp(p + size, &sum, sizeof sum) != 0)
        return -EBADMSG;
    struct sw_cursor cursor = sw_cursor_of(p, size);
    bool four = sw_read_array(&cursor) == 4;
    uint64_t version = sw_read_u64(&cursor), first = sw_read_u64(&cursor);
    uint64_t n_chunks = sw_read_u64(&cursor), n = sw_read_u64(&cursor);
    if (!four || cursor.failed || version != VERSION || first > UINT32_MAX || n_chunks > n ||
        first + n_chunks > UINT32_MAX || n > (size_t)(cursor.end - cursor.at) / PIECE_MIN)
        return -EBADMSG;
    struct sw_plan_file plan = {.head = {(uint32_t)first, (uint32_t)n_chunks}, .n = n};
    plan.pieces = sw_alloc(n, sizeof *plan.pieces);
    plan.first_piece = sw_alloc(n_chunks + 1, sizeof *plan.first_piece);
    int r = read_pieces(&cursor, &plan);
    if (r < 0)
        sw_plan_done(&plan);
    else
        *ret = plan;
    return r;
}

int sw_plan_decode(const void *p, size_t size, struct sw_plan_file *ret, struct sw_err *err)
{
    int r = decode(p, size, ret);
    return r < 0 ? sw_fail(err, -r, "the plan of %zu bytes is damaged", size) : 0;
}

void sw_plan_done(struct sw_plan_file *plan)
{
    if (!plan)
        return;
    sw_release(plan->pieces);
    sw_release(plan->first_piece);
    *plan = (struct sw_plan_file){0};
}

int sw_plan_write(int job_fd,
                  uint32_t add,
                  const struct sw_plan_head *head,
                  const struct sw_plan_piece *pieces,
                  size_t n,
                  const struct sw_buf *manifest)
{
    char name[32];
    AUTO_BUF struct sw_buf bytes = {0};
    sw_buf_put(&bytes, manifest->data, manifest->size);
    sw_manifest_end(&bytes);
    snprintf(name, sizeof name, "manifest.%u", add);
    int r = disk_write_synced(job_fd, name, &bytes, DISK_MODE_JOB);
    if (r < 0)
        return r;
    sw_buf_clear(&bytes);
    sw_plan_encode(head, pieces, n, &bytes);
    if (bytes.size > SW_PLAN_BYTES_MAX)
        return -EFBIG;
    snprintf(name, sizeof name, "plan.%u", add);
    r = disk_write_synced(job_fd, name, &bytes, DISK_MODE_JOB);
    return r < 0 ? r : sw_dir_sync(job_fd);
}

int sw_plan_read(int job_fd, uint32_t add, struct sw_plan_file *ret, struct sw_err *err)
{
    char name[32];
    AUTO_BUF struct sw_buf bytes = {0};
    snprintf(name, sizeof name, "plan.%u", add);
    int r = disk_read(job_fd, name, SW_PLAN_BYTES_MAX, &bytes);
    if (r < 0)
        return sw_fail(err, -r, "%s cannot be read: %s", name, strerror(-r));
    r = decode(bytes.data, bytes.size, ret);
    return r < 0 ? sw_fail(err, -r, "%s is damaged", name) : 0;
}
