/* Owns the form of every answer: status, headers, the JSON envelope. Called by handlers and by the
 * head check; decides nothing. */
#include "reply.h"

#include "base/log.h"
#include "proto/json.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *text;
    unsigned status;
    const char *retry_after; /* seconds */
} codes[] = {
    [REPLY_BAD_REQUEST]  = {"bad_request",  400, NULL},
    [REPLY_UNAUTHORIZED] = {"unauthorized", 401, NULL},
    [REPLY_FORBIDDEN]    = {"forbidden",    403, NULL},
    [REPLY_NOT_FOUND]    = {"not_found",    404, NULL},
    [REPLY_METHOD]       = {"method",       405, NULL},
    [REPLY_CONFLICT]     = {"conflict",     409, NULL},
    [REPLY_NOT_FINISHED] = {"not_finished", 409, NULL},
    [REPLY_CANCELLED]    = {"cancelled",    409, NULL},
    [REPLY_PRECONDITION] = {"precondition", 412, NULL},
    [REPLY_TOO_LARGE]    = {"too_large",    413, NULL},
    [REPLY_MEDIA_TYPE]   = {"media_type",   415, NULL},
    [REPLY_RANGE]        = {"range",        416, NULL},
    [REPLY_BAD_HOST]     = {"bad_host",     421, NULL},
    [REPLY_LOCKED]       = {"locked",       423, "1"},
    [REPLY_UPGRADE]      = {"upgrade",      426, NULL},
    [REPLY_QUOTA]        = {"quota",        429, "10"},
    [REPLY_UNAVAILABLE]  = {"unavailable",  503, "2"},
    [REPLY_BUSY]         = {"busy",         503, "1"},
    [REPLY_DISK_FULL]    = {"disk_full",    507, NULL},
};
/* clang-format on */

const char *reply_code_text(enum reply_code code)
{
    return codes[code].text;
}

unsigned reply_code_status(enum reply_code code)
{
    return codes[code].status;
}

void reply_header(struct MHD_Response *response, const char *name, const char *format, ...)
{
    char value[512];
    va_list args;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): version 14 loses va_start in callers */
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    MHD_add_response_header(response, name, value);
}

static void add_safety(struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (!MHD_get_response_header(response, "Content-Security-Policy"))
        MHD_add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; frame-ancestors 'none'");
    if (!MHD_get_response_header(response, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-store");
}

void request_reply(struct request *r, unsigned status, struct MHD_Response *response)
{
    if (r->reply || r->queued || !r->connection) {
        MHD_destroy_response(response);
        return;
    }
    add_safety(response);
    r->reply = response;
    r->status = status;
    request_resume(r);
}

/* Out of memory it aborts as sw_alloc does: libmicrohttpd takes a response that is NULL and looks
 * into it. */
static struct MHD_Response *buffer_response(size_t n, void *p, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(n, p, mode);
    if (!response)
        abort();
    return response;
}

static struct MHD_Response *response_of(json_t *object, struct sw_buf *ret_copy)
{
    char *text = json_dumps(object, JSON_COMPACT);
    assert(text); /* only strings that jansson itself took */
    if (ret_copy)
        sw_buf_text(ret_copy, text);
    struct MHD_Response *response = buffer_response(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "application/json");
    json_decref(object);
    return response;
}

void reply_json(struct request *r, unsigned status, json_t *fields)
{
    json_t *object = json_object();
    json_object_set_new(object, "success", json_true());
    json_object_update(object, fields);
    json_decref(fields);
    request_reply(r, status, response_of(object, NULL));
}

void reply_error(struct request *r, enum reply_code code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (r->reply || r->queued || !r->connection)
        return;
    struct sw_str text = {message, strlen(message)};
    json_t *error =
        json_pack("{s:s, s:o}", "code", codes[code].text, "message", sw_json_text(text));
    json_t *object = json_pack("{s:b, s:o}", "success", 0, "error", error);
    sw_buf_clear(&r->error_text);
    struct MHD_Response *response = response_of(object, &r->error_text);
    if (codes[code].retry_after)
        MHD_add_response_header(response, "Retry-After", codes[code].retry_after);
    if (code == REPLY_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    request_reply(r, codes[code].status, response);
}

void reply_empty(struct request *r, unsigned status, struct MHD_Response *headers)
{
    request_reply(r, status, headers);
}

struct MHD_Response *reply_new_empty(void)
{
    return buffer_response(0, (void *)"", MHD_RESPMEM_PERSISTENT);
}

void reply_static(struct request *r, const char *media_type, const void *p, size_t n)
{
    struct MHD_Response *response = buffer_response(n, (void *)p, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", media_type);
    request_reply(r, MHD_HTTP_OK, response);
}

void reply_text(struct request *r, const char *media_type, struct sw_buf *text)
{
    size_t n = text->size;
    struct MHD_Response *response =
        buffer_response(n, sw_buf_take_text(text), MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", media_type);
    request_reply(r, MHD_HTTP_OK, response);
}

/* clang-format off */
static const struct { int code; enum reply_code reply; } errnos[] = {
    {ENOENT, REPLY_NOT_FOUND},   {EINVAL, REPLY_BAD_REQUEST}, {EBADMSG, REPLY_BAD_REQUEST},
    {EFBIG, REPLY_TOO_LARGE},    {ENOSPC, REPLY_DISK_FULL},   {EDQUOT, REPLY_DISK_FULL},
    {EBUSY, REPLY_LOCKED},       {EAGAIN, REPLY_CONFLICT},    {EEXIST, REPLY_BAD_REQUEST},
    {ERANGE, REPLY_CONFLICT},    {ENODATA, REPLY_BAD_REQUEST},
};
/* clang-format on */

void reply_errno(struct request *r, int code, const struct sw_err *err, const char *what)
{
    code = abs(code);
    const char *words = err && err->text[0] ? err->text : strerror(code);
    for (size_t i = 0; i < SW_COUNT(errnos); i++) {
        if (errnos[i].code == code) {
            reply_error(r, errnos[i].reply, "%s: %s", what, words);
            return;
        }
    }
    sw_log(SW_LOG_ERROR, "request failed what=\"%s\" error=\"%s\"", what, words);
    reply_error(r, REPLY_UNAVAILABLE, "%s: %s", what, words);
}
