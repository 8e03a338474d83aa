/* The cache of plans and manifests behind chunk inputs. Used by one thread each; reads files, never
 * writes one. */
#include "broker/source.h"

#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <uthash.h>

#define SPANS_MAX                                                                                  \
    16 /* verified spans of 1 MiB: as many sequential readers at a time cost no second look */

struct loaded {
    struct sw_manifest manifest;
    struct sw_plan_file plan;
    int job_fd;
    size_t cost;
    struct add_ref *owner;
    struct loaded *newer, *older; /* by last use */
};

struct add_ref {
    uint32_t add, first_chunk, n_chunks;
    struct loaded *loaded; /* NULL until asked for */
};

struct source_job {
    uint64_t job;
    struct add_ref
        *adds; /* ascending by first_chunk; loaded ones point back: fixed up when the array moves */
    size_t n, room;
    UT_hash_handle hh;
};

struct source {
    int jobs_fd;
    size_t cache_bytes, used;
    struct sw_checker *checker;
    struct source_job *jobs;
    struct loaded *newest, *oldest;
    /* the stream read last: a slice is usually followed by the next one */
    struct sw_stream *stream;
    uint64_t stream_job;
    uint32_t stream_chunk;
};

struct source *source_new(int jobs_fd, size_t cache_bytes)
{
    struct source *source = sw_alloc(1, sizeof *source);
    source->jobs_fd = jobs_fd;
    source->cache_bytes = cache_bytes;
    source->checker = sw_checker_new(SPANS_MAX);
    return source;
}

static void close_stream(struct source *source)
{
    if (source->stream)
        sw_stream_destroy(&source->stream);
}

static void unlink_loaded(struct source *source, struct loaded *loaded)
{
    *(loaded->newer ? &loaded->newer->older : &source->newest) = loaded->older;
    *(loaded->older ? &loaded->older->newer : &source->oldest) = loaded->newer;
    loaded->newer = loaded->older = NULL;
}

static void push_newest(struct source *source, struct loaded *loaded)
{
    loaded->older = source->newest;
    *(source->newest ? &source->newest->newer : &source->oldest) = loaded;
    source->newest = loaded;
}

static void drop(struct source *source, struct loaded *loaded)
{
    close_stream(source); /* it may read through this one's folder */
    unlink_loaded(source, loaded);
    source->used -= loaded->cost;
    loaded->owner->loaded = NULL;
    sw_manifest_done(&loaded->manifest);
    sw_plan_done(&loaded->plan);
    sw_fd_close(&loaded->job_fd);
    sw_release(loaded);
}

static struct source_job *job_of(struct source *source, uint64_t job)
{
    struct source_job *found = NULL;
    HASH_FIND(hh, source->jobs, &job, sizeof job, found);
    return found;
}

void source_add(
    struct source *source, uint64_t job, uint32_t add, uint32_t first_chunk, uint32_t n_chunks)
{
    struct source_job *entry = job_of(source, job);
    if (!entry) {
        entry = sw_alloc(1, sizeof *entry);
        entry->job = job;
        HASH_ADD(hh, source->jobs, job, sizeof entry->job, entry);
    }
    for (size_t i = 0; i < entry->n; i++) {
        if (entry->adds[i].add != add)
            continue;
        if (entry->adds[i].loaded)
            drop(source, entry->adds[i].loaded);
        entry->adds[i].first_chunk = first_chunk;
        entry->adds[i].n_chunks = n_chunks;
        return;
    }
    sw_grow(&entry->adds, &entry->room, entry->n + 1, sizeof *entry->adds);
    entry->adds[entry->n++] =
        (struct add_ref){.add = add, .first_chunk = first_chunk, .n_chunks = n_chunks};
    for (size_t i = 0; i < entry->n; i++)
        if (entry->adds[i].loaded)
            entry->adds[i].loaded->owner = &entry->adds[i];
}

void source_forget(struct source *source, uint64_t job)
{
    struct source_job *entry = job_of(source, job);
    if (!entry)
        return;
    for (size_t i = 0; i < entry->n; i++)
        if (entry->adds[i].loaded)
            drop(source, entry->adds[i].loaded);
    sw_checker_drop(source->checker);
    HASH_DEL(source->jobs, entry);
    sw_release(entry->adds);
    sw_release(entry);
}

void source_destroy(struct source **source)
{
    if (!*source)
        return;
    struct source_job *entry, *next_entry;
    HASH_ITER(hh, (*source)->jobs, entry, next_entry)
    {
        source_forget(*source, entry->job);
    }
    sw_checker_destroy(&(*source)->checker);
    sw_release(*source);
    *source = NULL;
}

static int load(struct source *source, uint64_t job, struct add_ref *ref, struct sw_err *err)
{
    struct loaded *loaded = sw_alloc(1, sizeof *loaded);
    char name[32];
    snprintf(name, sizeof name, "manifest.%u", ref->add);
    loaded->job_fd = -1;
    int r = sw_job_dir_open(source->jobs_fd, job, &loaded->job_fd);
    if (r == 0)
        r = sw_manifest_load(loaded->job_fd, name, &loaded->manifest, err);
    if (r == 0)
        r = sw_plan_read(loaded->job_fd, ref->add, &loaded->plan, err);
    loaded->cost = sizeof *loaded + loaded->manifest.bytes.size +
                   loaded->manifest.n * sizeof *loaded->manifest.entries +
                   loaded->plan.n * sizeof *loaded->plan.pieces +
                   loaded->plan.head.n_chunks * sizeof(uint32_t);
    loaded->owner = ref;
    ref->loaded = loaded;
    source->used += loaded->cost;
    push_newest(source, loaded);
    if (r < 0) {
        drop(source, loaded);
        return r;
    }
    while (source->used > source->cache_bytes && source->oldest != loaded)
        drop(source, source->oldest);
    return 0;
}

/* The ADD that brought the chunk, loaded; its pieces of the chunk. */
static int find(struct source *source,
                uint64_t job,
                uint32_t chunk,
                struct loaded **ret,
                const struct sw_plan_piece **ret_pieces,
                size_t *ret_n,
                struct sw_err *err)
{
    struct source_job *entry = job_of(source, job);
    size_t low = 0, high = entry ? entry->n : 0;
    while (low < high) { /* the last one that begins at or before the chunk */
        size_t middle = (low + high) / 2;
        if (entry->adds[middle].first_chunk <= chunk)
            low = middle + 1;
        else
            high = middle;
    }
    struct add_ref *ref = low ? &entry->adds[low - 1] : NULL;
    if (!ref || chunk - ref->first_chunk >= ref->n_chunks)
        return sw_fail(err, ENOENT, "chunk %ju-%u is not on disk", (uintmax_t)job, chunk);
    int r = ref->loaded ? 0 : load(source, job, ref, err);
    if (r < 0)
        return r;
    struct loaded *loaded = ref->loaded;
    if (loaded != source->newest) {
        unlink_loaded(source, loaded);
        push_newest(source, loaded);
    }
    if (chunk - ref->first_chunk >= loaded->plan.head.n_chunks)
        return sw_fail(err, EBADMSG, "plan.%u does not have chunk %ju-%u", ref->add, (uintmax_t)job,
                       chunk);
    const uint32_t *first = &loaded->plan.first_piece[chunk - ref->first_chunk];
    *ret_pieces = &loaded->plan.pieces[first[0]];
    *ret_n = first[1] - first[0];
    *ret = loaded;
    return 0;
}

uint32_t source_pieces(struct source *source, uint64_t job, uint32_t chunk)
{
    struct loaded *loaded;
    const struct sw_plan_piece *pieces;
    size_t n = 0;
    struct sw_err err;
    return find(source, job, chunk, &loaded, &pieces, &n, &err) < 0 ? 0 : (uint32_t)n;
}

uint64_t source_bytes(struct source *source, uint64_t job, uint32_t chunk)
{
    struct loaded *loaded;
    const struct sw_plan_piece *pieces;
    size_t n = 0;
    struct sw_err err;
    uint64_t bytes = 0;
    if (find(source, job, chunk, &loaded, &pieces, &n, &err) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        bytes += pieces[i].size;
    return bytes;
}

static int open_stream(struct source *source, uint64_t job, uint32_t chunk, struct sw_err *err)
{
    struct loaded *loaded = NULL;
    const struct sw_plan_piece *pieces;
    size_t n = 0;
    if (source->stream && source->stream_job == job && source->stream_chunk == chunk)
        return 0;
    int r = find(source, job, chunk, &loaded, &pieces, &n, err);
    if (r < 0)
        return r;
    assert(loaded);
    struct sw_stream *next = NULL;
    r = sw_stream_open(source->checker, loaded->job_fd, loaded->owner->add, &loaded->manifest,
                       pieces, n, &next, err);
    if (next && source->stream)
        sw_stream_inherit(next, source->stream);
    close_stream(source);
    source->stream = next;
    source->stream_job = job;
    source->stream_chunk = chunk;
    return r;
}

int source_read(struct source *source,
                uint64_t job,
                uint32_t chunk,
                uint64_t offset,
                void *p,
                size_t n,
                size_t *ret_n,
                uint64_t *ret_size,
                struct sw_err *err)
{
    int r = open_stream(source, job, chunk, err);
    if (r < 0)
        return r;
    if (ret_size)
        *ret_size = sw_stream_owned(source->stream);
    return sw_stream_read(source->stream, p, n, offset, ret_n, err);
}
