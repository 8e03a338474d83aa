/* Whether the gateway is who it says: what was wrong with its certificate, in words. */
#ifndef CTL_TRUST_H
#define CTL_TRUST_H

#include "http.h"

#include <curl/curl.h>

enum trust {
    TRUST_GOOD,    /* or nothing was said of it */
    TRUST_UNKNOWN, /* no authority of the system's signed it */
    TRUST_CHANGED, /* another authority than the one that was trusted did */
    TRUST_TIME,    /* it has expired, or is not valid yet */
    TRUST_NAME,    /* it is for other names */
    TRUST_NO_FILE, /* the trusted authority's file cannot be read */
};

/* After a transfer; writes words where the certificate was the problem. */
enum trust trust_judge(CURL *easy, CURLcode code, bool has_own, char *ret_words, size_t room);
const char *trust_fix(enum trust); /* what mends it; "" for TRUST_GOOD */

/* The SHA-256 of the first certificate in a PEM text as AA:BB:...; false: there is none. */
#define TRUST_FINGERPRINT 96
bool trust_fingerprint(const char *pem, size_t size, char ret[TRUST_FINGERPRINT]);
bool trust_is_same(const char *fingerprint, const char *given); /* colons and case do not count */

#endif
