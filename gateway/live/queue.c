/* What waits to be sent on one WebSocket, with a limit: libwebsockets has none. Called through
 * socket.h by whoever has something to say, and by socket.c when there is room to write. */
#include "live/queue.h"

#include "base/log.h"
#include "base/own.h"
#include "live/socket_io.h"
#include "proto/message.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_ACK_S 2 /* for the other side's close; then it is cut */

struct frame {
    struct frame *next;
    size_t size;
    unsigned char bytes[]; /* LWS_PRE, then the text */
};

void queue_drop(struct socket *s)
{
    for (struct frame *frame = s->out, *next; frame; frame = next) {
        next = frame->next;
        sw_release(frame);
    }
    s->out = NULL;
    s->out_end = &s->out;
    s->out_bytes = 0;
}

void queue_cut(struct socket *s)
{
    lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static void put(struct socket *s, struct sw_str head, struct sw_str data, struct sw_str tail)
{
    size_t size = head.n + data.n + tail.n;
    if (s->close_status)
        return;
    if (s->out_bytes + size > SOCKET_OUT_MAX) {
        sw_log(SW_LOG_NOTICE, "websocket cut: it does not read unsent=%zu", s->out_bytes);
        metric_add(s->gateway, METRIC_CUT_SLOW, 1);
        s->close_status = LWS_CLOSE_STATUS_POLICY_VIOLATION;
        queue_drop(s);
        queue_cut(s);
        return;
    }
    struct frame *frame = sw_alloc(1, sizeof *frame + LWS_PRE + size);
    unsigned char *at = frame->bytes + LWS_PRE;
    memcpy(at, head.p, head.n);
    if (data.n)
        memcpy(at + head.n, data.p, data.n);
    if (tail.n)
        memcpy(at + head.n + data.n, tail.p, tail.n);
    frame->size = size;
    *s->out_end = frame;
    s->out_end = &frame->next;
    s->out_bytes += size;
    lws_callback_on_writable(s->wsi);
}

void socket_send(
    struct socket *s, const char *event, uint64_t seq, const char *data, size_t data_size)
{
    char head[128], tail[32] = "}";
    size_t n_head, n_tail = 1;
    if (s->io) {
        n_head = io_head(head, sizeof head, event);
        n_tail = io_tail(tail, sizeof tail, seq);
    } else if (seq) {
        n_head = (size_t)snprintf(head, sizeof head,
                                  "{\"event\":\"%s\",\"seq\":%ju,\"data\":", event, (uintmax_t)seq);
    } else {
        n_head = (size_t)snprintf(head, sizeof head, "{\"event\":\"%s\",\"data\":", event);
    }
    put(s, (struct sw_str){head, n_head}, (struct sw_str){data, data_size},
        (struct sw_str){tail, n_tail});
}

void socket_send_raw(struct socket *s, const char *text, size_t size)
{
    put(s, (struct sw_str){text, size}, (struct sw_str){0}, (struct sw_str){0});
}

void socket_send_json(struct socket *s, const char *event, uint64_t seq, json_t *data_take)
{
    char *text = json_dumps(data_take, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        socket_send(s, event, seq, text, strlen(text));
    free(text);
    json_decref(data_take);
}

void socket_close(struct socket *s, unsigned status, const char *words)
{
    if (s->close_status)
        return;
    s->close_status = status;
    s->close_words = words;
    lws_callback_on_writable(s->wsi);
}

void socket_expel(struct socket *s, const char *words)
{
    if (s->close_said)
        return;
    queue_drop(s);
    if (!s->open) {
        queue_cut(s);
        return;
    }
    s->close_status = 0;
    socket_close(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, words);
    lws_set_timeout(s->wsi, PENDING_TIMEOUT_CLOSE_ACK, CLOSE_ACK_S); /* it may not read */
}

/* Between LWS_WRITE_HTTP and LWS_WRITE_PING: the header leaves its name out. */
#define WRITE_CLOSE ((enum lws_write_protocol)4)

/* A close frame of our own: on libuv, libwebsockets 4.1.6 closes the socket before its own is out.
 */
void queue_close_now(struct socket *s, unsigned status, const char *words)
{
    unsigned char bytes[LWS_PRE + 2 + 120];
    size_t n = SW_MIN(strlen(words), (size_t)120);
    if (s->close_said)
        return;
    s->close_said = true;
    bytes[LWS_PRE] = (unsigned char)(status >> 8);
    bytes[LWS_PRE + 1] = (unsigned char)status;
    for (size_t i = 0; i < n; i++)
        bytes[LWS_PRE + 2 + i] = (unsigned char)words[i];
    lws_write(s->wsi, bytes + LWS_PRE, n + 2, WRITE_CLOSE);
}

int queue_write(struct socket *s)
{
    struct frame *frame = s->out;
    if (!frame) {
        if (s->close_status && !s->close_said) {
            queue_close_now(s, s->close_status, s->close_words);
            lws_set_timeout(s->wsi, PENDING_TIMEOUT_CLOSE_ACK, CLOSE_ACK_S);
        }
        return 0;
    }
    int n = lws_write(s->wsi, frame->bytes + LWS_PRE, frame->size, LWS_WRITE_TEXT);
    s->out = frame->next;
    if (!s->out)
        s->out_end = &s->out;
    s->out_bytes -= frame->size;
    bool failed = n < (int)frame->size;
    sw_release(frame);
    if (s->out || s->close_status)
        lws_callback_on_writable(s->wsi);
    return failed ? -1 : 0;
}
