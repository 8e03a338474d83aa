/* What waits to be sent on one WebSocket, with a limit: libwebsockets has none. Called through
 * socket.h by whoever has something to say, and by socket.c when there is room to write. */
#include "live/queue.h"

#include "base/log.h"
#include "base/own.h"

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

void socket_send(
    struct socket *s, const char *event, uint64_t seq, const char *data, size_t data_size)
{
    char head[128];
    int n = seq ? snprintf(head, sizeof head, "{\"event\":\"%s\",\"seq\":%ju,\"data\":", event,
                           (uintmax_t)seq)
                : snprintf(head, sizeof head, "{\"event\":\"%s\",\"data\":", event);
    size_t size = (size_t)n + data_size + 1;
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
    memcpy(frame->bytes + LWS_PRE, head, (size_t)n);
    memcpy(frame->bytes + LWS_PRE + n, data, data_size);
    frame->bytes[LWS_PRE + size - 1] = '}';
    frame->size = size;
    *s->out_end = frame;
    s->out_end = &frame->next;
    s->out_bytes += size;
    lws_callback_on_writable(s->wsi);
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
    memcpy(bytes + LWS_PRE + 2, words, n);
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
