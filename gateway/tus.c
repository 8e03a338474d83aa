/* Owns the protocol's headers and the routes that move no body: options, creation's rules, status,
 * removal. Called by the table of routes; the bytes are tus_write.c's. */
#include "tus.h"

#include "base/clock.h"
#include "base/own.h"
#include "handlers.h"
#include "reply.h"
#include "uploads.h"
#include "work.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct MHD_Response *tus_response(void)
{
    struct MHD_Response *response = reply_new_empty();
    reply_header(response, "Tus-Resumable", "1.0.0");
    return response;
}

void tus_add_expires(struct MHD_Response *response, const struct sw_upload_info *info)
{
    char text[64];
    struct tm parts;
    time_t when = (info->touched_ms + UPLOAD_KEPT_MS) / 1000;
    gmtime_r(&when, &parts);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    reply_header(response, "Upload-Expires", "%s", text);
}

bool tus_check_version(struct request *r)
{
    const char *version = request_header(r, "Tus-Resumable");
    if (version && strcmp(version, "1.0.0") == 0)
        return true;
    reply_error(r, REPLY_PRECONDITION, "uploads speak tus 1.0.0: `Tus-Resumable: 1.0.0` is needed");
    if (r->reply)
        reply_header(r->reply, "Tus-Version", "1.0.0");
    return false;
}

int tus_number(struct request *r, const char *name, uint64_t *ret)
{
    const char *text = request_header(r, name);
    if (!text)
        return -ENOENT;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits]) {
        reply_error(r, REPLY_BAD_REQUEST, "%s: a number of bytes", name);
        return -EINVAL;
    }
    *ret = strtoull(text, NULL, 10);
    return 0;
}

void tus_options(struct request *r)
{
    struct MHD_Response *response = tus_response();
    reply_header(response, "Tus-Version", "1.0.0");
    reply_header(response, "Tus-Extension", "creation,creation-with-upload,termination,expiration");
    reply_header(response, "Tus-Max-Size", "%" PRIu64, TUS_LENGTH_MAX);
    reply_empty(r, MHD_HTTP_NO_CONTENT, response);
}

/* ---- status and removal: a job on the pool, then the answer ---- */

struct glance {
    struct request *request;
    struct sw_upload_info info;
    bool remove;
    int result;
};

static void glance_in_pool(void *arg)
{
    struct glance *glance = arg;
    struct request *r = glance->request;
    glance->result = sw_upload_stat(r->gateway->uploads_fd, r->argument, &glance->info);
    if (glance->result == 0 && r->caller.role != ROLE_ADMIN &&
        strcmp(glance->info.owner, r->caller.owner) != 0)
        glance->result = -ENOENT; /* what is not yours is not there */
    if (glance->result == 0 && glance->remove)
        glance->result = sw_upload_remove(r->gateway->uploads_fd, r->argument);
}

static void show(struct request *r, const struct sw_upload_info *info)
{
    struct MHD_Response *response = tus_response();
    AUTO_BUF struct sw_buf metadata = {0};
    tus_metadata_write(info, &metadata);
    MHD_add_response_header(response, "Upload-Metadata", (char *)metadata.data);
    reply_header(response, "Upload-Offset", "%" PRIu64, info->offset);
    reply_header(response, "Upload-Length", "%" PRIu64, info->length);
    tus_add_expires(response, info);
    reply_empty(r, MHD_HTTP_OK, response);
}

static void glanced(void *arg)
{
    struct glance *glance = arg;
    struct request *r = glance->request;
    if (glance->result < 0)
        reply_errno(r, glance->result, NULL, "upload");
    else if (glance->remove)
        reply_empty(r, MHD_HTTP_NO_CONTENT, tus_response());
    else
        show(r, &glance->info);
    sw_upload_info_done(&glance->info);
    sw_release(glance);
    request_release(r);
}

static void glance(struct request *r, bool remove)
{
    struct glance *glance = sw_alloc(1, sizeof *glance);
    *glance = (struct glance){.request = r, .remove = remove};
    request_hold(r);
    work_start(r->gateway, glance, glance_in_pool, glanced);
}

static void show_when_free(struct request *r)
{
    glance(r, false);
}

static void remove_when_free(struct request *r)
{
    glance(r, true);
}

void tus_status(struct request *r)
{
    if (tus_check_version(r))
        uploads_when_free(r, r->argument, show_when_free);
}

void tus_remove(struct request *r)
{
    if (tus_check_version(r))
        uploads_when_free(r, r->argument, remove_when_free);
}
