/* Walks a tar with libarchive, skipping what it need not read, and says where each member's bytes
 * lie. Called by upload_finish (the gateway). Which entry wins is in untar_list.c; this file never
 * keeps one, and never believes a size without holding it against the file. */
#include "files/untar.h"

#include "files/disk.h"
#include "files/manifest.h"
#include "files/untar_list.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK     512
#define READ_SIZE ((size_t)64 << 10)
/* Between headers less is read at a time: libarchive skips only what it has not read yet. */
#define HEADER_READ_SIZE ((size_t)4 << 10)
/* What one header with its extensions may take: libarchive keeps up to 25 bytes for each byte of a
 * sparse map, and no honest map has this many. */
#define HEADER_MAX ((size_t)2 << 20)

struct untar {
    int data_fd, expand_fd;
    uint64_t data_size, at; /* of the next read */
    size_t header_left;     /* bytes that may be read for this header; SIZE_MAX while expanding */
    int error;              /* of a read */
    uint64_t size_max, expanded;
    bool expand_all; /* second walk: a member was not where its header said */
    struct untar_list *list;
    uint8_t block[READ_SIZE];
};

static la_ssize_t read_block(struct archive *archive, void *arg, const void **ret_block)
{
    struct untar *untar = arg;
    size_t most = untar->header_left == SIZE_MAX ? READ_SIZE : HEADER_READ_SIZE;
    size_t n = SW_MIN(most, untar->data_size - untar->at);
    if (untar->header_left < n) {
        untar->error = -EFBIG;
        archive_set_error(archive, EFBIG, "a header is larger than %zu bytes", HEADER_MAX);
        return ARCHIVE_FATAL;
    }
    if (untar->header_left != SIZE_MAX)
        untar->header_left -= n;
    int r = sw_pread_all(untar->data_fd, untar->block, n, untar->at);
    if (r < 0) {
        untar->error = r;
        archive_set_error(archive, -r, "%s", strerror(-r));
        return ARCHIVE_FATAL;
    }
    untar->at += n;
    *ret_block = untar->block;
    return (la_ssize_t)n;
}

static la_int64_t skip_block(struct archive *archive, void *arg, la_int64_t wanted)
{
    (void)archive;
    struct untar *untar = arg;
    uint64_t n = SW_MIN((uint64_t)SW_MAX(wanted, (la_int64_t)0), untar->data_size - untar->at);
    untar->at += n;
    return (la_int64_t)n;
}

static void archive_destroy(struct archive **p)
{
    archive_read_free(TAKE(*p));
}

static struct archive *archive_open(struct untar *untar)
{
    struct archive *archive = archive_read_new();
    if (!archive)
        abort();
    untar->at = 0;
    untar->header_left = HEADER_MAX;
    archive_read_support_format_tar(archive);
    archive_read_set_callback_data(archive, untar);
    archive_read_set_read_callback(archive, read_block);
    archive_read_set_skip_callback(archive, skip_block);
    if (archive_read_open1(archive) != ARCHIVE_OK)
        archive_destroy(&archive);
    return archive;
}

/* Copies the member's data blocks into the expanded file; holes stay holes. A member that would
 * pass the limit is that member's error. */
static int
expand(struct untar *untar, struct archive *archive, struct sw_entry *entry, struct sw_err *err)
{
    if (entry->size > untar->size_max - untar->expanded) {
        entry->state = SW_ENTRY_FAILED;
        entry->reason = "expanded it is larger than the limit";
        entry->size = 0;
        return 0;
    }
    entry->part = 1;
    entry->offset = untar->expanded;
    untar->header_left = SIZE_MAX;
    int status;
    const void *p;
    size_t n;
    la_int64_t offset;
    while ((status = archive_read_data_block(archive, &p, &n, &offset)) == ARCHIVE_OK ||
           status == ARCHIVE_WARN) {
        if (offset < 0 || (uint64_t)offset > entry->size || n > entry->size - (uint64_t)offset)
            return sw_fail(err, EBADMSG,
                           "the tar is damaged: a sparse member has bytes past its end");
        int r = sw_pwrite_all(untar->expand_fd, p, n, entry->offset + (uint64_t)offset);
        if (r < 0)
            return sw_fail(err, -r, "expanded bytes cannot be stored: %s", strerror(-r));
    }
    if (status != ARCHIVE_EOF)
        return sw_fail(err, untar->error ? -untar->error : EBADMSG, "the tar is damaged: %s",
                       archive_error_string(archive));
    untar->expanded += entry->size;
    return 0;
}

static const char *skip_reason(struct archive_entry *member)
{
    switch (archive_entry_filetype(member)) {
    case AE_IFLNK:
        return "a symbolic link";
    case AE_IFCHR:
        return "a character device";
    case AE_IFBLK:
        return "a block device";
    case AE_IFIFO:
        return "a named pipe";
    case AE_IFSOCK:
        return "a socket";
    default:
        return NULL;
    }
}

/* One member into the list. *ret_end is where its stored bytes must end, 0 when that is not known.
 */
static int take_member(struct untar *untar,
                       struct archive *archive,
                       struct archive_entry *member,
                       uint64_t *ret_end,
                       struct sw_err *err)
{
    const char *name = archive_entry_pathname(member), *link = archive_entry_hardlink(member);
    struct sw_entry entry = {.name = name ? name : "",
                             .mode = archive_entry_perm(member) & 07777,
                             .mtime = archive_entry_mtime(member),
                             .reason = skip_reason(member)};
    entry.name_size = strlen(entry.name);
    *ret_end = 0;
    if (archive_entry_filetype(member) == AE_IFDIR)
        return 0;
    la_int64_t size = archive_entry_size(member);
    if (size < 0)
        return sw_fail(err, EBADMSG, "the tar is damaged: a member has a negative size");
    if (link && size == 0)
        return untar_list_link(untar->list, &entry, link, err);
    if (entry.reason) {
        entry.state = SW_ENTRY_SKIPPED;
        return untar_list_put(untar->list, &entry, err);
    }
    entry.size = (uint64_t)size;
    entry.offset = (uint64_t)archive_filter_bytes(archive, 0);
    struct sw_entry judged = entry; /* the list refuses the entry itself */
    if (!untar_list_refuse(&judged) && entry.size) {
        if (untar->expand_all || archive_entry_sparse_count(member) > 0) {
            int r = expand(untar, archive, &entry, err);
            if (r < 0)
                return r;
        } else {
            if (entry.offset > untar->data_size || entry.size > untar->data_size - entry.offset)
                return sw_fail(err, EBADMSG, "the tar is cut short inside a member");
            *ret_end = entry.offset + (entry.size + BLOCK - 1) / BLOCK * BLOCK;
        }
    }
    return untar_list_put(untar->list, &entry, err);
}

/* 0 done, 1 when a member was not where its header said: walk again, expanding all. */
static int walk(struct untar *untar, struct sw_err *err)
{
    AUTO(archive) struct archive *archive = archive_open(untar);
    if (!archive)
        return sw_fail(err, EBADMSG, "it is no tar");
    uint64_t expected = 0;
    for (size_t n = 0;; n++) {
        struct archive_entry *member;
        untar->header_left = HEADER_MAX;
        int status = archive_read_next_header(archive, &member);
        if (expected && (uint64_t)archive_read_header_position(archive) != expected)
            return 1;
        if (status == ARCHIVE_EOF)
            return 0;
        /* A warning is about a name in a character set: the raw name is right. */
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            return sw_fail(err, untar->error ? -untar->error : EBADMSG,
                           n ? "the tar is damaged after member %zu: %s" : "it is no tar (%zu): %s",
                           n, archive_error_string(archive));
        int r = take_member(untar, archive, member, &expected, err);
        if (r < 0)
            return r;
    }
}

static int walk_all(struct untar *untar, struct sw_buf *ret_manifest, struct sw_err *err)
{
    untar->list = untar_list_new();
    int r = walk(untar, err);
    if (r > 0) {
        untar_list_destroy(&untar->list);
        untar->list = untar_list_new();
        untar->expand_all = true;
        untar->expanded = 0;
        r = ftruncate(untar->expand_fd, 0) < 0 ? sw_fail(err, errno, "%s", strerror(errno))
                                               : walk(untar, err);
    }
    return r < 0 ? r : untar_list_finish(untar->list, ret_manifest, err);
}

static void untar_destroy(struct untar **p)
{
    if (*p)
        untar_list_destroy(&(*p)->list);
    sw_release(TAKE(*p));
}

int sw_untar(int data_fd,
             int expand_fd,
             uint64_t size_max,
             struct sw_buf *ret_manifest,
             uint64_t *ret_expanded,
             struct sw_err *err)
{
    AUTO(untar) struct untar *untar = sw_alloc(1, sizeof *untar);
    untar->data_fd = data_fd;
    untar->expand_fd = expand_fd;
    untar->size_max = size_max;
    int r = disk_size(data_fd, &untar->data_size);
    if (r < 0)
        return sw_fail(err, -r, "the tar cannot be read: %s", strerror(-r));
    /* In the C locale libarchive hands out the raw bytes of names; elsewhere it converts pax names.
     */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(plain);
    r = walk_all(untar, ret_manifest, err);
    uselocale(before);
    freelocale(plain);
    /* A hole at the very end was not written. */
    if (r == 0 && untar->expanded && ftruncate(expand_fd, (off_t)untar->expanded) < 0)
        r = sw_fail(err, errno, "expanded bytes cannot be stored: %s", strerror(errno));
    if (r == 0)
        *ret_expanded = untar->expanded;
    return r;
}
