/* Uploads: STATE/uploads/ID, ID.sum, ID.info, and when complete ID.manifest (and ID.1, ID.1.sum for
 * expanded members). The gateway's; the broker only links complete ones. One thread per open
 * upload. */
#ifndef SW_FILES_UPLOADS_H
#define SW_FILES_UPLOADS_H

#include "base/buf.h"
#include "base/err.h"
#include "files/manifest.h"

#include <stdbool.h>
#include <stdint.h>

#define SW_UPLOAD_ID_SIZE 32 /* lower-case hex of 16 random bytes */
#define SW_UPLOAD_OWNER   64

struct sw_upload; /* an open upload being written */
struct sw_upload_info {
    char id[SW_UPLOAD_ID_SIZE + 1];
    uint64_t length;                /* announced; UINT64_MAX while deferred (a chunked body) */
    uint64_t offset;                /* durable bytes */
    int64_t created_ms, touched_ms; /* wall clock */
    bool unpack;                    /* a tar to be taken apart */
    bool complete;
    uint32_t mode; /* of the one file in it */
    int64_t mtime;
    char owner[SW_UPLOAD_OWNER]; /* token id */
    struct sw_buf name;          /* the one file's name; of a tar: put before each name in it, "" */
};
void sw_upload_info_done(struct sw_upload_info *);

/* Durable when it returns 0. `info` says length, unpack, mode, mtime, owner, name and created_ms;
 * id is filled in. -EINVAL for a name beyond SW_NAME_MAX or with a NUL; it may be empty for a tar
 * to be taken apart and for several files (sw_upload_entry). */
int sw_upload_create(int uploads_fd, struct sw_upload_info *info, struct sw_upload **ret);

/* Reopens at the recorded offset; the file is cut to it. -ENOENT; -EBUSY while it is open
 * elsewhere; -EBADMSG when bytes that were acknowledged are gone. A complete one opens, but takes
 * no bytes. */
int sw_upload_open(int uploads_fd, const char *id, struct sw_upload **ret);
const struct sw_upload_info *sw_upload_info(const struct sw_upload *);
uint64_t sw_upload_received(const struct sw_upload *); /* appended, durable or not yet */

/* -EFBIG beyond the length, -ENOSPC (nothing is taken then); -EIO for ever after a failed sync:
 * close it, what was not synced is lost. */
int sw_upload_append(struct sw_upload *, const void *p, size_t n);
int sw_upload_sync(struct sw_upload *); /* data and sums durable; then the offset */

/* Says that the next entry->size bytes appended are this file, for an upload of several (JSON
 * inputs): then `name` in info is not used. Its offset and part are filled in here. Only within one
 * open. */
int sw_upload_entry(struct sw_upload *, const struct sw_entry *entry);

/* Takes a tar apart if `unpack`, writes the manifest, makes everything durable, marks it complete;
 * a deferred length becomes what came. Again on a complete one is 0. -ENODATA when bytes are
 * missing; -EBADMSG and -EFBIG with words when the tar cannot be taken apart. expand_max bounds its
 * sparse members. */
int sw_upload_finish(struct sw_upload *, uint64_t expand_max, struct sw_err *err);
void sw_upload_close(struct sw_upload **); /* keeps it on disk */

int sw_upload_stat(int uploads_fd,
                   const char *id,
                   struct sw_upload_info *ret_info);  /* without opening to write; -ENOENT */
int sw_upload_remove(int uploads_fd, const char *id); /* -ENOENT; -EBUSY while it is open */

/* Removes uploads not touched for max_age_ms and half-made files older than a minute; returns how
 * many uploads through ret_n. */
int sw_uploads_sweep(int uploads_fd, int64_t now_wall_ms, int64_t max_age_ms, uint32_t *ret_n);

#endif
