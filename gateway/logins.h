/* Logins of browsers: sessions, and codes that are good for one. STATE/gateway/logins holds a line
 * each, `KIND HASH TOKEN CREATED EXPIRES`: of the secret only its hash, times in ms since 1970.
 * Each belongs to a token and ends with it at the latest. */
#ifndef GATEWAY_LOGINS_H
#define GATEWAY_LOGINS_H

#include "tokens.h"

#define LOGIN_SECRET_TEXT 44 /* 43 characters of base64url */
#define LOGIN_HASH        32
#define SESSION_MS        ((int64_t)7 * 24 * 3600 * 1000)
#define CODE_MS           ((int64_t)10 * 60 * 1000)
#define LOGINS_MAX        10000
#define LOGINS_OF_TOKEN   64 /* of a kind: then the oldest gives way */

enum login_kind { LOGIN_SESSION, LOGIN_CODE };

struct login {
    enum login_kind kind;
    uint8_t hash[LOGIN_HASH];
    char owner[TOKEN_ID_TEXT];
    int64_t created_ms, expires_ms; /* wall */
};

struct logins;

int logins_open(int gateway_fd, struct logins **ret, struct sw_err *err);
void logins_destroy(struct logins **);

/* NULL when unknown, used, ended or expired; good until the next call here. now_ms: boot time. */
const struct login *
logins_find(struct logins *, enum login_kind kind, const char *secret, size_t size, int64_t now_ms);
bool logins_has(struct logins *, const uint8_t hash[LOGIN_HASH], int64_t now_ms);
/* Another number whenever the list may have changed. */
uint64_t logins_version(struct logins *, int64_t now_ms);

/* After a change of one's own: looks now. */
void logins_refresh(struct logins *, int64_t now_ms);

/* For the pool: the file is changed, the list in memory sees it. Makes a login of `kind` for a
 * token that itself ends at until_ms (0: never); with `code` not NULL in exchange for that one:
 * -ENOENT when it is used already. */
int logins_make(int gateway_fd,
                enum login_kind kind,
                const char *owner,
                int64_t until_ms,
                const uint8_t code[LOGIN_HASH],
                char ret_secret[LOGIN_SECRET_TEXT],
                struct login *ret_made,
                struct sw_err *err);
int logins_end(int gateway_fd, const uint8_t hash[LOGIN_HASH], struct sw_err *err);

#endif
