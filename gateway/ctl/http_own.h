/* What http.c and stream.c share; nobody else includes it. */
#ifndef CTL_HTTP_OWN_H
#define CTL_HTTP_OWN_H

#include "ctl.h"
#include "http.h"
#include "trust.h"

#include <curl/curl.h>

struct http {
    CURL *easy;
    CURLM *multi;
    char *gateways[CTL_GATEWAYS_MAX];
    size_t n_gateways, at;
    uint32_t failed;  /* gateways that did, since something worked */
    const char *base; /* gateways[at] */
    char *ca_file, *ca_pem;
    bool unverified;
    enum trust trust;  /* of the last transfer */
    char *bearer;      /* "Authorization: Bearer ..."; NULL: no token */
    bool contacted;    /* somebody was there */
    bool answered;     /* and spoke HTTP */
    bool told;         /* that it is waited for */
    int64_t worked_ms; /* boot time of the last answer that was no 503 */
    int64_t patience_ms;
    int64_t end_ms;   /* boot time at which everything ends; 0: none */
    bool interrupted; /* end_ms is that of Ctrl-C */
    char words[CURL_ERROR_SIZE];
};

#define HTTP_NO_ANSWER "no answer" /* in words: a connection, but silence */

/* Prepares http->easy for a request: address, security, headers. *ret_headers is freed by the
 * caller after the transfer. */
void http_prepare(struct http *http,
                  const char *method,
                  const char *path,
                  const char *const *headers,
                  const char *type,
                  struct http_answer *answer,
                  struct curl_slist **ret_headers);

/* Runs the prepared transfer until it ends (0, *ret_code) or enough(arg) says stop (1). -EINTR. */
int http_run(struct http *http, bool steady, bool (*enough)(void *), void *arg, CURLcode *ret_code);
int64_t http_left_ms(struct http *http); /* until the end of everything; INT64_MAX: none is set */
void http_stop(struct http *http);       /* takes the transfer out of the loop, finished or not */

/* The connection failed: from now on the next gateway. True while some have not been tried since
 * something worked: then there is nothing to wait for. */
bool http_follow(struct http *http);

bool http_may_repeat(CURLcode code); /* a broken connection rather than a mistake */
bool http_is_contact(CURLcode code); /* somebody was there, even if the connection broke then */
bool http_is_busy(long status);      /* 503, 429, 502, 504 */
/* Words for an answer that is no 2xx: the gateway's own, or the bare status. -EPERM. */
int http_refused(struct http_answer *answer, struct sw_err *err);
int http_unreachable(struct http *http, struct sw_err *err); /* -ENOTCONN with words */

#endif
