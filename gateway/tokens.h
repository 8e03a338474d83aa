/* Bearer tokens: STATE/gateway/tokens holds a line each, `ID ROLE HASH CREATED NAME`; the token
 * itself is shown once and never stored. */
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

struct tokens;

/* Reads the file; without one makes an admin's token and stores it in admin.token (0600). */
int tokens_open(int gateway_fd, struct tokens **ret, bool *ret_made_admin, struct sw_err *err);
void tokens_destroy(struct tokens **);

/* The role of a token as it came, ROLE_NONE when unknown; *ret_id is its owner id. Sees a changed
 * file within 200 ms. */
enum role tokens_check(
    struct tokens *, const char *text, size_t size, int64_t now_ms, char ret_id[TOKEN_ID_TEXT]);

/* For the command line; the running gateway sees the change. role_and_name is ROLE[:NAME]. */
int tokens_add(int gateway_fd,
               const char *role_and_name,
               char ret_token[TOKEN_TEXT],
               struct sw_err *err);
int tokens_revoke(int gateway_fd, const char *id, struct sw_err *err);

#endif
