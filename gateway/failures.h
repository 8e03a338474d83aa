/* How often an address failed to log in lately. */
#ifndef GATEWAY_FAILURES_H
#define GATEWAY_FAILURES_H

#include <netinet/in.h>
#include <stdint.h>

#define FAILURES_MAX       10    /* of an address ... */
#define FAILURES_WITHIN_MS 60000 /* ... counted from the first of them */

struct failures;

struct failures *failures_new(void);
void failures_destroy(struct failures **);
void failures_add(struct failures *, const struct in6_addr *, int64_t now_ms);
/* 0, or how many seconds this address has to wait. */
unsigned failures_wait_s(const struct failures *, const struct in6_addr *, int64_t now_ms);

#endif
