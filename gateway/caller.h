/* Who asks, by HTTP or WebSocket: a bearer token, or a page's login by its cookie. */
#ifndef GATEWAY_CALLER_H
#define GATEWAY_CALLER_H

#include "gateway.h"
#include "logins.h"
#include "tokens.h"

struct caller { /* ROLE_NONE: it has not said yet */
    enum role role;
    char owner[TOKEN_ID_TEXT]; /* its token's id */
    int64_t expires_ms;        /* wall; 0: never */
    bool by_cookie;
    uint8_t session[LOGIN_HASH]; /* then: which */
    bool secure;                 /* it came by TLS */
};

/* The cookie's name has the gateway's port: cookies of one host are shared by all its ports. */
#define COOKIE_NAME_ROOM 32
void cookie_name(const struct gateway *, char ret_name[COOKIE_NAME_ROOM]);

/* By the values of Authorization and Cookie, NULL or "" where there is none. With Authorization the
 * cookie does not count. false: what it showed is not known; ret is then without a role. */
bool caller_find(struct gateway *,
                 const char *authorization,
                 const char *cookie,
                 struct caller *ret);
bool caller_by_token(struct gateway *, const char *token, struct caller *ret);

/* Whether its token and session still are; cheap while neither list changed. Another number from
 * callers_version means that they may have. */
bool caller_lives(struct gateway *, const struct caller *);
uint64_t callers_version(struct gateway *);

#endif
