/* The result tar taken apart as it comes, into the files that were decided before: an entry's name
 * is only compared, it chooses nothing. Called by fetch.c. */
#include "batch.h"

#include "http.h"
#include "paths.h"
#include "progress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)256 << 10)

struct tar {
    struct http_stream *stream;
    struct sw_buf block;
    struct sw_err *err;
    int failed; /* of the stream: libarchive's own words would hide it */
};

static la_ssize_t tar_pull(struct archive *archive, void *arg, const void **ret)
{
    struct tar *tar = arg;
    ssize_t got = http_stream_read(tar->stream, tar->block.data, BLOCK_BYTES, tar->err);
    *ret = tar->block.data;
    if (got < 0) {
        tar->failed = (int)got;
        archive_set_error(archive, EIO, "the stream broke");
        return ARCHIVE_FATAL;
    }
    return got;
}

static int tar_broke(struct archive *archive, const struct tar *tar, struct sw_err *err)
{
    if (tar->failed)
        return tar->failed;
    const char *words = archive_error_string(archive);
    return sw_fail(err, EPROTO, "the result is no whole tar: %s", words ? words : "it ends early");
}

static int body_to_output(struct archive *archive,
                          struct tar *tar,
                          struct output *output,
                          uint64_t *ret_size,
                          struct sw_err *err)
{
    const void *p;
    size_t n;
    la_int64_t offset;
    int r;
    *ret_size = 0;
    while ((r = archive_read_data_block(archive, &p, &n, &offset)) == ARCHIVE_OK) {
        int failed = output_write(output, p, n, err);
        if (failed)
            return failed;
        *ret_size += n;
    }
    return r == ARCHIVE_EOF ? 0 : tar_broke(archive, tar, err);
}

static int entry_to_output(struct archive *archive,
                           struct archive_entry *entry,
                           struct tar *tar,
                           struct wanted *item,
                           bool force,
                           struct batch *batch,
                           struct sw_err *err)
{
    AUTO_OUTPUT struct output output = {0};
    if (!item->has_mode) {
        item->mode = archive_entry_perm(entry);
        item->mtime = (struct timespec){.tv_sec = archive_entry_mtime(entry)};
        item->has_mode = true;
    }
    int r = output_open(&output, item->path, force, err);
    if (!r)
        r = body_to_output(archive, tar, &output, &item->size, err);
    if (!r)
        r = output_finish(&output, item->mode, &item->mtime, err);
    if (!r)
        batch_add(batch, &output, item);
    return r;
}

/* The tar has the outputs in the order of the inputs under names made relative: the next wanted one
 * is this entry's, or the gateway thinks otherwise and each is asked for by its exact name. */
static bool entry_matches(struct archive_entry *entry, const struct wanted *item)
{
    AUTO_BUF struct sw_buf ours = {0};
    AUTO_BUF struct sw_buf theirs = {0};
    const char *name = archive_entry_pathname(entry);
    output_relative(&ours, item->name, item->name_size);
    output_relative(&theirs, name ? name : "", name ? strlen(name) : 0);
    return ours.size == theirs.size && ours.size && !memcmp(ours.data, theirs.data, ours.size);
}

static int tar_entries(struct archive *archive,
                       struct tar *tar,
                       struct wanted_list *wanted,
                       struct batch *batch,
                       struct sw_err *err)
{
    struct archive_entry *entry;
    for (size_t i = 0; i < wanted->n; i++) {
        int got = archive_read_next_header(archive, &entry);
        if (got == ARCHIVE_EOF)
            return sw_fail(err, FETCH_NOT_IN_TAR, "the result lacks %s", wanted->list[i].path);
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            return tar_broke(archive, tar, err);
        if (!entry_matches(entry, &wanted->list[i]))
            return sw_fail(err, FETCH_NOT_IN_TAR, "the result is in another order");
        int r = entry_to_output(archive, entry, tar, &wanted->list[i], wanted->force, batch, err);
        if (r && (tar->failed || r == -EPROTO))
            return r;
        if (r)
            batch_failed(batch, &wanted->list[i], r, err);
        progress_fetched(i + 1, wanted->n);
    }
    return 0;
}

int fetch_tar(struct ctl *ctl,
              const char *id,
              struct wanted_list *wanted,
              struct batch *batch,
              struct sw_err *err)
{
    AUTO(sw_text) char *path = path_of("jobs", id, "/result");
    struct tar tar = {.err = err};
    int r = http_stream_open(ctl->http, path, &tar.stream, err);
    if (r)
        return r;
    struct archive *archive = archive_read_new();
    sw_buf_reserve(&tar.block, BLOCK_BYTES);
    archive_read_support_format_tar(archive);
    if (archive_read_open(archive, &tar, NULL, tar_pull, NULL) == ARCHIVE_OK)
        r = tar_entries(archive, &tar, wanted, batch, err);
    else
        r = tar_broke(archive, &tar, err);
    batch_commit(batch); /* also what was whole before it broke */
    archive_read_free(archive);
    http_stream_destroy(&tar.stream);
    sw_buf_done(&tar.block);
    return r;
}
