/* Where chunks' inputs come from on disk: plans, manifests and input files of jobs, with a cache
 * bounded in bytes. One instance a thread: control reads small streams to send them inside ASSIGN,
 * data serves FETCH. */
#ifndef BROKER_SOURCE_H
#define BROKER_SOURCE_H

#include "files/files.h"

struct source;
/* jobs_fd: STATE/jobs, borrowed. Loaded plans and manifests are dropped, oldest use first, beyond
 * cache_bytes. */
struct source *source_new(int jobs_fd, size_t cache_bytes);
void source_destroy(struct source **source);

/* ADD `add` of the job brought these chunks; it lies on disk. Cheap: nothing is read before it is
 * asked. A number that is known is the last one, whose first ADD the core refused: what was read of
 * that one is dropped. */
void source_add(
    struct source *source, uint64_t job, uint32_t add, uint32_t first_chunk, uint32_t n_chunks);
void source_forget(struct source *source, uint64_t job);

/* Reads from the chunk's input stream (files/stream.h). *ret_size, if not NULL, is the whole stream
 * without its tail. -ENOENT: no such chunk on disk; -EBADMSG with words: corrupt. */
int source_read(struct source *source,
                uint64_t job,
                uint32_t chunk,
                uint64_t offset,
                void *p,
                size_t n,
                size_t *ret_n,
                uint64_t *ret_size,
                struct sw_err *err);
/* How many files (pieces) a chunk has; 0 when it is not on disk. */
uint32_t source_pieces(struct source *source, uint64_t job, uint32_t chunk);
/* How many bytes of them are its own. */
uint64_t source_bytes(struct source *source, uint64_t job, uint32_t chunk);

#endif
