/* Reads a WebSocket request's head. Pure: bytes in, verdict out; called by arrivals.c once the head
 * is whole. Stricter than HTTP must be: what has two meanings is refused. */
#include "upgrade.h"

#include "base/own.h"

#include <string.h>
#include <strings.h>

#define HEADERS_MAX 64

enum {
    H_HOST,
    H_UPGRADE,
    H_CONNECTION,
    H_VERSION,
    H_KEY,
    H_ORIGIN,
    H_AUTHORIZATION,
    H_COOKIE,
    H_LENGTH,
    H_TRANSFER,
    H_COUNT
};

static const char *const names[H_COUNT] = {
    "Host",   "Upgrade",       "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key",
    "Origin", "Authorization", "Cookie",     "Content-Length",        "Transfer-Encoding"};

struct piece { /* of the head */
    const char *p;
    size_t n;
};

struct fields {
    struct piece value[H_COUNT];
    unsigned times[H_COUNT];
    unsigned total;
};

static bool is_token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f ||
            strchr("():,;<>@\"/[]?={}\\", p[i]))
            return false;
    return n > 0;
}

/* One line without its CRLF: the next one begins behind it. NULL: no such line, or one with bytes
 * that no head has. */
static const char *line_end(const char *p, const char *end)
{
    for (; p + 1 < end; p++) {
        if (p[0] == '\r' && p[1] == '\n')
            return p;
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return NULL;
    }
    return NULL;
}

static bool take_field(struct fields *fields, const char *p, const char *end)
{
    const char *colon = memchr(p, ':', (size_t)(end - p));
    if (!colon || !is_token(p, (size_t)(colon - p)) || ++fields->total > HEADERS_MAX)
        return false; /* folded lines too: they begin with a space */
    struct piece value = {colon + 1, (size_t)(end - colon - 1)};
    while (value.n && (*value.p == ' ' || *value.p == '\t'))
        value.p++, value.n--;
    while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        value.n--;
    for (int i = 0; i < H_COUNT; i++)
        if (strlen(names[i]) == (size_t)(colon - p) &&
            strncasecmp(p, names[i], strlen(names[i])) == 0) {
            fields->times[i]++;
            fields->value[i] = value;
        }
    return true;
}

static bool is(struct piece piece, const char *text)
{
    return piece.n == strlen(text) && strncasecmp(piece.p, text, piece.n) == 0;
}

/* `keep-alive, Upgrade`, as Firefox says. */
static bool lists(struct piece piece, const char *word)
{
    const char *p = piece.p, *end = piece.p + piece.n;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        struct piece item = {p, (size_t)((comma ? comma : end) - p)};
        while (item.n && *item.p == ' ')
            item.p++, item.n--;
        while (item.n && item.p[item.n - 1] == ' ')
            item.n--;
        if (is(item, word))
            return true;
        p = comma ? comma + 1 : end;
    }
    return false;
}

static bool copy(char *ret, size_t room, struct piece piece)
{
    if (piece.n >= room)
        return false;
    if (piece.n)
        memcpy(ret, piece.p, piece.n);
    ret[piece.n] = '\0';
    return true;
}

#define COPY(field, piece) copy((field), sizeof(field), (piece))

/* `GET /ws?a=b HTTP/1.1` */
static bool take_request(const char *p, const char *end, struct upgrade *ret)
{
    static const char get[] = "GET ", version[] = " HTTP/1.1";
    const char *target = p + sizeof get - 1, *last = end - (sizeof version - 1);
    if (last <= target || memcmp(p, get, sizeof get - 1) != 0 ||
        memcmp(last, version, sizeof version - 1) != 0)
        return false;
    struct piece path = {target, (size_t)(last - target)}, query = {0};
    const char *mark = memchr(path.p, '?', path.n);
    if (mark) {
        query = (struct piece){mark + 1, (size_t)(last - mark - 1)};
        path.n = (size_t)(mark - path.p);
    }
    ret->socket_io = is(path, "/socket.io/");
    return (ret->socket_io || is(path, "/ws")) && COPY(ret->query, query);
}

static int refuse(const char **ret_refusal, int status, const char *words)
{
    *ret_refusal = words;
    return status;
}

static int judge(const struct fields *f, struct upgrade *ret, const char **ret_refusal)
{
    static const int once[] = {H_HOST, H_UPGRADE, H_CONNECTION, H_VERSION, H_KEY};
    static const int most_once[] = {H_ORIGIN, H_AUTHORIZATION, H_COOKIE};
    if (f->times[H_HOST] != 1)
        return refuse(ret_refusal, 400, "exactly one Host header is needed");
    if (f->times[H_LENGTH] || f->times[H_TRANSFER])
        return refuse(ret_refusal, 400, "a WebSocket request has no body");
    if (f->times[H_UPGRADE] == 0)
        return refuse(ret_refusal, 426, "this path speaks WebSocket only");
    for (size_t i = 0; i < SW_COUNT(once); i++)
        if (f->times[once[i]] != 1)
            return refuse(ret_refusal, 400,
                          "a header of a WebSocket request is missing or there twice");
    for (size_t i = 0; i < SW_COUNT(most_once); i++)
        if (f->times[most_once[i]] > 1)
            return refuse(ret_refusal, 400, "a header is there twice");
    if (!is(f->value[H_UPGRADE], "websocket") || !lists(f->value[H_CONNECTION], "upgrade"))
        return refuse(ret_refusal, 426, "only `Upgrade: websocket` is spoken here");
    if (!is(f->value[H_VERSION], "13"))
        return refuse(ret_refusal, 426, "only `Sec-WebSocket-Version: 13` is spoken here");
    if (!COPY(ret->host, f->value[H_HOST]) || !COPY(ret->origin, f->value[H_ORIGIN]) ||
        !COPY(ret->authorization, f->value[H_AUTHORIZATION]) ||
        !COPY(ret->cookie, f->value[H_COOKIE]))
        return refuse(ret_refusal, 431, "a header is too long");
    return 0;
}

int upgrade_parse(const char *head, size_t size, struct upgrade *ret, const char **ret_refusal)
{
    const char *p = head, *end = head + size, *stop = line_end(p, end);
    struct fields fields = {0};
    *ret = (struct upgrade){0};
    if (!stop)
        return refuse(ret_refusal, 400, "the request's head is none");
    if (!take_request(p, stop, ret))
        return refuse(ret_refusal, 404, "there is nothing at this path");
    for (p = stop + 2;; p = stop + 2) {
        stop = line_end(p, end);
        if (stop == p)
            return judge(&fields, ret, ret_refusal);
        if (!stop || !take_field(&fields, p, stop))
            return refuse(ret_refusal, 400, "the request's head is none");
    }
}
