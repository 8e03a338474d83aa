/* The head of a request for a WebSocket, judged before libwebsockets sees any of it: so nothing but
 * a plain upgrade to a WebSocket ever reaches it (its HTTP/2 answers strangers). */
#ifndef GATEWAY_UPGRADE_H
#define GATEWAY_UPGRADE_H

#include "gateway.h"

#define UPGRADE_HEAD_MAX 8192 /* bytes; browsers send a tenth of it */

struct upgrade {
    bool socket_io; /* /socket.io/, else /ws */
    char query[512];
    char host[256];
    char origin[256];        /* "" = none: no browser */
    char authorization[256]; /* "" = none */
    char cookie[1024];
};

/* 0: go on. Else the HTTP status of a refusal, with words. */
int upgrade_parse(const char *head, size_t size, struct upgrade *ret, const char **ret_refusal);

#endif
