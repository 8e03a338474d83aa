/* What can be said of a request from its head alone: smuggling, Host, Origin, Upgrade, the route,
 * the token. Called once a request, before any of its body is taken.
 *
 * libmicrohttpd 0.9.75 takes the first of two Content-Length headers, and Content-Length beside
 * Transfer-Encoding; a proxy in front may take the other. Such heads are counted here and end the
 * connection. */
#include "base/own.h"
#include "host.h"
#include "reply.h"
#include "request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct counts {
    unsigned host, length, transfer, authorization, cookie, total;
    const char *transfer_value;
    bool bad_name;
};

#define HEADERS_MAX 64

static enum MHD_Result count_header(void *arg,
                                    enum MHD_ValueKind kind,
                                    const char *name,
                                    size_t name_size,
                                    const char *value,
                                    size_t value_size)
{
    struct counts *counts = arg;
    (void)kind;
    counts->total++;
    counts->host += strcasecmp(name, "Host") == 0;
    counts->length += strcasecmp(name, "Content-Length") == 0;
    counts->authorization += strcasecmp(name, "Authorization") == 0;
    counts->cookie += strcasecmp(name, "Cookie") == 0;
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        counts->transfer++;
        counts->transfer_value = value;
    }
    for (size_t i = 0; i < name_size; i++) /* `Content-Length :` and folded lines end here */
        counts->bad_name |= (unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f;
    for (size_t i = 0; i < value_size; i++)
        counts->bad_name |= value[i] == '\r' || value[i] == '\n' || !value[i];
    return MHD_YES;
}

static const char *length_of(struct request *r)
{
    const char *text = request_header(r, "Content-Length");
    if (request_header(r, "Transfer-Encoding")) {
        r->body_length = UINT64_MAX;
        return NULL;
    }
    if (!text)
        return NULL;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits])
        return "Content-Length is not a number of bytes";
    r->body_length = strtoull(text, NULL, 10);
    return NULL;
}

/* NULL when the head can have one meaning only. */
static const char *ambiguity_of(struct request *r)
{
    struct counts counts = {0};
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, count_header, &counts);
    if (counts.host != 1)
        return "exactly one Host header is needed";
    if (counts.length > 1)
        return "more than one Content-Length";
    if (counts.length && counts.transfer)
        return "Content-Length together with Transfer-Encoding";
    if (counts.transfer > 1 ||
        (counts.transfer && strcasecmp(counts.transfer_value, "chunked") != 0))
        return "Transfer-Encoding may only be chunked";
    if (counts.authorization > 1 || counts.cookie > 1)
        return "more than one Authorization or Cookie";
    if (counts.bad_name || counts.total > HEADERS_MAX)
        return "a header that is no header, or more than 64 of them";
    return length_of(r);
}

/* A link to the dashboard, in a mail or on any page; frame-ancestors keeps it out of frames. */
static bool opens_page(const struct request *r)
{
    const char *mode = request_header(r, "Sec-Fetch-Mode");
    return mode && strcasecmp(mode, "navigate") == 0 && strcmp(r->path, "/") == 0;
}

/* A browser says where a request comes from; this API is for no page of another origin. */
static bool is_foreign(const struct request *r)
{
    const char *origin = request_header(r, "Origin");
    const char *site = request_header(r, "Sec-Fetch-Site");
    if (site && (strcasecmp(site, "cross-site") == 0 || strcasecmp(site, "same-site") == 0))
        return !opens_page(r);
    return origin && !origin_fits(origin, request_header(r, "Host"), r->visitor->secure);
}

/* Other upgrades (h2c) are ignored, as HTTP allows: nothing here ever changes its protocol. */
static bool asks_websocket(const struct request *r)
{
    const char *upgrade = request_header(r, "Upgrade");
    return upgrade && strcasestr(upgrade, "websocket");
}

/* A page of another origin can make a browser send the cookie, but not this header. */
static bool writes_by_cookie_alone(const struct request *r, const char *method)
{
    static const char *const reads[] = {"GET", "HEAD", "OPTIONS"};
    const char *said = request_header(r, "X-ShadowWork");
    for (size_t i = 0; i < SW_COUNT(reads); i++)
        if (strcmp(method, reads[i]) == 0)
            return false;
    return r->caller.by_cookie && (!said || strcmp(said, "1") != 0);
}

static bool check_caller(struct request *r, const char *method)
{
    caller_find(r->gateway, request_header(r, "Authorization"), request_header(r, "Cookie"),
                &r->caller);
    r->caller.secure = r->visitor->secure;
    if (writes_by_cookie_alone(r, method))
        reply_error(r, REPLY_FORBIDDEN,
                    "a change by a page's login needs the header `X-ShadowWork: 1`");
    else if (r->route->role == ROLE_NONE)
        return true;
    else if (r->caller.role == ROLE_NONE)
        reply_error(r, REPLY_UNAUTHORIZED,
                    "a known token is needed: `Authorization: Bearer TOKEN`, or a login");
    else if (!role_may(r->caller.role, r->route->role))
        reply_error(r, REPLY_FORBIDDEN, "your token's role is %s, this needs %s",
                    role_name(r->caller.role), role_name(r->route->role));
    return !r->reply;
}

static bool is_json(const char *media_type)
{
    static const char json[] = "application/json";
    if (!media_type || strncasecmp(media_type, json, sizeof json - 1) != 0)
        return false;
    char after = media_type[sizeof json - 1];
    return after == '\0' || after == ';' || after == ' ';
}

static bool check_body(struct request *r)
{
    bool json = is_json(request_header(r, "Content-Type"));
    enum body_kind kind = r->route->body;
    r->streams = kind == BODY_STREAM || (kind == BODY_EITHER && !json);
    if (kind == BODY_JSON && !json)
        reply_error(r, REPLY_MEDIA_TYPE, "the body must be JSON: `Content-Type: application/json`");
    else if (!r->streams && kind != BODY_NONE && r->body_length != UINT64_MAX &&
             r->body_length > JSON_BODY_MAX)
        reply_error(r, REPLY_TOO_LARGE, "a JSON body may have at most %zu bytes", JSON_BODY_MAX);
    else if (kind == BODY_NONE && r->body_length != UINT64_MAX && r->body_length > IGNORED_BODY_MAX)
        reply_error(r, REPLY_TOO_LARGE, "no body is expected here");
    return !r->reply;
}

static bool check_route(struct request *r, const char *url, const char *method)
{
    char allow[128];
    if (strstr(r->path, "%00")) {
        reply_error(r, REPLY_BAD_REQUEST, "%%00 in the path or query");
        return false;
    }
    r->route = routes_find(method, url, r->argument, sizeof r->argument, allow, sizeof allow);
    if (r->route)
        return true;
    if (!allow[0]) {
        reply_error(r, REPLY_NOT_FOUND, "there is nothing at this path");
        return false;
    }
    reply_error(r, REPLY_METHOD, "this path takes %s", allow);
    reply_header(r->reply, "Allow", "%s", allow);
    return false;
}

bool head_check(struct request *r, const char *url, const char *method)
{
    const char *ambiguity = ambiguity_of(r);
    if (ambiguity) {
        metric_add(r->gateway, METRIC_REFUSED_HEADS, 1);
        r->last_one = true;
        reply_error(r, REPLY_BAD_REQUEST, "%s", ambiguity);
    } else if (!host_is_ours(r->gateway, request_header(r, "Host"))) {
        metric_add(r->gateway, METRIC_REFUSED_HEADS, 1);
        r->last_one = true;
        reply_error(r, REPLY_BAD_HOST,
                    "this gateway does not answer to that name; `host` in gateway.conf adds names");
    } else if (asks_websocket(r)) {
        r->last_one = true;
        reply_error(r, REPLY_UPGRADE, "this path speaks HTTP only");
    } else if (is_foreign(r)) {
        reply_error(r, REPLY_FORBIDDEN, "pages of another origin may not ask here");
    } else if (r->gateway->stopping) {
        reply_error(r, REPLY_UNAVAILABLE, "the gateway is going down");
    }
    return !r->reply && check_route(r, url, method) && check_caller(r, method) && check_body(r);
}
