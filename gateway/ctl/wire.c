/* How a request travels: the curl handles, their settings, the loop that waits for them together
 * with the interrupt descriptor, so that Ctrl-C is felt at once and a download can be read as it
 * comes. Called by http.c and stream.c only; knows no meaning of an answer; says only that it
 * waits. */
#include "http_own.h"

#include "base/clock.h"
#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALL_MS   120000 /* the gateway may be making 64 MiB durable on a slow disk meanwhile */
#define SILENCE_MS 5000   /* then a patient verb says that it waits */

int http_open(const struct ctl *ctl, struct http **ret, struct sw_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return sw_fail(err, EIO, "libcurl does not start");
    struct http *http = sw_alloc(1, sizeof *http);
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    for (const char *rest = ctl->gateway; *rest && http->n_gateways < CTL_GATEWAYS_MAX;) {
        size_t size = strcspn(rest, ",");
        http->gateways[http->n_gateways++] = sw_copy_text(rest, size);
        rest += size + (rest[size] == ',');
    }
    http->base = http->gateways[0];
    if (ctl->ca_file)
        http->ca_file = sw_copy_text(ctl->ca_file, strlen(ctl->ca_file));
    if (ctl->ca_pem)
        http->ca_pem = sw_copy_text(ctl->ca_pem, strlen(ctl->ca_pem));
    http->unverified = ctl->unverified;
    if (ctl->token) {
        AUTO_BUF struct sw_buf line = {0};
        sw_buf_printf(&line, "Authorization: Bearer %s", ctl->token);
        http->bearer = sw_buf_take_text(&line);
    }
    http->worked_ms = sw_boot_ms();
    http->patience_ms = HTTP_BRIEF_MS;
    if (!http->easy || !http->multi) {
        http_destroy(&http);
        return sw_fail(err, EIO, "libcurl does not start");
    }
    *ret = http;
    return 0;
}

void http_destroy(struct http **p)
{
    struct http *http = TAKE(*p);
    if (!http)
        return;
    curl_multi_cleanup(http->multi);
    curl_easy_cleanup(http->easy);
    for (size_t i = 0; i < http->n_gateways; i++)
        sw_release(http->gateways[i]);
    sw_release(http->ca_file);
    sw_release(http->ca_pem);
    sw_release(http->bearer);
    sw_release(http);
}

const char *http_trust_fix(const struct http *http)
{
    return trust_fix(http->trust);
}

bool http_follow(struct http *http)
{
    http->at = (http->at + 1) % http->n_gateways;
    http->base = http->gateways[http->at];
    return ++http->failed % http->n_gateways != 0;
}

bool http_find(struct http *http, int64_t ms, struct sw_buf *ret_words)
{
    int64_t end_ms = sw_boot_ms() + ms;
    for (size_t left = http->n_gateways; left; left--) {
        AUTO_ANSWER struct http_answer answer = {0};
        struct sw_err err = {0};
        struct http_request request = {.method = "GET", .path = "/healthz", .once = true};
        const char *base = http->base;
        http_deadline(http, SW_MAX(end_ms - sw_boot_ms(), (int64_t)0) / (int64_t)left);
        (void)http_call(http, &request, &answer, &err); /* 503 is an answer */
        if (http->n_gateways > 1)
            sw_buf_printf(ret_words, "%s%s: ", ret_words->size ? "; " : "", base);
        if (answer.status)
            sw_buf_printf(ret_words, "answers");
        else
            sw_buf_printf(ret_words, "%s", http->n_gateways > 1 ? http->words : err.text);
        if (answer.status || interrupted())
            return answer.status != 0;
        if (http->base == base)
            http_follow(http); /* it stands still */
    }
    return false;
}

static bool header_is(const char *line, size_t n, const char *name, const char **ret_value)
{
    size_t size = strlen(name);
    if (n <= size || strncasecmp(line, name, size) != 0 || line[size] != ':')
        return false;
    for (size++; size < n && line[size] == ' ';)
        size++;
    *ret_value = line + size;
    return true;
}

/* What does not fit is cut: it is used as given or not at all. */
static void put_text(char *to, size_t room, const char *value)
{
    size_t size = strnlen(value, room - 1);
    memcpy(to, value, size);
    to[size] = 0;
}

static size_t take_header(char *line, size_t one, size_t n, void *arg)
{
    struct http_answer *answer = arg;
    char text[512]; /* curl's lines are not terminated */
    size_t size = SW_MIN(n, sizeof text - 1);
    const char *value;
    (void)one;
    memcpy(text, line, size);
    text[size] = 0;
    text[strcspn(text, "\r\n")] = 0;
    if (!strncmp(text, "HTTP/", 5)) /* after a 100 the real answer begins */
        answer->upload_offset = -1;
    else if (header_is(text, size, "location", &value))
        put_text(answer->location, sizeof answer->location, value);
    else if (header_is(text, size, "etag", &value))
        put_text(answer->etag, sizeof answer->etag, value);
    else if (header_is(text, size, "upload-offset", &value))
        answer->upload_offset = strtoll(value, NULL, 10);
    else if (header_is(text, size, "retry-after", &value))
        answer->retry_after_s = strtoll(value, NULL, 10);
    return n;
}

void http_prepare(struct http *http,
                  const char *method,
                  const char *path,
                  const char *const *headers,
                  const char *type,
                  struct http_answer *answer,
                  struct curl_slist **ret_headers)
{
    AUTO_BUF struct sw_buf url = {0};
    AUTO_BUF struct sw_buf line = {0};
    struct curl_slist *list = NULL;
    CURL *easy = http->easy;

    curl_easy_reset(easy); /* keeps the connection */
    http->words[0] = 0;
    sw_buf_printf(&url, "%s%s", http->base, path);
    sw_buf_printf(&line, "Content-Type: %s", type ? type : "");
    list = curl_slist_append(list, type ? (const char *)line.data : "Content-Type:");
    list =
        curl_slist_append(list, "Expect:"); /* a creation has told the size: no need to ask twice */
    if (http->bearer)
        list = curl_slist_append(list, http->bearer);
    for (size_t i = 0; headers && headers[i]; i++)
        list = curl_slist_append(list, headers[i]);
    curl_easy_setopt(easy, CURLOPT_URL, (const char *)url.data); /* copied */
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "shadowctl/" SHADOW_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* A proxy from the environment would be handed the token, and cannot reach loopback anyway. */
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->words);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_BRIEF_MS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    bool is_brief = http->patience_ms == HTTP_BRIEF_MS;
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (is_brief ? HTTP_BRIEF_MS : STALL_MS) / 1000L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
    if (http->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    struct curl_blob pem = {http->ca_pem, http->ca_pem ? strlen(http->ca_pem) : 0, CURL_BLOB_COPY};
    if (http->ca_pem)
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem);
    if (http->unverified) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    *ret_headers = list;
}

int64_t http_left_ms(struct http *http)
{
    int64_t now_ms = sw_boot_ms();
    if (interrupted() && !http->interrupted) {
        http->interrupted = true;
        http->end_ms = now_ms + HTTP_LAST_MS;
    }
    return http->end_ms ? SW_MAX(http->end_ms - now_ms, (int64_t)0) : INT64_MAX;
}

/* curl's words for some ends say nothing of what to do. */
static void word_end(struct http *http, CURLcode code)
{
    double connected = 0;
    long number = 0;
    curl_easy_getinfo(http->easy, CURLINFO_CONNECT_TIME, &connected);
    curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &number);
    http->trust = trust_judge(http->easy, code, http->ca_file || http->ca_pem, http->words,
                              sizeof http->words);
    if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(http->words, sizeof http->words, "%s",
                 http->contacted || connected > 0 ? HTTP_NO_ANSWER : "nobody answers there");
    else if (code == CURLE_COULDNT_CONNECT && number)
        snprintf(http->words, sizeof http->words, "%s", strerror((int)number));
    else if (code == CURLE_SSL_CONNECT_ERROR)
        snprintf(http->words, sizeof http->words, "no https there; is http:// meant?");
    else if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        snprintf(http->words, sizeof http->words, "what answers there speaks no HTTP");
    else if (!http->answered && (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR))
        snprintf(http->words, sizeof http->words, "it hangs up; is that a gateway's port?");
}

/* Says once that a patient verb waits for a transfer in which nothing moves. */
static void watch_silence(struct http *http, curl_off_t *moved, int64_t *moved_ms)
{
    curl_off_t up = 0, down = 0;
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    if (up + down != *moved) {
        *moved = up + down;
        *moved_ms = sw_boot_ms();
    }
    if (http->told || http->patience_ms == HTTP_BRIEF_MS || sw_boot_ms() - *moved_ms < SILENCE_MS)
        return;
    say("the gateway %s does not answer; waiting for it", http->base);
    http->told = true;
}

int http_run(struct http *http, bool steady, bool (*enough)(void *), void *arg, CURLcode *ret_code)
{
    struct curl_waitfd interrupt = {.fd = interrupt_fd(), .events = CURL_WAIT_POLLIN};
    curl_off_t moved = 0;
    int64_t moved_ms = sw_boot_ms();
    for (;;) {
        int running = 0, left = 0;
        curl_multi_perform(http->multi, &running);
        for (CURLMsg *msg; (msg = curl_multi_info_read(http->multi, &left));)
            if (msg->msg == CURLMSG_DONE) {
                *ret_code = msg->data.result;
                word_end(http, *ret_code);
                return 0;
            }
        if (enough && enough(arg))
            return 1;
        if (!steady && interrupted())
            return -EINTR;
        int64_t left_ms = http_left_ms(http);
        if (!left_ms) {
            *ret_code = CURLE_OPERATION_TIMEDOUT;
            word_end(http, *ret_code);
            return 0;
        }
        watch_silence(http, &moved, &moved_ms);
        /* Once interrupted the descriptor stays readable. */
        curl_multi_poll(http->multi, &interrupt, interrupted() ? 0 : 1,
                        (int)SW_MIN(left_ms, (int64_t)1000), NULL);
    }
}

void http_stop(struct http *http)
{
    curl_multi_remove_handle(http->multi, http->easy);
}

bool http_may_repeat(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_SEND_ERROR ||
           code == CURLE_RECV_ERROR || code == CURLE_OPERATION_TIMEDOUT ||
           code == CURLE_SEND_FAIL_REWIND;
}

bool http_is_contact(CURLcode code)
{
    return code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
           code != CURLE_OPERATION_TIMEDOUT && code != CURLE_SSL_CONNECT_ERROR;
}

bool http_is_busy(long status)
{
    return status == 503 || status == 429 || status == 502 || status == 504;
}
