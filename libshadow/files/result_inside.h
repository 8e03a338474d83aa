/* A result from the inside, shared by result.c (building), result_names.c (names and clashes) and
 * result_read.c (bytes by range). Internal. */
#ifndef SW_FILES_RESULT_INSIDE_H
#define SW_FILES_RESULT_INSIDE_H

#include "files/checked.h"
#include "files/result.h"

struct arena_block; /* texts that stay where they are */
struct arena {
    struct arena_block *blocks;
};
const char *arena_copy(struct arena *arena, const void *p, size_t size); /* a NUL follows */
void arena_done(struct arena *arena);

/* Inline outputs: in memory while they are few, then in an unlinked file: a million chunks of 16
 * KiB must not cost 16 GB. */
struct inline_store {
    struct sw_buf memory;
    int fd; /* -1 while in memory */
    uint64_t size;
};
int inline_put(struct inline_store *store, const void *p, size_t n, uint64_t *ret_at);
int inline_get(const struct inline_store *store, void *p, size_t n, uint64_t at);
void inline_done(struct inline_store *store);

struct segment {
    uint32_t file, chunk;
    uint64_t n;      /* lease; 0 = inline */
    uint64_t offset; /* in out.CHUNK.N or in the inline store */
    uint64_t length; /* 0 once its file has an error */
    uint64_t at;     /* in all outputs one after the other */
};

struct member { /* of the tar */
    uint32_t file;
    uint64_t at;      /* where its header begins */
    const char *name; /* safe */
    size_t name_size;
    const char *path; /* the name's parts and nothing else: equal paths are one file on disk */
    size_t path_size;
};

struct sw_result {
    int job_fd;
    struct sw_result_rule rule;
    struct arena arena;
    struct sw_result_file *files;
    size_t n_files, files_room;
    uint32_t *first_file; /* of each ADD */
    size_t n_adds, adds_room;
    struct segment *segments;
    size_t n_segments, segments_room;
    struct inline_store inlined;
    uint64_t total; /* of all lengths: positions stay below 2^63 */
    /* From here on: known when sealed. */
    bool sealed;
    struct member *members;
    size_t n_members;
    uint32_t *by_name; /* members by output name */
    uint64_t concat_size, tar_size;
    struct sw_checker *checker;
    struct sw_checked *open; /* the output read last */
    uint32_t open_chunk;
    uint64_t open_n;
};

/* Fills name and path of each member; finds clashes; sorts by_name. */
int result_names(struct sw_result *result, struct sw_err *err);

#endif
