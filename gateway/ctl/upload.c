/* Resumable uploads by the tus protocol: create, PATCH in slices, ask for the offset after a break
 * and go on there. Called by submit.c; knows nothing of jobs or tars. */
#include "upload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLICE_BYTES                                                                                \
    ((uint64_t)32 << 20) /* what a break can cost at most, and how often others get a word in */
#define CREATE_AGAIN 3   /* uploads that vanish under us: the gateway's disk is being swept */
#define TUS_VERSION  "Tus-Resumable: 1.0.0"
#define PATCH_TYPE   "application/offset+octet-stream"

struct upload {
    struct ctl *ctl;
    const struct http_source *source;
    char id[UPLOAD_ID_MAX];
    uint64_t offset; /* what the gateway has */
    const struct upload_watch *watch;
};

void upload_metadata(struct sw_buf *buf, const char *key, const void *value, size_t size)
{
    sw_buf_printf(buf, "%s%s ", buf->size ? "," : "", key);
    text_base64(buf, value, size);
}

static int upload_create(struct upload *upload, const char *metadata, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO_BUF struct sw_buf meta = {0};
    char length[64];
    snprintf(length, sizeof length, "Upload-Length: %ju", (uintmax_t)upload->source->size);
    sw_buf_printf(&meta, "Upload-Metadata: %s", metadata);
    struct http_request request = {.method = "POST",
                                   .path = "/api/uploads",
                                   .headers = {TUS_VERSION, length, (const char *)meta.data}};
    int r = http_call(upload->ctl->http, &request, &answer, err);
    if (r)
        return r;
    const char *id = strrchr(answer.location, '/');
    if (!id || !id[1] || strlen(id + 1) >= sizeof upload->id)
        return sw_fail(err, EPROTO, "the gateway named no upload");
    memcpy(upload->id, id + 1, strlen(id + 1) + 1);
    upload->offset = 0;
    return 0;
}

static char *upload_path(const struct upload *upload)
{
    AUTO_BUF struct sw_buf path = {0};
    sw_buf_text(&path, "/api/uploads/");
    http_escape(&path, upload->id, strlen(upload->id));
    return sw_buf_take_text(&path);
}

static void upload_remove(struct upload *upload)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = upload_path(upload);
    struct sw_err ignored;
    struct http_request request = {
        .method = "DELETE", .path = path, .headers = {TUS_VERSION}, .once = true, .steady = true};
    http_call(upload->ctl->http, &request, &answer, &ignored);
}

/* Where the gateway is. 0 also when the upload is gone: *ret_gone then. */
static int upload_ask(struct upload *upload, bool *ret_gone, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = upload_path(upload);
    struct http_request request = {.method = "HEAD", .path = path, .headers = {TUS_VERSION}};
    int r = http_call(upload->ctl->http, &request, &answer, err);
    *ret_gone = answer.status == 404 || answer.status == 410;
    if (*ret_gone)
        return 0;
    if (!r && (answer.upload_offset < 0 || (uint64_t)answer.upload_offset > upload->source->size))
        return sw_fail(err, EPROTO, "the gateway told no upload offset");
    if (!r)
        upload->offset = (uint64_t)answer.upload_offset;
    return r;
}

/* The source, telling how far it was read. */
static ssize_t counting_read(void *arg, void *p, size_t n, uint64_t offset)
{
    struct upload *upload = arg;
    ssize_t got = upload->source->read(upload->source->arg, p, n, offset);
    if (got > 0)
        upload->watch->sent(upload->watch->arg, offset + (uint64_t)got);
    return got;
}

/* One slice. -EAGAIN: the connection broke, the gateway is busy or has another offset. */
static int upload_patch(struct upload *upload, struct http_answer *answer, struct sw_err *err)
{
    AUTO(sw_text) char *path = upload_path(upload);
    char offset[64];
    struct http_source source = {
        .size = upload->source->size, .read = counting_read, .arg = upload};
    snprintf(offset, sizeof offset, "Upload-Offset: %ju", (uintmax_t)upload->offset);
    struct http_request request = {.method = "PATCH",
                                   .path = path,
                                   .type = PATCH_TYPE,
                                   .source = &source,
                                   .source_offset = upload->offset,
                                   .source_size = SW_MIN(source.size - upload->offset, SLICE_BYTES),
                                   .headers = {TUS_VERSION, offset},
                                   .once = true};
    int r = http_call(upload->ctl->http, &request, answer, err);
    if (r == -CTL_ERR_REFUSED && (answer->status == 409 || answer->status == 423 ||
                                  answer->status == 404 || answer->status == 410))
        return -EAGAIN;
    if (r)
        return r;
    if (answer->upload_offset <= (int64_t)upload->offset ||
        (uint64_t)answer->upload_offset > source.size)
        return sw_fail(err, EPROTO, "the gateway's upload offset does not move");
    upload->offset = (uint64_t)answer->upload_offset;
    return 0;
}

/* Sends what the gateway does not have yet. *ret_gone: it has lost the upload. */
static int upload_rest(struct upload *upload, bool *ret_gone, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    uint32_t broken = 0;
    while (upload->offset < upload->source->size) {
        uint64_t before = upload->offset;
        int r = upload_patch(upload, &answer, err);
        if (r && r != -EAGAIN)
            return r;
        if (r == 0) {
            broken = 0;
            upload->watch->between(upload->watch->arg);
            continue;
        }
        r = http_pause(upload->ctl->http, ++broken, &answer, false);
        if (r)
            return r == -EINTR ? sw_fail(err, EINTR, "interrupted")
                               : http_given_up(upload->ctl->http, &answer, err);
        r = upload_ask(upload, ret_gone, err);
        if (r || *ret_gone)
            return r;
        if (upload->offset > before)
            broken = 0;
        upload->watch->sent(upload->watch->arg, upload->offset);
    }
    return 0;
}

int upload_send(struct ctl *ctl,
                const struct http_source *source,
                const char *metadata,
                const struct upload_watch *watch,
                char ret_id[UPLOAD_ID_MAX],
                struct sw_err *err)
{
    struct upload upload = {.ctl = ctl, .source = source, .watch = watch};
    for (int i = 0; i < CREATE_AGAIN; i++) {
        bool gone = false;
        watch->sent(watch->arg, 0);
        int r = upload_create(&upload, metadata, err);
        if (r)
            return r;
        r = upload_rest(&upload, &gone, err);
        if (r && r != -CTL_ERR_UNREACHABLE)
            upload_remove(&upload);
        if (r)
            return r;
        if (!gone) {
            memcpy(ret_id, upload.id, sizeof upload.id);
            return 0;
        }
    }
    return sw_fail(err, EIO, "the gateway loses uploads");
}
