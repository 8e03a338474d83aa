/* Encoding and decoding of manifests. Called by uploads, jobdir, planfile, untar and by readers of
 * results; never trusts a byte of what it parses. */
#include "files/manifest.h"

#include "base/pack.h"
#include "files/disk.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

/* The end mark: a bin of 16 bytes where an entry's array would begin. */
#define END_TAG  0xc4
#define END_SIZE (2 + sizeof(XXH128_canonical_t))

int sw_manifest_append(struct sw_buf *buf, const struct sw_entry *entry)
{
    if (entry->name_size == 0 || entry->name_size > SW_NAME_MAX ||
        memchr(entry->name, 0, entry->name_size))
        return -EINVAL;
    size_t reason_size = entry->reason ? strnlen(entry->reason, SW_REASON_MAX - 1) : 0;
    if (buf->size + entry->name_size + reason_size + 64 > SW_MANIFEST_BYTES_MAX)
        return -EFBIG;
    bool plain = entry->state == SW_ENTRY_FILE;
    sw_pack_array(buf, plain ? entry->part ? 6 : 5 : 8); /* missing trailing fields are zero */
    sw_pack_bytes(buf, entry->name, entry->name_size);
    sw_pack_u64(buf, entry->mode);
    sw_pack_i64(buf, entry->mtime);
    sw_pack_u64(buf, entry->size);
    sw_pack_u64(buf, entry->offset);
    if (!plain || entry->part)
        sw_pack_u64(buf, entry->part);
    if (plain)
        return 0;
    sw_pack_u64(buf, entry->state);
    char reason[SW_REASON_MAX] = "";
    if (reason_size)
        memcpy(reason, entry->reason, reason_size);
    sw_pack_text(buf, reason, reason_size + 1); /* with its NUL: a reader points at it */
    return 0;
}

static XXH128_canonical_t sum_of(const struct sw_buf *buf, size_t size)
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits(size ? (const void *)buf->data : "", size));
    return bytes;
}

void sw_manifest_end(struct sw_buf *buf)
{
    XXH128_canonical_t bytes = sum_of(buf, buf->size);
    sw_pack_bytes(buf, &bytes, sizeof bytes);
}

/* Copies nothing: name and reason point into the bytes. */
static bool read_entry(struct sw_cursor *reader, struct sw_entry *ret)
{
    uint32_t n_fields = sw_read_array(reader);
    size_t name_size = 0, reason_size = 0;
    if (reader->failed || n_fields < 5)
        return false;
    struct sw_entry entry = {.reason = ""};
    entry.name = sw_read_bytes(reader, &name_size);
    entry.name_size = name_size;
    uint64_t mode = sw_read_u64(reader);
    entry.mtime = sw_read_i64(reader);
    entry.size = sw_read_u64(reader);
    entry.offset = sw_read_u64(reader);
    uint64_t part = n_fields > 5 ? sw_read_u64(reader) : 0;
    uint64_t state = n_fields > 6 ? sw_read_u64(reader) : SW_ENTRY_FILE;
    if (n_fields > 7)
        entry.reason = sw_read_bytes(reader, &reason_size);
    for (uint32_t i = 8; i < n_fields && !reader->failed; i++)
        sw_read_skip(reader);
    if (reader->failed || name_size == 0 || name_size > SW_NAME_MAX ||
        memchr(entry.name, 0, name_size) || mode > 07777 || part > UINT32_MAX ||
        state > SW_ENTRY_FAILED || entry.offset > INT64_MAX ||
        entry.size > INT64_MAX - entry.offset)
        return false;
    if (n_fields > 7 && (reason_size == 0 || reason_size > SW_REASON_MAX ||
                         memchr(entry.reason, 0, reason_size) != entry.reason + reason_size - 1))
        return false;
    entry.mode = (uint32_t)mode;
    entry.part = (uint32_t)part;
    entry.state = (enum sw_entry_state)state;
    *ret = entry;
    return true;
}

static void entries_destroy(struct sw_entry **p)
{
    sw_release(TAKE(*p));
}

static int parse(struct sw_manifest *ret, bool end_needed, struct sw_err *err)
{
    sw_buf_reserve(&ret->bytes, 0); /* an empty manifest has bytes to point at too */
    struct sw_cursor reader = sw_cursor_of(ret->bytes.data, ret->bytes.size);
    AUTO(entries) struct sw_entry *list = NULL;
    size_t n = 0, room = 0;
    bool ended = false;
    while (reader.at != reader.end) {
        size_t at = (size_t)(reader.at - ret->bytes.data);
        if (*reader.at == END_TAG) {
            XXH128_canonical_t bytes = sum_of(&ret->bytes, at);
            if (ret->bytes.size - at != END_SIZE || reader.at[1] != sizeof bytes ||
                memcmp(reader.at + 2, &bytes, sizeof bytes) != 0)
                return sw_fail(err, EBADMSG, "the manifest does not match its sum");
            ended = true;
            break;
        }
        if (n == SW_MANIFEST_ENTRIES_MAX)
            return sw_fail(err, EBADMSG, "the manifest has more than %d entries",
                           SW_MANIFEST_ENTRIES_MAX);
        sw_grow(&list, &room, n + 1, sizeof(struct sw_entry));
        if (!read_entry(&reader, list + n))
            return sw_fail(err, EBADMSG, "the manifest is damaged at byte %zu, entry %zu", at, n);
        n++;
    }
    if (end_needed && !ended)
        return sw_fail(err, EBADMSG, "the manifest is cut short after %zu entries", n);
    ret->entries = TAKE(list);
    ret->n = n;
    return 0;
}

int sw_manifest_parse(struct sw_manifest *ret, struct sw_err *err)
{
    return parse(ret, false, err);
}

int sw_manifest_load(int dir_fd, const char *name, struct sw_manifest *ret, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    int r = disk_read(dir_fd, name, SW_MANIFEST_BYTES_MAX + END_SIZE, &manifest.bytes);
    if (r < 0)
        sw_fail(err, -r, "%s cannot be read: %s", name, strerror(-r));
    else
        r = parse(&manifest, true, err);
    if (r < 0)
        sw_manifest_done(&manifest);
    else
        *ret = manifest;
    return r;
}

void sw_manifest_done(struct sw_manifest *manifest)
{
    if (!manifest)
        return;
    sw_release(manifest->entries);
    sw_buf_done(&manifest->bytes);
    *manifest = (struct sw_manifest){0};
}
