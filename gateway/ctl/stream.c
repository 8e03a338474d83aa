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
    struct http_answer answer; /* of the running request; an error object goes to its body */
    char etag[128];            /* of the first answer */
    struct curl_slist *headers;
    bool running, paused, ended;
    bool broken; /* the running request ended before its end */
    bool begun;  /* the running request has given bytes */
    struct sw_buf held;
    size_t taken;      /* of held */
    uint64_t received; /* in all, held ones included: where a resumed request begins */
};

static bool is_wanted(const struct http_stream *stream)
{
    long status = 0;
    curl_easy_getinfo(stream->http->easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 206 || (status == 200 && (stream->received == 0 || stream->begun));
}

static size_t stream_take(char *p, size_t one, size_t n, void *arg)
{
    struct http_stream *stream = arg;
    (void)one;
    if (!is_wanted(stream)) {
        sw_buf_put(&stream->answer.body, p, n);
        return stream->answer.body.size > STREAM_HELD ? 0 : n;
    }
    if (stream->held.size - stream->taken >= STREAM_HELD) {
        stream->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (stream->taken == stream->held.size) {
        sw_buf_clear(&stream->held);
        stream->taken = 0;
    }
    sw_buf_put(&stream->held, p, n);
    stream->received += n;
    stream->begun = true;
    return n;
}

static bool stream_has_bytes(void *arg)
{
    struct http_stream *stream = arg;
    return stream->held.size > stream->taken;
}

static bool stream_has_begun(void *arg)
{
    struct http_stream *stream = arg;
    return stream->begun;
}

static void stream_stop(struct http_stream *stream)
{
    if (stream->running)
        http_stop(stream->http);
    stream->running = false;
    curl_slist_free_all(stream->headers);
    stream->headers = NULL;
}

/* What an answer without wanted bytes means: an empty result, a changed one, a refusal. */
static int stream_judge(struct http_stream *stream, struct sw_err *err)
{
    struct http_answer *answer = &stream->answer;
    curl_easy_getinfo(stream->http->easy, CURLINFO_RESPONSE_CODE, &answer->status);
    if (is_wanted(stream)) {
        if (!stream->etag[0])
            memcpy(stream->etag, answer->etag, sizeof stream->etag);
        http_progressed(stream->http);
        return 0;
    }
    if (answer->status == 200)
        return sw_fail(err, ESTALE, "the result changed while it was fetched; fetch it again");
    answer->json =
        json_loadb((const char *)answer->body.data, answer->body.size, JSON_ALLOW_NUL, NULL);
    http_refused(answer, err);
    if (!strcmp(answer->code, "cancelled"))
        return -CTL_ERR_CANCELLED;
    return http_is_busy(answer->status) ? -EAGAIN : -CTL_ERR_REFUSED;
}

/* Sends the request from `received` on and waits for its first bytes or its end. 0 with bytes or at
 * a proper end; -EAGAIN when it may be tried again. */
static int stream_start(struct http_stream *stream, struct sw_err *err)
{
    struct http *http = stream->http;
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
    http_prepare(http, "GET", stream->path, headers, NULL, &stream->answer, &stream->headers);
    curl_easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, stream_take);
    curl_easy_setopt(http->easy, CURLOPT_WRITEDATA, stream);
    curl_multi_add_handle(http->multi, http->easy);
    stream->running = true;
    stream->paused = stream->begun = false;
    int r = http_run(http, false, stream_has_begun, stream, &code);
    if (r < 0)
        return sw_fail(err, EINTR, "interrupted");
    http->contacted |= r == 1 || http_is_contact(code);
    http->answered |= r == 1;
    if (r == 0 && code && !stream->begun) {
        bool others = http_may_repeat(code) && http_follow(http);
        if (stream->answer.status == 0 && (!http_may_repeat(code) || (!http->contacted && !others)))
            return http_unreachable(http, err);
        if (http_may_repeat(code))
            return sw_fail(err, EAGAIN, "the connection broke: %s", http->words);
    }
    stream->ended = r == 0 && !code;
    stream->broken = r == 0 && code;
    int judged = stream_judge(stream, err);
    stream->ended &= judged == 0;
    return judged;
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
            return r == -EINTR ? sw_fail(err, EINTR, "interrupted")
                               : http_given_up(stream->http, &stream->answer, err);
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
    CURLcode code = CURLE_RECV_ERROR;
    int r = 0;
    if (stream->paused) {
        stream->paused = false;
        curl_easy_pause(stream->http->easy, CURLPAUSE_CONT); /* may call stream_take at once */
    }
    if (!stream->broken)
        r = http_run(stream->http, false, stream_has_bytes, stream, &code);
    if (r == 1)
        return 0;
    if (r < 0)
        return sw_fail(err, EINTR, "interrupted");
    if (stream_has_bytes(stream) && code) { /* they came with the end: first these */
        stream->broken = true;
        return http_may_repeat(code) ? 0 : http_unreachable(stream->http, err);
    }
    stream_stop(stream);
    stream->broken = false;
    stream->ended = !code;
    if (!code)
        return 0;
    return http_may_repeat(code) ? stream_begin(stream, err) : http_unreachable(stream->http, err);
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
