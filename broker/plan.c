/* From a manifest to pieces: the kernel says how files may be cut, sw_plan cuts them. Pure. */
#include "broker/plan.h"

#include "broker/core/core.h"

#include <errno.h>

/* A piece needs 40 bytes here and on disk; a split file of 4 TB has 65,536 of 64 MiB. */
#define PIECES_MAX ((size_t)4 * CORE_JOB_CHUNKS_MAX)

static void
take_pieces(const struct sw_piece *pieces, size_t n, const uint32_t *entry_of, struct plan *ret)
{
    ret->pieces = sw_alloc(n, sizeof *ret->pieces);
    ret->n = n;
    ret->head.n_chunks = n ? pieces[n - 1].chunk + 1 : 0;
    ret->sizes = sw_alloc(ret->head.n_chunks, sizeof *ret->sizes);
    for (size_t i = 0; i < n; i++) {
        ret->pieces[i] = (struct sw_plan_piece){.chunk = pieces[i].chunk,
                                                .entry = entry_of[pieces[i].file],
                                                .offset = pieces[i].offset,
                                                .size = pieces[i].size,
                                                .lead = pieces[i].lead,
                                                .tail = pieces[i].tail};
        ret->sizes[pieces[i].chunk] += pieces[i].size;
        ret->bytes += pieces[i].size;
    }
}

uint32_t plan_share(uint32_t count, uint64_t expected, uint64_t bytes)
{
    typedef unsigned __int128 wide; /* both may be more than 2^44: 2^20 chunks of it */
    if (count == 0 || expected <= bytes)
        return count;
    return (uint32_t)SW_MAX((wide)count * bytes / expected, (wide)1);
}

int plan_make(const struct plan_request *request, struct plan *ret, struct sw_err *err)
{
    const struct sw_manifest *manifest = request->manifest;
    struct plan plan = {.head.first_chunk = request->first_chunk};
    struct sw_split split = request->kernel->split(request->values);
    struct sw_piece *pieces = NULL;
    size_t n_files = 0, n_pieces = 0;
    int r;
    uint64_t *sizes = sw_alloc(manifest->n, sizeof *sizes);
    uint32_t *entry_of = sw_alloc(manifest->n, sizeof *entry_of);
    for (size_t i = 0; i < manifest->n; i++) {
        plan.files += manifest->entries[i].state != SW_ENTRY_SKIPPED;
        plan.failed_files += manifest->entries[i].state == SW_ENTRY_FAILED;
        if (manifest->entries[i].state != SW_ENTRY_FILE)
            continue;
        entry_of[n_files] = (uint32_t)i;
        sizes[n_files++] = manifest->entries[i].size;
    }
    r = sw_plan(&split, sizes, n_files, request->grain, request->chunk_count, PIECES_MAX, &pieces,
                &n_pieces);
    if (r == 0 && n_pieces &&
        pieces[n_pieces - 1].chunk >= CORE_JOB_CHUNKS_MAX - request->first_chunk)
        r = -E2BIG;
    if (r < 0)
        r = sw_fail(err, E2BIG, "a job has at most 1,000,000 chunks");
    else
        take_pieces(pieces, n_pieces, entry_of, &plan);
    sw_release(pieces);
    sw_release(sizes);
    sw_release(entry_of);
    if (r == 0)
        *ret = plan;
    return r;
}

void plan_done(struct plan *plan)
{
    sw_release(plan->pieces);
    sw_release(plan->sizes);
    *plan = (struct plan){0};
}
