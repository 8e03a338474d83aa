/* Where files are cut and which pieces share a chunk. Run once for each part that is added to a
 * job; what it says is written down there, so it may change between versions. Pure: sizes in,
 * pieces out. */
#include "kernels/kernel.h"

#include <errno.h>

struct planner {
    const struct sw_split *split;
    const uint64_t *sizes;
    size_t n_files;
    size_t max_pieces;
    struct sw_piece *pieces; /* owned */
    size_t n, room;
    uint32_t chunk;    /* the one being filled */
    uint32_t in_chunk; /* pieces in it */
    uint64_t fill;     /* bytes in it */
};

uint64_t sw_grain(uint64_t bytes_expected, uint32_t slots_online)
{
    uint64_t grain = bytes_expected / SW_MAX((uint64_t)128, (uint64_t)slots_online * 8);
    return SW_MIN(SW_MAX(grain, SW_GRAIN_MIN), SW_GRAIN_MAX);
}

static void end_chunk(struct planner *p)
{
    if (p->in_chunk == 0)
        return; /* chunks are never empty, so their numbers have no gaps */
    p->chunk++;
    p->in_chunk = 0;
    p->fill = 0;
}

static int put(struct planner *p, size_t file, uint64_t offset, uint64_t size)
{
    if (p->n == p->max_pieces)
        return -EOVERFLOW;
    if (p->in_chunk == SW_CHUNK_FILES_MAX)
        end_chunk(p);
    sw_grow(&p->pieces, &p->room, p->n + 1, sizeof *p->pieces);
    p->pieces[p->n++] = (struct sw_piece){
        .file = (uint32_t)file,
        .chunk = p->chunk,
        .offset = offset,
        .size = size,
        .lead = offset ? p->split->lead : 0,
        .tail = SW_MIN(p->sizes[file] - offset - size, p->split->tail_bytes),
    };
    p->in_chunk++;
    p->fill += size;
    return 0;
}

/* A file that fits into a grain stays whole; a larger one is cut into pieces of near equal size, so
 * that no chunk is left with a scrap. */
static int file_by_grain(struct planner *p, size_t file, uint64_t grain)
{
    uint64_t size = p->sizes[file], unit = p->split->unit_bytes;
    uint64_t n_units = 1, n_pieces = 1;
    if (unit && size > grain) {
        uint64_t units_each = SW_MAX(grain / unit, (uint64_t)1);
        n_units = size / unit + (size % unit != 0);
        n_pieces = n_units / units_each + (n_units % units_each != 0);
    }
    uint64_t offset = 0;
    for (uint64_t i = 0; i < n_pieces; i++) {
        uint64_t units = n_units / n_pieces + (i < n_units % n_pieces);
        uint64_t bytes = i + 1 == n_pieces ? size - offset : units * unit;
        if (p->in_chunk && p->fill + bytes > grain)
            end_chunk(p);
        int r = put(p, file, offset, bytes);
        if (r < 0)
            return r;
        offset += bytes;
    }
    return 0;
}

/* floor(k x total / count) without a product that overflows: k <= count < 2^32. */
static uint64_t share(uint64_t total, uint64_t k, uint64_t count)
{
    return total / count * k + total % count * k / count;
}

/* The place in a file nearest to `at` where it may be cut; 0 and its size are such places. */
static uint64_t nearest_cut(const struct planner *p, uint64_t size, uint64_t at)
{
    uint64_t unit = p->split->unit_bytes;
    uint64_t below = unit ? at / unit * unit : 0;
    uint64_t above = unit && size - below > unit ? below + unit : size;
    return at - below <= above - at ? below : above;
}

/* True when an equal number of whole files a chunk is within a quarter of equal bytes: then nothing
 * is cut, and fifty lines of text in ten chunks are five in each, however long each is. */
static bool files_are_even(const struct planner *p, uint64_t total, uint32_t count)
{
    uint64_t most = total / count + total / count / 4;
    size_t file = 0;
    for (uint64_t k = 1; k <= count; k++) {
        uint64_t weight = 0;
        for (; file < share(p->n_files, k, count); file++)
            weight += p->sizes[file] + 1;
        if (weight > most)
            return false;
    }
    return true;
}

static int cut_by_count(struct planner *p, uint64_t total, uint32_t count)
{
    uint64_t begin = 0; /* of the file, where a file is its bytes and one more */
    uint64_t k = 1;
    for (size_t file = 0; file < p->n_files; file++) {
        uint64_t size = p->sizes[file], offset = 0;
        for (; k < count && share(total, k, count) <= begin + size; k++) {
            uint64_t cut = nearest_cut(p, size, share(total, k, count) - begin);
            int r = cut > offset ? put(p, file, offset, cut - offset) : 0;
            if (r < 0)
                return r;
            offset = SW_MAX(cut, offset);
            end_chunk(p);
        }
        int r = offset < size || size == 0 ? put(p, file, offset, size - offset) : 0;
        if (r < 0)
            return r;
        begin += size + 1;
    }
    return 0;
}

static int plan_by_count(struct planner *p, uint32_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < p->n_files; i++) {
        if (p->sizes[i] >= INT64_MAX - total)
            return -EOVERFLOW;
        total += p->sizes[i] + 1;
    }
    if (!files_are_even(p, total, count))
        return cut_by_count(p, total, count);
    size_t file = 0;
    for (uint64_t k = 1; k <= count; k++) {
        for (; file < share(p->n_files, k, count); file++) {
            int r = put(p, file, 0, p->sizes[file]);
            if (r < 0)
                return r;
        }
        end_chunk(p);
    }
    return 0;
}

static int plan_by_grain(struct planner *p, uint64_t grain)
{
    if (p->split->unit_per_chunk)
        grain = SW_MIN(grain, p->split->unit_bytes);
    for (size_t file = 0; file < p->n_files; file++) {
        int r = file_by_grain(p, file, SW_MAX(grain, (uint64_t)1));
        if (r < 0)
            return r;
    }
    return 0;
}

int sw_plan(const struct sw_split *split,
            const uint64_t *sizes,
            size_t n_files,
            uint64_t grain,
            uint32_t chunk_count,
            size_t max_pieces,
            struct sw_piece **ret_pieces,
            size_t *ret_n)
{
    if (n_files > UINT32_MAX || n_files > max_pieces)
        return -EOVERFLOW;
    struct planner p = {.split = split,
                        .sizes = sizes,
                        .n_files = n_files,
                        .max_pieces = SW_MIN(max_pieces, UINT32_MAX)};
    uint32_t count =
        (uint32_t)SW_MIN((size_t)chunk_count, p.max_pieces); /* also bounds the loops */
    int r = count ? plan_by_count(&p, count) : plan_by_grain(&p, grain);
    if (r < 0) {
        sw_release(p.pieces);
        return r;
    }
    *ret_pieces = p.pieces;
    *ret_n = p.n;
    return 0;
}
