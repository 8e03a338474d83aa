/* The tus routes that move bytes: creation (with or without the first of them) and PATCH. Called by
 * the table of routes; the writing is the inlet's. An offset is told only once it is durable. */
#include "base/clock.h"
#include "base/own.h"
#include "handlers.h"
#include "inlet.h"
#include "reply.h"
#include "tus.h"
#include "uploads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void abandon(void *inlet)
{
    inlet_abandon(inlet);
}

static struct inlet *attach(struct request *r, const struct inlet_plan *plan)
{
    struct inlet *inlet = inlet_new(r, plan);
    r->state = inlet;
    request_keep(r, inlet, abandon);
    return inlet;
}

/* ---- creation ---- */

static const struct inlet_plan creation = {.open = inlet_create, .keep = true, .settle = true};

static int read_creation(struct request *r, struct sw_upload_info *info)
{
    struct sw_err err = {""};
    const char *metadata = request_header(r, "Upload-Metadata");
    *info = (struct sw_upload_info){
        .mode = 0644, .created_ms = sw_wall_ms(), .mtime = sw_wall_ms() / 1000};
    memcpy(info->owner, r->caller.owner, sizeof r->caller.owner);
    int result = tus_number(r, "Upload-Length", &info->length);
    if (result == -ENOENT)
        reply_error(r, REPLY_BAD_REQUEST,
                    "Upload-Length is needed (deferred lengths are not spoken)");
    if (result < 0)
        return result;
    if (info->length > TUS_LENGTH_MAX) {
        reply_error(r, REPLY_TOO_LARGE, "Upload-Length: at most %" PRIu64, TUS_LENGTH_MAX);
        return -EFBIG;
    }
    if (metadata && tus_metadata_parse(metadata, info, &err) < 0) {
        reply_error(r, REPLY_BAD_REQUEST, "%s", err.text);
        return -EINVAL;
    }
    if (!info->name.size && !info->unpack)
        sw_buf_text(&info->name, "input");
    return 0;
}

void tus_create_begin(struct request *r)
{
    struct sw_upload_info info;
    const char *type = request_header(r, "Content-Type");
    bool with_body = r->body_length > 0;
    if (!tus_check_version(r))
        return;
    if (read_creation(r, &info) < 0) {
        sw_upload_info_done(&info);
        return;
    }
    if (with_body && (!type || strcasecmp(type, TUS_BODY_TYPE) != 0))
        reply_error(r, REPLY_MEDIA_TYPE, "a first part comes as `Content-Type: " TUS_BODY_TYPE "`");
    else if (with_body && r->body_length != UINT64_MAX && r->body_length > info.length)
        reply_error(r, REPLY_TOO_LARGE, "more bytes than Upload-Length");
    struct inlet *inlet = attach(r, &creation);
    inlet->info = info;
}

void tus_piece(struct request *r, const char *p, size_t n)
{
    inlet_put(r->state, p, n);
}

static void created(struct request *r, struct inlet *inlet)
{
    if (inlet->result < 0) {
        reply_errno(r, inlet->result, &inlet->err, "upload");
        return;
    }
    struct MHD_Response *response = tus_response();
    reply_header(response, "Location", "/api/uploads/%s", inlet->info.id);
    reply_header(response, "Upload-Offset", "%" PRIu64, inlet->info.offset);
    tus_add_expires(response, &inlet->info);
    reply_empty(r, MHD_HTTP_CREATED, response);
}

void tus_create(struct request *r)
{
    inlet_end(r->state, created);
}

/* ---- PATCH ---- */

static int open_at(struct inlet *inlet, struct sw_upload **ret, struct sw_err *err)
{
    int r = sw_upload_open(inlet->gateway->uploads_fd, inlet->id, ret);
    if (r == -ENOENT)
        return sw_fail(err, ENOENT, "there is none with this id");
    if (r < 0)
        return r;
    const struct sw_upload_info *info = sw_upload_info(*ret);
    if (!inlet->any_owner && strcmp(info->owner, inlet->info.owner) != 0)
        return sw_fail(err, ENOENT, "there is none with this id");
    if (info->offset != inlet->expect_offset)
        return sw_fail(err, ERANGE, "its offset is %" PRIu64 ", not %" PRIu64, info->offset,
                       inlet->expect_offset);
    if (inlet->announced != UINT64_MAX && inlet->announced > info->length - info->offset)
        return sw_fail(err, EFBIG, "more bytes than its length, %" PRIu64, info->length);
    return 0;
}

static const struct inlet_plan patching = {.open = open_at, .keep = true, .settle = true};

static void opened(struct request *r, struct inlet *inlet)
{
    if (inlet->result < 0)
        reply_errno(r, inlet->result, &inlet->err, "upload");
}

static void patch_when_free(struct request *r)
{
    struct inlet *inlet = r->state;
    uploads_note(r->gateway, inlet);
    inlet_open(inlet, opened);
}

void tus_patch_begin(struct request *r)
{
    uint64_t offset = 0;
    const char *type = request_header(r, "Content-Type");
    if (!tus_check_version(r))
        return;
    int result = tus_number(r, "Upload-Offset", &offset);
    if (result == -ENOENT)
        reply_error(r, REPLY_BAD_REQUEST, "Upload-Offset is needed");
    else if (result == 0 && (!type || strcasecmp(type, TUS_BODY_TYPE) != 0))
        reply_error(r, REPLY_MEDIA_TYPE, "bytes come as `Content-Type: " TUS_BODY_TYPE "`");
    if (r->reply)
        return;
    struct inlet *inlet = attach(r, &patching);
    snprintf(inlet->id, sizeof inlet->id, "%.*s", SW_UPLOAD_ID_SIZE, r->argument);
    if (strlen(r->argument) != SW_UPLOAD_ID_SIZE)
        inlet->id[0] = '\0'; /* finds nothing */
    memcpy(inlet->info.owner, r->caller.owner, sizeof r->caller.owner);
    inlet->any_owner = r->caller.role == ROLE_ADMIN;
    inlet->expect_offset = offset;
    inlet->announced = r->body_length;
    uploads_when_free(r, inlet->id, patch_when_free);
}

static void patched(struct request *r, struct inlet *inlet)
{
    if (inlet->result < 0) {
        reply_errno(r, inlet->result, &inlet->err, "upload");
        return;
    }
    struct MHD_Response *response = tus_response();
    reply_header(response, "Upload-Offset", "%" PRIu64, inlet->info.offset);
    tus_add_expires(response, &inlet->info);
    reply_empty(r, MHD_HTTP_NO_CONTENT, response);
}

void tus_patch(struct request *r)
{
    inlet_end(r->state, patched);
}
