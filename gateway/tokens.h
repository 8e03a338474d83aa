/* Bearer tokens: STATE/gateway/tokens holds a line each, `ID ROLE HASH CREATED NAME`, and behind a
 * TAB the time of its expiry if it has one; times in ms since 1970. The token itself is shown once
 * and never stored. */
#ifndef GATEWAY_TOKENS_H
#define GATEWAY_TOKENS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role { ROLE_NONE, ROLE_DEVICE, ROLE_VIEWER, ROLE_SUBMITTER, ROLE_ADMIN };
const char *role_name(enum role role);
bool role_of(const char *text, size_t size, enum role *ret_role);

/* Whether `role` may do what needs at least `least`: viewer < submitter < admin; a device may do
 * nothing of what the others may. ROLE_NONE as `least` is open to all. */
bool role_may(enum role role, enum role least);

#define TOKEN_ID_TEXT  16 /* "t-" and 12 hex digits */
#define TOKEN_TEXT     48 /* "sw_" and 43 characters of base64url */
#define TOKENS_MAX     10000
#define TOKEN_NAME_MAX 64
#define TOKEN_HASH     32

struct token {
    char id[TOKEN_ID_TEXT];
    enum role role;
    uint8_t hash[TOKEN_HASH];
    int64_t created_ms, expires_ms; /* wall; 0: never */
    char name[TOKEN_NAME_MAX + 1];
};

struct tokens;

/* Reads the file; without one makes an admin's token and stores it in admin.token (0600). */
int tokens_open(int gateway_fd, struct tokens **ret, bool *ret_made_admin, struct sw_err *err);
void tokens_destroy(struct tokens **);

/* NULL when unknown or expired; good until the next call here. A changed file is seen within
 * 200 ms. now_ms: boot time. */
const struct token *tokens_check(struct tokens *, const char *text, size_t size, int64_t now_ms);
const struct token *tokens_by_id(struct tokens *, const char *id, int64_t now_ms);
/* All of them, the expired too. */
const struct token *tokens_all(struct tokens *, int64_t now_ms, size_t *ret_n);
/* Of any secret of 256 random bits. */
void token_hash(const char *text, size_t size, uint8_t ret_hash[TOKEN_HASH]);
/* Another number whenever the list may have changed. */
uint64_t tokens_version(struct tokens *, int64_t now_ms);

/* tokens_change.c: for the command line and the pool; whoever has the file open sees the change.
 * role_and_name is ROLE[:NAME]. -ENOENT: no such id. */
int tokens_add(int gateway_fd,
               const char *role_and_name,
               char ret_token[TOKEN_TEXT],
               struct sw_err *err);
/* ret_made may be NULL. */
int tokens_make(int gateway_fd,
                enum role role,
                const char *name,
                int64_t expires_ms,
                char ret_token[TOKEN_TEXT],
                struct token *ret_made,
                struct sw_err *err);
int tokens_rename(
    int gateway_fd, const char *id, const char *name, struct token *ret_now, struct sw_err *err);
int tokens_revoke(int gateway_fd, const char *id, struct sw_err *err);
bool token_name_fits(const char *name);
extern const char token_name_words[];

#endif
