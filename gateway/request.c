/* Owns the life of a request between libmicrohttpd's callbacks and the handlers' answers. Called by
 * libmicrohttpd alone, and by handlers through hold, suspend and resume; decides nothing of the
 * content.
 *
 * libmicrohttpd calls request_handle: once when the head is there, then with pieces of the body,
 * then once with none: only then may an answer be queued, save in the first call, which ends the
 * connection. A suspended connection is called again in the same place after its resumption. */
#include "request.h"

#include "base/clock.h"
#include "base/own.h"
#include "reply.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

struct kept {
    void *p;
    void (*done)(void *p);
    struct kept *next;
};

void request_keep(struct request *r, void *p, void (*done)(void *p))
{
    struct kept *kept = sw_alloc(1, sizeof *kept);
    *kept = (struct kept){.p = p, .done = done, .next = r->kept};
    r->kept = kept;
}

void request_hold(struct request *r)
{
    r->references++;
}

void request_release(struct request *r)
{
    assert(r->references > 0);
    if (--r->references)
        return;
    for (struct kept *kept; (kept = r->kept);) {
        r->kept = kept->next;
        kept->done(kept->p);
        sw_release(kept);
    }
    if (r->reply)
        MHD_destroy_response(r->reply);
    json_decref(r->json);
    r->gateway->body_bytes -= r->body.size;
    r->gateway->requests--;
    sw_buf_done(&r->body);
    sw_buf_done(&r->error_text);
    sw_release(r->path);
    sw_release(r);
}

void request_suspend(struct request *r)
{
    if (r->suspended || !r->connection)
        return;
    r->suspended = r->paused = true;
    MHD_suspend_connection(r->connection);
}

void request_resume(struct request *r)
{
    if (!r->suspended || !r->connection)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    door_kick(r->gateway);
}

enum visitor_phase request_phase(const struct request *r)
{
    if (!r->head_seen)
        return VISITOR_HEAD;
    if (r->suspended)
        return VISITOR_WORK;
    return r->queued ? VISITOR_SEND : VISITOR_BODY;
}

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *request_query(const struct request *r, const char *name, size_t *ret_size)
{
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                      &value, &size) != MHD_YES)
        return NULL;
    if (ret_size)
        *ret_size = value ? size : 0;
    return value ? value : "";
}

void *request_begin(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct gateway *g = arg;
    struct request *r = sw_alloc(1, sizeof *r);
    r->gateway = g;
    r->connection = connection;
    r->visitor =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->visitor->request = r;
    r->references = 1;
    r->path = sw_copy_text(uri ? uri : "", uri ? strlen(uri) : 0);
    g->requests++;
    metric_add(g, METRIC_REQUESTS, 1);
    return r;
}

void request_completed(void *ignored,
                       struct MHD_Connection *connection,
                       void **context,
                       enum MHD_RequestTerminationCode code)
{
    struct request *r = *context;
    (void)ignored, (void)connection, (void)code;
    if (!r)
        return;
    if (r->visitor) {
        r->visitor->request = NULL;
        watch_idle(r->visitor, sw_boot_ms());
    }
    r->connection = NULL;
    r->visitor = NULL;
    *context = NULL;
    if (r->reply) /* it may hold the request */
        MHD_destroy_response(TAKE(r->reply));
    request_release(r);
}

static enum MHD_Result queue_reply(struct request *r)
{
    struct MHD_Response *reply = TAKE(r->reply);
    unsigned status = r->status;
    metric_add(r->gateway,
               status < 400   ? METRIC_ANSWERS_2XX
               : status < 500 ? METRIC_ANSWERS_4XX
                              : METRIC_ANSWERS_5XX,
               1);
    if (r->gateway->stopping || r->last_one)
        MHD_add_response_header(reply, "Connection", "close");
    r->queued = true;
    enum MHD_Result result = MHD_queue_response(r->connection, status, reply);
    MHD_destroy_response(reply);
    return result;
}

/* The head is there. A refusal of a request with a small body waits for the body, so that the
 * connection lives on; a large one is refused before it is sent. */
static enum MHD_Result on_head(struct request *r, const char *url, const char *method)
{
    if (!r->head_seen && head_check(r, url, method) && r->route->begin)
        r->route->begin(r);
    r->head_seen = true;
    r->head_waits = r->paused;
    if (!r->reply)
        return MHD_YES;
    r->refused = true;
    if (!r->last_one && r->body_length <= IGNORED_BODY_MAX && !request_header(r, "Expect"))
        return MHD_YES;
    return queue_reply(r);
}

/* libmicrohttpd cannot queue an answer before the body ends, and a client that is sending should
 * hear at once why it is refused: the answer is written past libmicrohttpd, the rest of the body
 * dropped for a while so that the client gets to read it. */
#define DROP_MS 5000

static void write_raw(struct request *r)
{
    AUTO_BUF struct sw_buf text = {0};
    sw_buf_printf(&text,
                  "HTTP/1.1 %u Refused\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                  r->status, r->error_text.size);
    sw_buf_put(&text, r->error_text.data, r->error_text.size);
    ssize_t ignored = send(r->visitor->fd, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored; /* one that does not read its answer does without */
    shutdown(r->visitor->fd, SHUT_WR);
}

static enum MHD_Result drop_piece(struct request *r)
{
    int64_t now_ms = sw_boot_ms();
    if (!r->dropping) {
        r->dropping = true;
        r->dropping_ms = now_ms;
        write_raw(r);
    }
    return now_ms - r->dropping_ms > DROP_MS ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_piece(struct request *r, const char *data, size_t *size)
{
    struct gateway *g = r->gateway;
    size_t n = *size;
    *size = 0;
    if (r->refused && !r->dropping && r->body_length <= IGNORED_BODY_MAX)
        return MHD_YES; /* answered when it ends */
    if (r->reply || r->dropping)
        return drop_piece(r);
    if (r->streams) {
        r->route->piece(r, data, n);
        return MHD_YES;
    }
    if (r->route->body == BODY_NONE) {
        r->ignored_bytes += n;
        if (r->ignored_bytes > IGNORED_BODY_MAX)
            reply_error(r, REPLY_TOO_LARGE, "no body is expected here");
    } else if (r->body.size + n > JSON_BODY_MAX) {
        reply_error(r, REPLY_TOO_LARGE, "a JSON body may have at most %zu bytes", JSON_BODY_MAX);
    } else if (g->body_bytes + n > JSON_ALL_MAX) {
        reply_error(r, REPLY_BUSY, "too many requests with large bodies at once");
    } else {
        sw_buf_put(&r->body, data, n);
        g->body_bytes += n;
    }
    return r->reply ? drop_piece(r) : MHD_YES;
}

/* The whole request is there, or its answer has come meanwhile. */
static enum MHD_Result on_end(struct request *r)
{
    if (r->dropping)
        return MHD_NO;
    if (!r->reply && !r->started) {
        r->started = true;
        if (r->streams || r->route->body == BODY_NONE)
            r->route->handle(r);
        else
            body_handle(r);
    }
    if (r->reply)
        return queue_reply(r);
    request_suspend(r);
    return MHD_YES;
}

enum MHD_Result request_handle(void *arg,
                               struct MHD_Connection *connection,
                               const char *url,
                               const char *method,
                               const char *version,
                               const char *data,
                               size_t *data_size,
                               void **context)
{
    struct request *r = *context;
    (void)arg, (void)connection, (void)version;
    if (!r || r->queued)
        return MHD_NO; /* no memory for its line; or more of what was refused */
    r->paused = false;
    request_hold(r); /* a handler may end all that held it */
    enum MHD_Result result = !r->head_seen || r->head_waits ? on_head(r, url, method)
                             : *data_size                   ? on_piece(r, data, data_size)
                                                            : on_end(r);
    request_release(r);
    return result;
}
