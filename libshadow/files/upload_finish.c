/* The end of an upload: its manifest, and a tar taken apart. Called by the gateway through
 * sw_upload_finish and sw_upload_entry. Everything is durable before the record says complete, and
 * everything before that can be done again from the start. */
#include "files/disk.h"
#include "files/untar.h"
#include "files/upload.h"
#include "files/upload_record.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int sw_upload_entry(struct sw_upload *upload, const struct sw_entry *given)
{
    struct sw_entry entry = *given;
    entry.part = 0;
    entry.offset = upload->entries_size;
    entry.state = SW_ENTRY_FILE;
    if (upload->info.complete || upload->info.unpack || entry.mode > 07777)
        return -EINVAL;
    if (upload->n_entries == SW_MANIFEST_ENTRIES_MAX || entry.size > INT64_MAX - entry.offset)
        return -EFBIG;
    int r = sw_manifest_append(&upload->entries, &entry);
    if (r < 0)
        return r;
    upload->entries_size += entry.size;
    upload->n_entries++;
    return 0;
}

static int make_sums(struct sw_upload *upload, int expand_fd)
{
    char name[UPLOAD_NAME_ROOM];
    upload_name(upload->info.id, ".1.sum", name);
    AUTO_FD int fd = disk_open(upload->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC, DISK_MODE_UPLOAD);
    if (fd < 0)
        return fd;
    int r = disk_sync(expand_fd);
    if (r == 0)
        r = sw_sums_make(expand_fd, fd);
    return r < 0 ? r : disk_sync(fd);
}

/* A sender whose names a tar would not carry (absolute, with `..`) cuts off what they begin with
 * and names it once. */
static int put_before(const struct sw_buf *before, struct sw_buf *manifest, struct sw_err *err)
{
    struct sw_manifest plain = {.bytes = *manifest};
    int r = before->size ? sw_manifest_parse(&plain, err) : 0;
    *manifest = before->size ? (struct sw_buf){0} : plain.bytes;
    for (size_t i = 0; i < plain.n && r == 0; i++) {
        struct sw_entry entry = plain.entries[i];
        AUTO_BUF struct sw_buf name = {0};
        sw_buf_put(&name, before->data, before->size);
        sw_buf_put(&name, entry.name, entry.name_size);
        entry.name = (const char *)name.data;
        entry.name_size = name.size;
        r = sw_manifest_append(manifest, &entry);
        if (r < 0)
            sw_fail(err, -r, "a name in the tar is too long with what goes before it");
    }
    if (before->size)
        sw_manifest_done(&plain);
    return r;
}

static int
take_apart(struct sw_upload *upload, uint64_t expand_max, struct sw_buf *ret, struct sw_err *err)
{
    char name[UPLOAD_NAME_ROOM];
    upload_name(upload->info.id, ".1", name);
    AUTO_FD int fd = disk_open(upload->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC, DISK_MODE_UPLOAD);
    if (fd < 0)
        return sw_fail(err, -fd, "the upload cannot be taken apart: %s", strerror(-fd));
    uint64_t expanded = 0;
    int r = sw_untar(upload->data_fd, fd, expand_max, ret, &expanded, err);
    if (r == 0 && expanded) {
        r = make_sums(upload, fd);
        if (r < 0)
            sw_fail(err, -r, "expanded bytes cannot be stored: %s", strerror(-r));
        return r;
    }
    disk_remove(upload->dir_fd, name);
    return r;
}

static int
make_manifest(struct sw_upload *upload, uint64_t expand_max, struct sw_buf *ret, struct sw_err *err)
{
    if (upload->info.unpack) {
        int r = take_apart(upload, expand_max, ret, err);
        return r < 0 ? r : put_before(&upload->info.name, ret, err);
    }
    if (upload->n_entries) {
        if (upload->entries_size != upload->received)
            return sw_fail(err, EINVAL, "the upload is not as long as the files in it");
        sw_buf_put(ret, upload->entries.data, upload->entries.size);
        return 0;
    }
    struct sw_entry entry = {.name = (const char *)upload->info.name.data,
                             .name_size = upload->info.name.size,
                             .mode = upload->info.mode,
                             .mtime = upload->info.mtime,
                             .size = upload->received};
    return sw_manifest_append(ret, &entry);
}

int sw_upload_finish(struct sw_upload *upload, uint64_t expand_max, struct sw_err *err)
{
    if (upload->info.complete)
        return 0;
    if (upload->info.length != UINT64_MAX && upload->received != upload->info.length)
        return sw_fail(err, ENODATA, "the upload has %ju of %ju bytes", (uintmax_t)upload->received,
                       (uintmax_t)upload->info.length);
    int r = sw_upload_sync(upload);
    if (r < 0)
        return sw_fail(err, -r, "the upload cannot be made durable: %s", strerror(-r));
    AUTO_BUF struct sw_buf manifest = {0};
    r = make_manifest(upload, expand_max, &manifest, err);
    if (r < 0)
        return r;
    sw_manifest_end(&manifest);
    char name[UPLOAD_NAME_ROOM];
    upload_name(upload->info.id, ".manifest", name);
    upload->broken = true; /* as in a sync */
    r = disk_write_synced(upload->dir_fd, name, &manifest, DISK_MODE_UPLOAD);
    if (r == 0)
        r = sw_dir_sync(upload->dir_fd);
    if (r == 0) {
        upload->info.length = upload->received;
        upload->info.complete = true;
        r = upload_record(upload);
    }
    if (r < 0) {
        upload->info.complete = false;
        return sw_fail(err, -r, "the upload cannot be made durable: %s", strerror(-r));
    }
    upload->broken = false;
    return 0;
}
