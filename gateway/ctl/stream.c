/* A download read as it comes, pulled by the caller, at most STREAM_HELD bytes ahead. A broken
 * connection is taken up again by Range, under If-Range with the first answer's ETag, so that bytes
 * of two results are never mixed. Uses the http handle alone while it is open. Called by fetch.c;
 * never prints. */
#include "http_own.h"

#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STREAM_HELD ((size_t)1 << 20)

struct http_stream {
    struct http *http;
    char *path;
    struct http_answer answer; /* of the running request */
    char etag[128];            /* of the first answer */
    struct curl_slist *headers;
    bool running, paused, ended;
    struct sw_buf held;
    size_t taken;      /* of held */
    uint64_t received; /* in all; where a resumed request begins */
};

static size_t stream_take(char *p, size_t one, size_t n, void *arg)
{
    struct http_stream *stream = arg;
    (void)one;
    if (stream->held.size - stream->taken >= STREAM_HELD) {
        stream->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (stream->taken == stream->held.size) {
        sw_buf_clear(&stream->held);
        stream->taken = 0;
    }
    sw_buf_put(&stream->held, p, n);
    return n;
}

static bool stream_has_bytes(void *arg)
{
    struct http_stream *stream = arg;
    return stream->held.size > stream->taken;
}

static void stream_stop(struct http_stream *stream)
{
    if (stream->running)
        http_stop(stream->http);
    stream->running = false;
    curl_slist_free_all(stream->headers);
    stream->headers = NULL;
}

/* Whether the answer that has begun is the one wanted; its error object is still to be read if not.
 */
static int stream_check(struct http_stream *stream, struct sw_err *err)
{
    struct http_answer *answer = &stream->answer;
    curl_easy_getinfo(stream->http->easy, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->status == 206 || (answer->status == 200 && stream->received == 0)) {
        if (!stream->etag[0])
            memcpy(stream->etag, answer->etag, sizeof stream->etag);
        http_progressed(stream->http);
        return 0;
    }
    if (answer->status == 200)
        return sw_fail(err, ESTALE, "the result changed while it was fetched; fetch it again");
    return -EAGAIN; /* an error object: read on */
}

/* Sends the request from `received` on and waits for its first bytes or its end. 0 with bytes or at
 * a proper end; -EAGAIN when it may be tried again. */
static int stream_start(struct http_stream *stream, struct sw_err *err)
{
    char range[64], if_range[160];
    const char *headers[3] = {NULL};
    CURLcode code = CURLE_OK;

    if (stream->received) {
        snprintf(range, sizeof range, "Range: bytes=%ju-", (uintmax_t)stream->received);
        snprintf(if_range, sizeof if_range, "If-Range: %s", stream->etag);
        headers[0] = range;
        headers[1] = stream->etag[0] ? if_range : NULL;
    }
    http_answer_done(&stream->answer);
    http_prepare(stream->http, "GET", stream->path, headers, NULL, &stream->answer,
                 &stream->headers);
    curl_easy_setopt(stream->http->easy, CURLOPT_WRITEFUNCTION, stream_take);
    curl_easy_setopt(stream->http->easy, CURLOPT_WRITEDATA, stream);
    curl_multi_add_handle(stream->http->multi, stream->http->easy);
    stream->running = true;
    stream->paused = false;
    int r = http_run(stream->http, false, stream_has_bytes, stream, &code);
    if (r < 0)
        return sw_fail(err, EINTR, "interrupted");
    stream->http->contacted |= r == 1 || http_is_contact(code);
    if (r == 0 && code) {
        if (!http_may_repeat(code) || !stream->http->contacted)
            return http_unreachable(stream->http, err);
        return sw_fail(err, EAGAIN, "the connection broke: %s", stream->http->words);
    }
    int checked = stream_check(stream, err);
    if (checked == 0)
        stream->ended = r == 0;
    if (checked != -EAGAIN)
        return checked;
    if (r == 1) /* the rest of the error object */
        http_run(stream->http, false, NULL, NULL, &code);
    stream->answer.json = json_loadb((const char *)stream->held.data, stream->held.size, 0, NULL);
    sw_buf_clear(&stream->held);
    http_refused(&stream->answer, err);
    if (!strcmp(stream->answer.code, "cancelled"))
        return -CTL_ERR_CANCELLED;
    return http_is_busy(stream->answer.status) ? -EAGAIN : -CTL_ERR_REFUSED;
}

/* stream_start until it works or patience is over. */
static int stream_begin(struct http_stream *stream, struct sw_err *err)
{
    for (uint32_t attempt = 1;; attempt++) {
        int r = stream_start(stream, err);
        if (r == 0)
            return 0;
        stream_stop(stream);
        if (r != -EAGAIN)
            return r;
        r = http_pause(stream->http, attempt, &stream->answer, false);
        if (r)
            return r == -EINTR ? sw_fail(err, EINTR, "interrupted") : -CTL_ERR_UNREACHABLE;
    }
}

int http_stream_open(struct http *http,
                     const char *path,
                     struct http_stream **ret,
                     struct sw_err *err)
{
    struct http_stream *stream = sw_alloc(1, sizeof *stream);
    stream->http = http;
    stream->path = sw_copy_text(path, strlen(path));
    int r = stream_begin(stream, err);
    if (r) {
        http_stream_destroy(&stream);
        return r;
    }
    *ret = stream;
    return 0;
}

/* Waits until bytes are held or the answer has ended; takes a broken one up again. */
static int stream_fill(struct http_stream *stream, struct sw_err *err)
{
    CURLcode code = CURLE_OK;
    if (stream->paused) {
        stream->paused = false;
        curl_easy_pause(stream->http->easy, CURLPAUSE_CONT); /* may call stream_take at once */
        if (stream_has_bytes(stream))
            return 0;
    }
    int r = http_run(stream->http, false, stream_has_bytes, stream, &code);
    if (r == 1)
        return 0;
    if (r < 0)
        return sw_fail(err, EINTR, "interrupted");
    stream_stop(stream);
    if (!code) {
        stream->ended = true;
        return 0;
    }
    if (!http_may_repeat(code))
        return http_unreachable(stream->http, err);
    return stream_begin(stream, err);
}

ssize_t http_stream_read(struct http_stream *stream, void *p, size_t n, struct sw_err *err)
{
    while (!stream_has_bytes(stream)) {
        if (stream->ended)
            return 0;
        int r = stream_fill(stream, err);
        if (r)
            return r;
    }
    n = SW_MIN(n, stream->held.size - stream->taken);
    memcpy(p, stream->held.data + stream->taken, n);
    stream->taken += n;
    stream->received += n;
    return (ssize_t)n;
}

void http_stream_destroy(struct http_stream **p)
{
    struct http_stream *stream = TAKE(*p);
    if (!stream)
        return;
    stream_stop(stream);
    http_answer_done(&stream->answer);
    sw_buf_done(&stream->held);
    sw_release(stream->path);
    sw_release(stream);
}
