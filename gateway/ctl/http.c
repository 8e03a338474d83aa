/* One request to the gateway and its answer, repeated where that is safe. Called by every verb;
 * says only, once, that it waits. */
#include "http_own.h"

#include "base/clock.h"
#include "ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_FIRST_MS 100
#define PAUSE_LAST_MS  2000
#define TELL_MS        2000 /* a person wonders by then */
#define STRANGER_MS    2000 /* for what hangs up before it ever answered: perhaps no gateway */
#define SMALL_BYTES    ((uint64_t)1 << 20)
#define SMALL_STALL_S                                                                              \
    20L /* for the answer to a small request of a patient verb: it is repeated                     \
         */

struct feed { /* what curl reads while it sends */
    const struct http_request *request;
    uint64_t sent;
    int failed; /* -errno of the source */
};

void http_answer_done(struct http_answer *answer)
{
    sw_buf_done(&answer->body);
    json_decref(answer->json);
    *answer = (struct http_answer){.upload_offset = -1};
}

static size_t take_body(char *p, size_t one, size_t n, void *arg)
{
    struct http_answer *answer = arg;
    (void)one;
    if (n > HTTP_BODY_MAX - answer->body.size)
        return 0;
    sw_buf_put(&answer->body, p, n);
    return n;
}

static size_t give_body(char *p, size_t one, size_t n, void *arg)
{
    struct feed *feed = arg;
    const struct http_request *request = feed->request;
    n = (size_t)SW_MIN((uint64_t)n * one, request->source_size - feed->sent);
    if (!n)
        return 0;
    const struct http_source *source = request->source;
    ssize_t got = source->read(source->arg, p, n, request->source_offset + feed->sent);
    if (got <= 0) {
        feed->failed = got ? (int)got : -ENODATA;
        return CURL_READFUNC_ABORT;
    }
    feed->sent += (uint64_t)got;
    return (size_t)got;
}

static const char *message_of(const struct http_answer *answer)
{
    return show_text(json_object_get(answer->json, "error"), "message");
}

int http_refused(struct http_answer *answer, struct sw_err *err)
{
    const char *message = message_of(answer);
    snprintf(answer->code, sizeof answer->code, "%s",
             show_text(json_object_get(answer->json, "error"), "code"));
    say_json_code(answer->code);
    if (message[0])
        return sw_fail(err, CTL_ERR_REFUSED, "%s", text_short(message, CTL_MESSAGE_BYTES).text);
    if (answer->status == 308)
        return sw_fail(err, CTL_ERR_REFUSED,
                       "the gateway speaks TLS only: say https:// in its address, after "
                       "`shadowctl login`");
    return sw_fail(err, CTL_ERR_REFUSED, "the gateway answered with status %ld", answer->status);
}

static const char *hint(const struct http *http)
{
    return http->end_ms ? "" : " (see `shadowctl doctor`)";
}

int http_unreachable(struct http *http, struct sw_err *err)
{
    if (!strcmp(http->words, HTTP_NO_ANSWER)) /* somebody is there, so perhaps the next is not */
        return sw_fail(err, CTL_ERR_UNREACHABLE,
                       "the gateway %s gives no answer in time: it or its broker is away%s",
                       text_short(http->base, 34).text, hint(http));
    if (http->n_gateways > 1)
        return sw_fail(err, CTL_ERR_UNREACHABLE, "none of %zu gateways can be reached: %s%s",
                       http->n_gateways,
                       http->words[0] ? text_short(http->words, 64).text : "no answer", hint(http));
    return sw_fail(err, CTL_ERR_UNREACHABLE, "the gateway %s cannot be reached: %s%s",
                   text_short(http->base, 34).text,
                   http->words[0] ? text_short(http->words, 64).text : "no answer", hint(http));
}

int http_given_up(struct http *http, struct http_answer *answer, struct sw_err *err)
{
    if (!http_is_busy(answer->status))
        return http_unreachable(http, err);
    http_refused(answer, err);
    bool is_busy = answer->status == 429 || !strcmp(answer->code, "busy");
    const char *message = message_of(answer);
    if (is_busy || !message[0])
        return is_busy ? -CTL_ERR_REFUSED : -CTL_ERR_UNREACHABLE;
    return sw_fail(err, CTL_ERR_UNREACHABLE, "%s%s", text_short(message, 120).text, hint(http));
}

static int http_once(struct http *http,
                     const struct http_request *request,
                     struct http_answer *ret,
                     CURLcode *ret_code)
{
    struct feed feed = {.request = request};
    struct curl_slist *headers = NULL;
    CURL *easy = http->easy;

    http_answer_done(ret);
    http_prepare(http, request->method, request->path, request->headers, request->type, ret,
                 &headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, ret);
    if (!strcmp(request->method, "HEAD"))
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request->source) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(easy, CURLOPT_READDATA, &feed);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->source_size);
    } else if (request->body || !strcmp(request->method, "POST")) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    if (http->patience_ms != HTTP_BRIEF_MS && request->source_size <= SMALL_BYTES)
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SMALL_STALL_S);
    curl_multi_add_handle(http->multi, easy);
    int r = http_run(http, request->steady, NULL, NULL, ret_code);
    http_stop(http);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
    http->answered |= ret->status != 0;
    curl_slist_free_all(headers);
    if (!r && feed.failed)
        return feed.failed;
    if (ret->body.size && (ret->body.data[0] == '{' || ret->body.data[0] == '['))
        ret->json = json_loadb((const char *)ret->body.data, ret->body.size, JSON_ALLOW_NUL, NULL);
    return r;
}

int http_call(struct http *http,
              const struct http_request *request,
              struct http_answer *ret,
              struct sw_err *err)
{
    for (uint32_t attempt = 1;;) {
        CURLcode code = CURLE_OK;
        int r = http_once(http, request, ret, &code);
        if (r == -EINTR)
            return sw_fail(err, EINTR, "interrupted");
        if (r)
            return r;
        if (code && !http_may_repeat(code))
            return http_unreachable(http, err);
        http->contacted |= http_is_contact(code);
        if (!code && !http_is_busy(ret->status)) {
            http_progressed(http);
            return ret->status / 100 == 2 ? 0 : http_refused(ret, err);
        }
        bool others = code && http_follow(http);
        if (others && !request->once)
            continue;
        if (!http->contacted && !others)
            return http_unreachable(http, err);
        if (request->once)
            return code ? sw_fail(err, EAGAIN, "the connection broke: %s", http->words)
                        : (http_refused(ret, err), -EAGAIN);
        r = http_pause(http, attempt++, ret, request->steady);
        if (r == -EINTR)
            return sw_fail(err, EINTR, "interrupted");
        if (r)
            return http_given_up(http, ret, err);
    }
}

void http_progressed(struct http *http)
{
    http->told = false;
    http->failed = 0;
    http->worked_ms = sw_boot_ms();
}

const char *http_base(const struct http *http)
{
    return http->base;
}

void http_be_patient(struct http *http)
{
    http->patience_ms = HTTP_PATIENT_MS;
    http_progressed(http);
}

void http_deadline(struct http *http, int64_t ms)
{
    http->end_ms = sw_boot_ms() + ms;
}

static void tell(struct http *http, const struct http_answer *answer)
{
    const char *message = answer ? message_of(answer) : "";
    http->told = true;
    if (message[0])
        say("%s; trying again for up to %d s", message, HTTP_PATIENT_MS / 1000);
    else
        say("the gateway %s is away; trying again for up to %d s", http->base,
            HTTP_PATIENT_MS / 1000);
}

int http_pause(struct http *http, uint32_t attempt, const struct http_answer *answer, bool steady)
{
    int64_t now_ms = sw_boot_ms();
    if (attempt == 1 && http->patience_ms == HTTP_PATIENT_MS)
        http->worked_ms = now_ms; /* so far the transfer may have moved for longer than that */
    int64_t patience_ms = http->answered ? http->patience_ms : STRANGER_MS;
    int64_t left_ms = SW_MIN(http->worked_ms + patience_ms - now_ms, http_left_ms(http));
    int64_t pause_ms = (int64_t)PAUSE_FIRST_MS << SW_MIN(attempt - 1, 5u);
    if (answer && answer->retry_after_s > 0)
        pause_ms = answer->retry_after_s * 1000;
    pause_ms = SW_MIN(SW_MIN(pause_ms, (int64_t)PAUSE_LAST_MS), left_ms);
    if (left_ms <= 0)
        return -ENOTCONN;
    if (now_ms - http->worked_ms >= TELL_MS && !http->told && patience_ms == HTTP_PATIENT_MS)
        tell(http, answer);
    if (!steady)
        return interrupt_wait((int)pause_ms);
    poll(NULL, 0, (int)pause_ms);
    return 0;
}

int http_get(struct http *http, const char *path, struct http_answer *ret, struct sw_err *err)
{
    struct http_request request = {.method = "GET", .path = path};
    return http_call(http, &request, ret, err);
}

int http_json(struct http *http,
              const char *method,
              const char *path,
              const json_t *body,
              struct http_answer *ret,
              struct sw_err *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct http_request request = {.method = method,
                                   .path = path,
                                   .type = text ? "application/json" : NULL,
                                   .body = text,
                                   .body_size = text ? strlen(text) : 0};
    int r = http_call(http, &request, ret, err);
    free(text);
    return r;
}

void http_escape(struct sw_buf *buf, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            sw_buf_put(buf, &text[i], 1);
        else
            sw_buf_printf(buf, "%%%02X", c);
    }
}
