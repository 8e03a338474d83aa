/* Manifests: what is in an upload or an ADD, as a stream of msgpack arrays, one an entry. */
#ifndef SW_FILES_MANIFEST_H
#define SW_FILES_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define SW_MANIFEST_ENTRIES_MAX                                                                    \
    1000000 /* an index and 88 bytes each: 88 MB of a reader's memory                              \
             */
#define SW_MANIFEST_BYTES_MAX ((size_t)128 << 20) /* a million names of 100 bytes */
#define SW_NAME_MAX           4096
#define SW_REASON_MAX         160 /* with its NUL; an error text of DONE has the same limit */

enum sw_entry_state {
    SW_ENTRY_FILE,    /* has bytes */
    SW_ENTRY_SKIPPED, /* symlink, device, fifo...: listed with the reason, no bytes */
    SW_ENTRY_FAILED, /* could not be taken in (a hard link to something not seen): the reason is its
                        error */
};
struct sw_entry {
    const char *name; /* borrowed from the manifest; any bytes but NUL; no NUL follows */
    size_t name_size;
    uint32_t mode; /* permission bits */
    int64_t mtime; /* Unix seconds */
    uint64_t size;
    uint32_t part; /* which in.ADD.PART file holds the bytes (0 or 1 in an upload's own manifest) */
    uint64_t offset; /* where they begin in it */
    enum sw_entry_state state;
    const char *reason; /* "" for FILE; NUL-terminated */
};

/* Appends one entry; readable while it grows. -EINVAL for a name that is empty, too long or has a
 * NUL; -EFBIG when the manifest would pass SW_MANIFEST_BYTES_MAX. A reason is cut to fit. */
int sw_manifest_append(struct sw_buf *buf, const struct sw_entry *entry);

/* Appends the end mark, a sum of all before it; manifests on disk have one. Nothing may follow. */
void sw_manifest_end(struct sw_buf *buf);

struct sw_manifest { /* loaded: names point into `bytes` */
    struct sw_buf bytes;
    struct sw_entry *entries;
    size_t n;
};

/* From ret->bytes, which stay as they are; -EBADMSG with words. An end mark is checked if there. */
int sw_manifest_parse(struct sw_manifest *ret, struct sw_err *err);

/* Reads a manifest from disk ("manifest.3") and parses it; the end mark must be there. -ENOENT. */
int sw_manifest_load(int dir_fd, const char *name, struct sw_manifest *ret, struct sw_err *err);
void sw_manifest_done(struct sw_manifest *);

#endif
