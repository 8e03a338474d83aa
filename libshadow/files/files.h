/* Files on disk: uploads, sums, manifests, job folders, plans, and the result composed from them.
 *
 * The gateway writes uploads; the broker hard-links them into the job's folder and writes plans and
 * outputs; the gateway reads manifests, plans and outputs to serve results. Every function takes a
 * folder descriptor, never a path from outside. -errno on failure. See the README of this folder
 * for the layout and the formats. */
#ifndef SW_FILES_H
#define SW_FILES_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- sums.c: NAME.sum, 16 bytes of xxh3-128 for each MiB of NAME (the last one for what is left)
 * ---- */

#define SW_SUM_SPAN ((uint64_t)1 << 20)

struct sw_sums; /* a writer that follows appends */
struct sw_sums *sw_sums_new(void);
void sw_sums_destroy(struct sw_sums **);
void sw_sums_feed(struct sw_sums *, const void *p, size_t n);
/* Writes all whole and the current partial sum to sum_fd from where the last call stopped; no
 * fsync. */
int sw_sums_write(struct sw_sums *, int sum_fd);
/* Rebuilds the writer's state for a data file cut to `size` bytes (re-reads at most the last span).
 */
int sw_sums_resume(struct sw_sums *, int data_fd, int sum_fd, uint64_t size);
/* Reads [offset, offset+n) of data_fd and checks every span it touches (cached: a span read in
 * order is hashed once). -EBADMSG with words naming the span when a sum differs. A checker is one
 * per open file. */
struct sw_checked;
int sw_checked_open(int dir_fd, const char *name, struct sw_checked **ret);
void sw_checked_destroy(struct sw_checked **);
uint64_t sw_checked_size(const struct sw_checked *);
int sw_checked_read(struct sw_checked *, void *p, size_t n, uint64_t offset, struct sw_err *err);

/* ---- manifest.c: what is in an upload or an ADD ---- */

enum sw_entry_state {
    SW_ENTRY_FILE,    /* has bytes */
    SW_ENTRY_SKIPPED, /* symlink, device, fifo...: listed with the reason, no bytes */
    SW_ENTRY_FAILED, /* could not be taken in (a hard link to something not seen): the reason is its
                        error */
};
struct sw_entry {
    const char *name; /* borrowed from the manifest; any bytes but NUL */
    size_t name_size;
    uint32_t mode;
    int64_t mtime; /* Unix seconds */
    uint64_t size;
    uint32_t part;   /* which in.N.PART file holds the bytes (0 in an upload's own manifest) */
    uint64_t offset; /* where they begin in it */
    enum sw_entry_state state;
    const char *reason; /* "" for FILE */
};
/* A stream of msgpack arrays, one an entry, appended as bytes arrive; readable while it grows. */
int sw_manifest_append(struct sw_buf *buf, const struct sw_entry *entry);
struct sw_manifest { /* loaded: names point into `bytes` */
    struct sw_buf bytes;
    struct sw_entry *entries;
    size_t n;
};
int sw_manifest_parse(struct sw_manifest *ret,
                      struct sw_err *err); /* from ret->bytes; -EBADMSG with words */
void sw_manifest_done(struct sw_manifest *);
#define SW_MANIFEST_ENTRIES_MAX                                                                    \
    1000000 /* chunkIndex and a 64-byte entry each: 64 MB of a reader's memory */
#define SW_NAME_MAX 4096

/* ---- untar.c: takes an uncompressed tar apart as its bytes are appended (libarchive) ---- */

/* Reads the tar in data_fd (an upload, complete) and writes entries; offsets point into the same
 * file where members are contiguous; sparse members and others that are not are expanded to
 * `expand_fd` (part 1). The rules are those of design.md section 6, "Tar". size_max bounds the
 * expanded bytes. */
int sw_untar(int data_fd,
             int expand_fd,
             uint64_t size_max,
             struct sw_buf *ret_manifest,
             uint64_t *ret_expanded,
             struct sw_err *err);
bool sw_is_tar(const uint8_t *block_512); /* a valid first header block */

/* ---- uploads.c: STATE/uploads/ID, ID.sum, ID.manifest, ID.info (the gateway's) ---- */

#define SW_UPLOAD_ID_SIZE 32 /* lower-case hex of 16 random bytes */
struct sw_upload;            /* an open upload being written */
struct sw_upload_info {
    char id[SW_UPLOAD_ID_SIZE + 1];
    uint64_t length;                /* announced; UINT64_MAX while deferred (a chunked body) */
    uint64_t offset;                /* durable bytes */
    int64_t created_ms, touched_ms; /* wall clock */
    bool unpack;                    /* a tar to be taken apart */
    bool complete;
    uint32_t mode; /* of the one file in it */
    int64_t mtime;
    char owner[64];     /* token id */
    struct sw_buf name; /* the one file's name */
};
void sw_upload_info_done(struct sw_upload_info *);
int sw_upload_create(int uploads_fd,
                     struct sw_upload_info *info /* id is filled in */,
                     struct sw_upload **ret);
/* Reopens at the recorded offset; the file is cut to it. -ENOENT. */
int sw_upload_open(int uploads_fd, const char *id, struct sw_upload **ret);
const struct sw_upload_info *sw_upload_info(const struct sw_upload *);
int sw_upload_append(struct sw_upload *,
                     const void *p,
                     size_t n);         /* -EFBIG beyond length, -ENOSPC */
int sw_upload_sync(struct sw_upload *); /* data, sums durable; then the offset */
/* Takes a tar apart if `unpack`, writes the manifest, makes everything durable, marks it complete.
 */
int sw_upload_finish(struct sw_upload *, uint64_t expand_max, struct sw_err *err);
void sw_upload_close(struct sw_upload **); /* keeps it on disk */
int sw_upload_stat(int uploads_fd,
                   const char *id,
                   struct sw_upload_info *ret_info); /* without opening to write */
int sw_upload_remove(int uploads_fd, const char *id);
/* Removes uploads not touched for max_age_ms and half-made files; returns how many through ret_n.
 */
int sw_uploads_sweep(int uploads_fd, int64_t now_wall_ms, int64_t max_age_ms, uint32_t *ret_n);

/* ---- jobdir.c: STATE/jobs/JOB (the broker's) ---- */

int sw_job_dir_make(int jobs_fd, uint64_t job);
int sw_job_dir_open(int jobs_fd, uint64_t job, int *ret_fd); /* -ENOENT */
int sw_job_dir_remove(int jobs_fd, uint64_t job);            /* with everything in it */
/* Calls fn for every folder; used at start to remove those without a row. */
int sw_job_dirs_each(int jobs_fd, int (*fn)(void *arg, uint64_t job), void *arg);
/* Hard-links a complete upload's files in as in.ADD.PART (+ .sum), PART counted from *part on, and
 * appends its entries, with part numbers set, to manifest. -ENOENT unknown, -EAGAIN not complete.
 */
int sw_job_dir_link(int job_fd,
                    int uploads_fd,
                    const char *id,
                    uint32_t add,
                    uint32_t *part,
                    struct sw_buf *manifest,
                    struct sw_err *err);
/* Inline inputs become in.ADD.0 when they are too big for memory, else they ride in the ADD row. */

/* ---- planfile.c: plan.ADD: the pieces of an ADD, fixed when it was added ---- */

struct sw_plan_piece {
    uint32_t chunk;        /* relative to the ADD's first chunk */
    uint32_t entry;        /* index into the ADD's manifest */
    uint64_t offset, size; /* the owned range of the entry */
    uint32_t lead;
    uint64_t tail;
};
struct sw_plan_head {
    uint32_t first_chunk, n_chunks;
};
int sw_plan_write(
    int job_fd,
    uint32_t add,
    const struct sw_plan_head *,
    const struct sw_plan_piece *,
    size_t n,
    const struct sw_buf *manifest); /* plan.ADD and manifest.ADD, durable, folder synced */
struct sw_plan_file {
    struct sw_plan_head head;
    struct sw_plan_piece *pieces; /* ascending by chunk */
    size_t n;
    uint32_t *first_piece; /* n_chunks + 1 entries: the pieces of chunk c are [first_piece[c],
                              first_piece[c+1]) */
};
int sw_plan_read(int job_fd, uint32_t add, struct sw_plan_file *ret, struct sw_err *err);
void sw_plan_done(struct sw_plan_file *);

/* Encoding of plan and manifest as bytes, for inline ADDs whose both ride in the ADD row. */
void sw_plan_encode(const struct sw_plan_head *,
                    const struct sw_plan_piece *,
                    size_t n,
                    struct sw_buf *ret);
int sw_plan_decode(const void *p, size_t size, struct sw_plan_file *ret, struct sw_err *err);

/* ---- stream.c: a chunk's input as one byte stream ---- */

/* The stream of a chunk = a msgpack array of n arrays [name, mode, mtime, file size, offset, size,
 * lead, tail], then for each piece its lead + owned bytes, and after the last piece its tail (only
 * the last piece of a chunk can have one). */
void sw_stream_head(const struct sw_manifest *,
                    const struct sw_plan_piece *,
                    size_t n,
                    struct sw_buf *ret);
struct sw_stream; /* reads by offset, through checked files */
int sw_stream_open(int job_fd,
                   uint32_t add,
                   const struct sw_manifest *,
                   const struct sw_plan_piece *,
                   size_t n,
                   struct sw_stream **ret,
                   struct sw_err *err);
void sw_stream_destroy(struct sw_stream **);
uint64_t sw_stream_size(const struct sw_stream *); /* head + lead + owned + tail */
uint64_t
sw_stream_owned(const struct sw_stream *); /* without the tail: what an agent fetches ahead */
int sw_stream_read(
    struct sw_stream *, void *p, size_t n, uint64_t offset, size_t *ret_n, struct sw_err *err);

/* ---- result.c: the result is defined, not stored ---- */

struct sw_result_segment { /* one piece's output */
    uint32_t add, entry;
    uint32_t chunk;           /* absolute */
    uint64_t n;               /* the lease whose out.CHUNK.N holds it; 0 = inline */
    const void *inline_bytes; /* the chunk row's output, when n is 0 */
    uint64_t offset;          /* in that output */
    uint64_t length;
    const char *error; /* "" = none */
};
/* How names and shapes come in: the kernel's rule, given by the caller so that files knows no
 * kernel. */
struct sw_result_rule {
    bool concat;
    void (*output_name)(void *arg, const char *name, size_t size, struct sw_buf *ret);
    void *arg;
};
struct sw_result_file {
    const char *name; /* input name */
    size_t name_size;
    const char *output_name; /* as the user gave it, by the rule */
    size_t output_name_size;
    uint32_t mode;
    int64_t mtime;
    uint64_t size; /* input */
    uint64_t output_size;
    const char *error; /* "" = none; such a file gives no output */
    bool skipped;
    uint32_t first_segment, n_segments;
};
struct sw_result; /* built by pushing ADDs and segments in order, then sealed */
struct sw_result *sw_result_new(int job_fd, const struct sw_result_rule *);
void sw_result_destroy(struct sw_result **);
int sw_result_add(struct sw_result *, const struct sw_manifest *); /* copies what it needs */
int sw_result_segment(struct sw_result *, const struct sw_result_segment *); /* in order; copies */
int sw_result_seal(struct sw_result *,
                   struct sw_err *err); /* prefix sums, tar names made safe, clashes found */
const struct sw_result_file *sw_result_files(const struct sw_result *, size_t *ret_n);
int sw_result_find(const struct sw_result *,
                   const char *output_name,
                   size_t size); /* index or -ENOENT */
/* One file (index), the whole CONCAT (SW_RESULT_CONCAT) or the tar of everything (SW_RESULT_TAR),
 * by byte range. */
#define SW_RESULT_CONCAT (-1)
#define SW_RESULT_TAR    (-2)
uint64_t sw_result_size(const struct sw_result *, int which);
int sw_result_read(
    struct sw_result *, int which, void *p, size_t n, uint64_t offset, struct sw_err *err);

/* ---- output.c: out.CHUNK.N, written by STORE at growing offsets (the broker's) ---- */

int sw_output_path(uint32_t chunk, uint64_t n, char ret_name[48]);
int sw_output_append(int job_fd,
                     uint32_t chunk,
                     uint64_t n,
                     uint64_t offset,
                     const void *p,
                     size_t size,
                     uint64_t *ret_size); /* -ERANGE and the true size when offset is not the end */
int sw_output_sync(int job_fd,
                   uint32_t chunk,
                   uint64_t n); /* writes out.CHUNK.N.sum too, fsyncs both and folder */
int sw_output_remove_others(int job_fd, uint32_t chunk, uint64_t keep_n);

#endif
