/* From a finished job to files: streams from the gateway into files that appear whole or not at
 * all. Called by work.c and result.c, which have decided every path; names from the gateway choose
 * nothing here. */
#include "fetch.h"

#include "base/io.h"
#include "batch.h"
#include "http.h"
#include "paths.h"
#include "progress.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)256 << 10)
#define BY_NAME_MAX 4 /* up to here a request each is as quick as a tar */

struct wanted *wanted_add(struct wanted_list *wanted)
{
    sw_grow(&wanted->list, &wanted->room, wanted->n + 1, sizeof *wanted->list);
    wanted->list[wanted->n] = (struct wanted){.input = ""};
    return &wanted->list[wanted->n++];
}

void wanted_done(struct wanted_list *wanted)
{
    for (size_t i = 0; i < wanted->n; i++) {
        sw_release(wanted->list[i].name);
        sw_release(wanted->list[i].path);
        sw_release(wanted->list[i].error);
    }
    sw_release(wanted->list);
    *wanted = (struct wanted_list){0};
}

/* ---- one by one ---- */

static int
stream_to_output(struct http_stream *stream, struct wanted *item, bool force, struct sw_err *err)
{
    AUTO_OUTPUT struct output output = {0};
    AUTO_BUF struct sw_buf block = {0};
    uint8_t *p = sw_buf_reserve(&block, BLOCK_BYTES);
    uint64_t size = 0;
    int r = output_open(&output, item->path, force, err);
    while (!r) {
        ssize_t got = http_stream_read(stream, p, BLOCK_BYTES, err);
        if (got <= 0) {
            r = (int)got;
            break;
        }
        size += (uint64_t)got;
        r = output_write(&output, p, (size_t)got, err);
    }
    if (!r)
        r = output_finish(&output, item->mode, item->has_mode ? &item->mtime : NULL, err);
    if (!r)
        r = output_commit(&output, err);
    item->size = size;
    item->written = !r;
    return r;
}

static int
fetch_by_name(struct ctl *ctl, const char *id, struct wanted *item, bool force, struct sw_err *err)
{
    AUTO(sw_text) char *base = path_of("jobs", id, "/result?name=");
    AUTO_BUF struct sw_buf path = {0};
    struct http_stream *stream = NULL;
    sw_buf_text(&path, base);
    http_escape(&path, item->name, item->name_size);
    int r = http_stream_open(ctl->http, (const char *)path.data, &stream, err);
    if (!r)
        r = stream_to_output(stream, item, force, err);
    http_stream_destroy(&stream);
    return r;
}

int fetch_files(struct ctl *ctl, const char *id, struct wanted_list *wanted, struct sw_err *err)
{
    struct batch batch = {0};
    int r = -FETCH_NOT_IN_TAR;
    if (wanted->n > BY_NAME_MAX)
        r = fetch_tar(ctl, id, wanted, &batch, err);
    if (r == -FETCH_NOT_IN_TAR || r == -CTL_ERR_REFUSED)
        for (size_t i = r = 0; i < wanted->n && !r; i++) {
            struct wanted *item = &wanted->list[i];
            if (!item->written)
                r = fetch_by_name(ctl, id, item, wanted->force, err);
            if (r && r != -EINTR && r != -CTL_ERR_UNREACHABLE) {
                batch_failed(&batch, item, r, err);
                r = 0;
            }
            progress_fetched(i + 1, wanted->n);
        }
    struct sw_err settle_err = {0};
    int settled = outputs_settle(&settle_err);
    if (r)
        return r;
    *err = settle_err; /* what went wrong before was said */
    return batch.failed ? batch.failed : settled;
}

/* ---- one output of all ---- */

static int fetch_to_fd(
    struct http_stream *stream, int fd, const char *name, uint64_t *ret_size, struct sw_err *err)
{
    AUTO_BUF struct sw_buf block = {0};
    uint8_t *p = sw_buf_reserve(&block, BLOCK_BYTES);
    for (*ret_size = 0;;) {
        ssize_t got = http_stream_read(stream, p, BLOCK_BYTES, err);
        if (got <= 0)
            return (int)got;
        progress_hide();
        int r = sw_write_all(fd, p, (size_t)got);
        if (r)
            return sw_fail(err, r == -EINTR ? EIO : -r, "%s: %s",
                           text_short(name, CTL_NAME_BYTES).text, strerror(-r));
        *ret_size += (uint64_t)got;
    }
}

int fetch_one(struct ctl *ctl,
              const char *id,
              const char *path,
              bool force,
              uint64_t *ret_size,
              struct sw_err *err)
{
    AUTO(sw_text) char *address = path_of("jobs", id, "/result");
    struct http_stream *stream = NULL;
    struct wanted item = {.path = (char *)path};
    mode_t mask = umask(0);
    umask(mask);
    item.mode = 0666 & ~mask;
    int r = http_stream_open(ctl->http, address, &stream, err);
    if (!r && !path)
        r = fetch_to_fd(stream, STDOUT_FILENO, "standard output", ret_size, err);
    else if (!r && output_is_through(path)) {
        AUTO_FD int fd = output_open_through(path, err);
        r = fd < 0 ? fd : fetch_to_fd(stream, fd, path, ret_size, err);
    } else if (!r) {
        r = stream_to_output(stream, &item, force, err);
        *ret_size = item.size;
    }
    http_stream_destroy(&stream);
    return r || !path ? r : outputs_settle(err);
}

int fetch_nothing(const char *path, bool force, struct sw_err *err)
{
    AUTO_OUTPUT struct output output = {0};
    mode_t mask = umask(0);
    umask(mask);
    if (output_is_through(path))
        return 0;
    int r = output_open(&output, path, force, err);
    if (!r)
        r = output_finish(&output, 0666 & ~mask, NULL, err);
    if (!r)
        r = output_commit(&output, err);
    return r ? r : outputs_settle(err);
}

char *fetch_target(const char *path, const char *output_name)
{
    AUTO_BUF struct sw_buf target = {0};
    struct stat st;
    size_t n = strlen(path);
    sw_buf_text(&target, path);
    if ((n && path[n - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        sw_buf_printf(&target, "%s%s", n && path[n - 1] == '/' ? "" : "/", output_name);
    return sw_buf_take_text(&target);
}
