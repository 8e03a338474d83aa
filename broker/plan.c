/* From a manifest to pieces: the kernel says how files may be cut, sw_plan cuts them. Pure. */
#include "broker/plan.h"

#include "broker/core/core.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>

/* A piece needs 40 bytes here and on disk; a split file of 4 TB has 65,536 of 64 MiB. */
#define PIECES_MAX ((size_t)4 * CORE_JOB_CHUNKS_MAX)

struct name {
    UT_hash_handle hh;
    struct sw_buf text;
};

/* Two inputs with one output name: one of the results would be lost. */
static int check_names(const struct plan_request *request, struct sw_err *err)
{
    const struct sw_manifest *manifest = request->manifest;
    struct name *seen = NULL, *all = sw_alloc(manifest->n, sizeof *all);
    int r = 0;
    for (size_t i = 0; r == 0 && i < manifest->n; i++) {
        const struct sw_entry *entry = &manifest->entries[i];
        struct name *twin = NULL, *name = &all[i];
        if (entry->state != SW_ENTRY_FILE)
            continue;
        request->kernel->output_name(request->values, entry->name, entry->name_size, &name->text);
        HASH_FIND(hh, seen, name->text.data, name->text.size, twin);
        if (twin)
            r = sw_fail(err, EINVAL, "two inputs would both give the output %.100s",
                        (char *)name->text.data);
        else
            HASH_ADD_KEYPTR(hh, seen, name->text.data, name->text.size, name);
    }
    HASH_CLEAR(hh, seen);
    for (size_t i = 0; i < manifest->n; i++)
        sw_buf_done(&all[i].text);
    sw_release(all);
    return r;
}

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

int plan_make(const struct plan_request *request, struct plan *ret, struct sw_err *err)
{
    const struct sw_manifest *manifest = request->manifest;
    struct plan plan = {.head.first_chunk = request->first_chunk};
    struct sw_split split = request->kernel->split(request->values);
    struct sw_piece *pieces = NULL;
    size_t n_files = 0, n_pieces = 0;
    int r = request->kernel->shape == SW_FILES ? check_names(request, err) : 0;
    if (r < 0)
        return r;
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
