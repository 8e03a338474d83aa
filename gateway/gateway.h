/* The gateway as a whole: what its parts share. One thread, one loop owns everything here; only
 * work.h's jobs run elsewhere, on what they were handed. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct arrivals;
struct broker;
struct door;
struct failures;
struct logins;
struct mirror;
struct names;
struct pumps;
struct page;
struct results;
struct sockets;
struct tls;
struct tokens;
struct uploads;

struct options { /* the configuration's keys, interface.md section 5 */
    char *state, *listen, *broker, *host, *cert, *key, *pages;
    int64_t port;
    char *add_token, *revoke_token; /* done instead of serving */
    bool print_routes, standby;
};

enum metric { /* counters of /metrics, named in metrics.c */
              METRIC_REQUESTS,
              METRIC_ANSWERS_2XX,
              METRIC_ANSWERS_4XX,
              METRIC_ANSWERS_5XX,
              METRIC_CONNECTIONS,
              METRIC_CUT_SLOW,
              METRIC_REFUSED_HEADS,
              METRIC_BYTES_UPLOADED,
              METRIC_BYTES_DOWNLOADED,
              METRIC_BROKER_ASKS,
              METRIC_BROKER_RESENDS,
              METRIC_BROKER_SILENT,
              METRIC_COUNT
};

struct gateway {
    uv_loop_t *loop;
    const struct options *options;
    int state_fd;   /* STATE */
    int gateway_fd; /* STATE/gateway: tokens, keys */
    int uploads_fd; /* STATE/uploads */
    struct broker *broker;
    struct door *door;
    struct arrivals *arrivals;
    struct tls *tls;         /* the certificate that is shown */
    struct names *names;     /* that we answer to */
    struct pumps *pumps;     /* connections that speak TLS */
    struct sockets *sockets; /* WebSockets */
    struct page *page;       /* the dashboard */
    struct mirror *mirror;   /* what the broker tells as it happens */
    struct tokens *tokens;
    struct logins *logins;     /* of browsers */
    struct failures *failures; /* to log in */
    struct uploads *uploads;
    struct results *results;
    unsigned requests;  /* that exist, also those whose client is gone */
    size_t body_bytes;  /* JSON bodies held in memory, all requests together */
    int64_t started_ms; /* boot time */
    bool stopping;      /* no new request; ends when `requests` is 0 */
    uint64_t metrics[METRIC_COUNT];
};

static inline void metric_add(struct gateway *g, enum metric which, uint64_t n)
{
    g->metrics[which] += n;
}

#endif
