/* The framing of Socket.IO: a digit of Engine.IO (0 open, 1 close, 2 ping, 3 pong, 4 message), then
 * one of Socket.IO (0 connect, 1 disconnect, 2 event, 3 ack, 4 connect error), an ack's number,
 * JSON. Called by socket.c; what the events mean is in events.c. */
#include "live/socket_io.h"

#include "base/clock.h"
#include "base/own.h"
#include "proto/link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ACK_DIGITS 15 /* of a client's own count */

static bool says(const char *query, const char *pair)
{
    size_t n = strlen(pair);
    for (const char *p = query; *p; p += strcspn(p, "&"), p += *p == '&')
        if (strncmp(p, pair, n) == 0 && (p[n] == '&' || p[n] == '\0'))
            return true;
    return false;
}

bool io_wanted(const struct upgrade *upgrade)
{
    return says(upgrade->query, "EIO=4") && says(upgrade->query, "transport=websocket");
}

static void send_json(struct socket *s, const char *head, json_t *json_take)
{
    AUTO_BUF struct sw_buf text = {0};
    char *json = json_dumps(json_take, JSON_COMPACT);
    sw_buf_text(&text, head);
    sw_buf_text(&text, json ? json : "null");
    socket_send_raw(s, (const char *)text.data, text.size);
    free(json);
    json_decref(json_take);
}

void io_opened(struct socket *s)
{
    snprintf(s->io_id, sizeof s->io_id, "%016" PRIx64, sw_random_u64());
    s->io_pinged_ms = sw_boot_ms();
    send_json(s, "0",
              json_pack("{s:s, s:[], s:i, s:i, s:i}", "sid", s->io_id, "upgrades", "pingInterval",
                        IO_PING_MS, "pingTimeout", 20000, "maxPayload", (int)SOCKET_IN_MAX));
}

void io_tick(struct socket *s, int64_t now_ms)
{
    if (now_ms - s->io_pinged_ms < IO_PING_MS)
        return;
    s->io_pinged_ms = now_ms;
    socket_send_raw(s, "2", 1);
}

size_t io_head(char *ret, size_t room, const char *event)
{
    return (size_t)snprintf(ret, room, "42[\"%s\",", event);
}

size_t io_tail(char *ret, size_t room, uint64_t seq)
{
    return (size_t)(seq ? snprintf(ret, room, ",%" PRIu64 "]", seq) : snprintf(ret, room, "]"));
}

static void connect_error(struct socket *s, const char *words)
{
    send_json(s, "44", json_pack("{s:s}", "message", words));
    socket_close(s, 1008, words);
}

/* `40/name,…`: answered by `44/name,…`, which ends that namespace only. */
static void no_namespace(struct socket *s, const char *text, size_t size)
{
    const char *comma = memchr(text, ',', size);
    char head[128];
    snprintf(head, sizeof head, "44%.*s,",
             (int)SW_MIN(comma ? (size_t)(comma - text) : size, (size_t)64), text);
    if (text[0] != '/')
        socket_close(s, 1002, "no namespace");
    else
        send_json(s, head, json_pack("{s:s}", "message", "Invalid namespace"));
}

/* `40` or `40{"token": …}`: the namespace "/". Who has shown a token with the head needs none. */
static void io_connect(struct socket *s, const char *text, size_t size)
{
    json_t *auth = json_loadb(text, size, 0, NULL);
    const char *token = json_string_value(json_object_get(auth, "token"));
    if (s->io_connected)
        socket_close(s, 1002, "connected already");
    else if (size && text[0] != '{')
        no_namespace(s, text, size);
    else if (token && s->caller.role == ROLE_NONE && !event_login(s, token))
        connect_error(s, "this token is not known");
    else {
        s->io_connected = true;
        send_json(s, "40", json_pack("{s:s}", "sid", s->io_id));
        event_opened(s);
    }
    json_decref(auth);
}

/* `42["event", data]` or `427["event", data]`, to be acknowledged by `437[…]`. */
static void io_event(struct socket *s, const char *text, size_t size)
{
    size_t digits = 0;
    while (digits < size && digits <= ACK_DIGITS && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    json_t *list = json_loadb(text + digits, size - digits, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_array_get(list, 0));
    if (!name || digits > ACK_DIGITS) {
        socket_close(s, 1002, "no event");
    } else {
        json_t *refusal = NULL;
        s->io_refusal = digits ? &refusal : NULL;
        event_said(s, name, json_array_get(list, 1));
        s->io_refusal = NULL;
        char head[32];
        snprintf(head, sizeof head, "43%.*s", (int)digits, text);
        if (digits)
            send_json(s, head,
                      refusal ? json_pack("[{s:b, s:o}]", "success", 0, "error", refusal)
                              : json_pack("[{s:b}]", "success", 1));
    }
    json_decref(list);
}

static void io_message(struct socket *s, const char *text, size_t size)
{
    int kind = size ? text[0] : '\0';
    if (kind == '0')
        io_connect(s, text + 1, size - 1);
    else if (!s->io_connected)
        socket_close(s, 1002, "connect first");
    else if (kind == '1')
        socket_close(s, 1000, "");
    else if (kind == '2')
        io_event(s, text + 1, size - 1);
    else if (kind != '3') /* nothing here asks for acks: one is not looked at */
        socket_close(s, 1002, "this kind of packet is not spoken here");
}

void io_text(struct socket *s, const char *text, size_t size)
{
    switch (size ? text[0] : '\0') {
    case '1':
        socket_close(s, 1000, "");
        break;
    case '3': /* pong */
        break;
    case '4':
        io_message(s, text + 1, size - 1);
        break;
    default:
        socket_close(s, 1002, "this kind of packet is not spoken here");
    }
}
