/* The one connection to the gateway: requests, uploads from a source, downloads that resume.
 *
 * One request at a time. What can be repeated safely is repeated over a lost connection and over
 * 503, with growing pauses, until nothing has worked for a few seconds, or for a minute once a verb
 * has said that it waits. A gateway that never answered is given up at once, so that a wrong
 * address says so without delay. */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_BRIEF_MS   5000  /* of a verb with one question: a person looks at it */
#define HTTP_PATIENT_MS 60000 /* a broker or gateway that is restarted is back long before */
#define HTTP_BODY_MAX                                                                              \
    ((size_t)256 << 20) /* an answer held in memory: a page of a large job's files */

#define HTTP_LAST_MS 1600 /* after Ctrl-C: what a person waits for without pressing it again */

struct ctl;
struct http;

int http_open(const struct ctl *ctl, struct http **ret, struct sw_err *err);
void http_destroy(struct http **p);

/* The gateway that answered last: "http://HOST:PORT". */
const char *http_base(const struct http *http);

/* From here on the verb follows work: it waits for HTTP_PATIENT_MS, and says so once. */
void http_be_patient(struct http *http);
/* Nothing goes on longer than `ms` from now, and no words advise `shadowctl doctor`. */
void http_deadline(struct http *http, int64_t ms);

/* Asks the list's gateways in turn, each for its share of what is left of `ms`, until one answers.
 * ret_words: what became of each. */
bool http_find(struct http *http, int64_t ms, struct sw_buf *ret_words);

/* Bytes to send, readable again at any offset: a broken upload goes on where the server is. */
struct http_source {
    uint64_t size;
    /* Bytes read, never 0 before `size`; -errno gives the request up. */
    ssize_t (*read)(void *arg, void *p, size_t n, uint64_t offset);
    void *arg;
};

struct http_request {
    const char *method;
    const char *path; /* "/api/jobs?limit=5" */
    const char *type; /* of the body; NULL: none */
    const void *body;
    size_t body_size;
    const struct http_source
        *source; /* instead of body: [source_offset, source_offset + source_size) */
    uint64_t source_offset, source_size;
    const char *headers[6]; /* "Name: value", NULL-terminated */
    bool once;              /* -EAGAIN instead of repeating it here */
    bool steady;            /* Ctrl-C leaves it HTTP_LAST_MS instead of breaking it off */
};

/* What mends a certificate that was no good at the last transfer; "" when it was. */
const char *http_trust_fix(const struct http *http);

struct http_answer {
    long status; /* 0: none came */
    struct sw_buf body;
    json_t *json;  /* owned; NULL when the body is none */
    char code[32]; /* of an error object: "not_found" */
    char location[256], etag[128];
    int64_t upload_offset; /* -1: not said */
    int64_t retry_after_s;
};
void http_answer_done(struct http_answer *answer);
#define AUTO_ANSWER __attribute__((cleanup(http_answer_done)))

/* 0 for 2xx. -ENOTCONN: no connection or 503 and patience over. -EPERM: refused, with the gateway's
 * words.
 * -EAGAIN: a `once` request met a lost connection or 503. -EINTR: Ctrl-C. Else the source's error.
 */
int http_call(struct http *http,
              const struct http_request *request,
              struct http_answer *ret,
              struct sw_err *err);

int http_get(struct http *http, const char *path, struct http_answer *ret, struct sw_err *err);
/* A POST, PATCH or DELETE that may be repeated; body may be NULL. */
int http_json(struct http *http,
              const char *method,
              const char *path,
              const json_t *body,
              struct http_answer *ret,
              struct sw_err *err);

/* The pause before try number `attempt` (from 1): grows to 2 s, or what the answer asked for.
 * -EINTR; -ENOTCONN once patience is over. `answer` may be NULL. */
int http_pause(struct http *http, uint32_t attempt, const struct http_answer *answer, bool steady);
void http_progressed(struct http *http); /* something worked: patience starts anew */
/* Words for a request whose patience is over; `answer` is the last one. -ENOTCONN or -EPERM. */
int http_given_up(struct http *http, struct http_answer *answer, struct sw_err *err);

/* Appends `text` percent-encoded; `size` bytes, any. */
void http_escape(struct sw_buf *buf, const char *text, size_t size);

/* ---- stream.c: a download read as it comes; resumes by Range under the same ETag ---- */

struct http_stream;
int http_stream_open(struct http *http,
                     const char *path,
                     struct http_stream **ret,
                     struct sw_err *err);
/* Up to n bytes; 0 at the end; -errno with words. */
ssize_t http_stream_read(struct http_stream *stream, void *p, size_t n, struct sw_err *err);
void http_stream_destroy(struct http_stream **p);

#endif
