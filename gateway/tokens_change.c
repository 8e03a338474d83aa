/* Owns changes of the tokens' file: made, renamed, revoked, each as one step. Called by main's
 * --add-token and --revoke-token and, on the pool, by token_routes.c; whoever serves sees the file
 * change. */
#include "tokens_own.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_PREFIX "sw_"

const char token_name_words[] = "name: at most 64 of A-Z a-z 0-9 . _ - and space";

static int save(struct tokens *tokens, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    for (size_t i = 0; i < tokens->n; i++) {
        const struct token *token = &tokens->list[i];
        char hash[2 * TOKEN_HASH + 1];
        sodium_bin2hex(hash, sizeof hash, token->hash, TOKEN_HASH);
        sw_buf_printf(&text, "%s %s %s %" PRId64 " %s", token->id, role_name(token->role), hash,
                      token->created_ms, token->name);
        if (token->expires_ms)
            sw_buf_printf(&text, "\t%" PRId64, token->expires_ms);
        sw_buf_text(&text, "\n");
    }
    int r = sw_file_replace(tokens->file.dir_fd, TOKENS_FILE, text.data ? (char *)text.data : "",
                            text.size, 0600);
    return r < 0 ? sw_fail(err, -r, "cannot write gateway/" TOKENS_FILE ": %s", strerror(-r)) : 0;
}

static struct token *
append_new(struct tokens *tokens, enum role role, const char *name, char ret_token[TOKEN_TEXT])
{
    uint8_t secret[32], id[6];
    char text[44], id_text[13];
    randombytes_buf(secret, sizeof secret);
    randombytes_buf(id, sizeof id);
    sodium_bin2base64(text, sizeof text, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(ret_token, TOKEN_TEXT, TOKEN_PREFIX "%s", text);
    sodium_bin2hex(id_text, sizeof id_text, id, sizeof id);

    struct token token = {.role = role, .created_ms = sw_wall_ms()};
    snprintf(token.id, sizeof token.id, "t-%s", id_text);
    snprintf(token.name, sizeof token.name, "%s", name);
    token_hash(ret_token, strlen(ret_token), token.hash);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(text, sizeof text);
    return tokens_append(tokens, &token);
}

int tokens_make_admin(struct tokens *tokens, struct sw_err *err)
{
    char token[TOKEN_TEXT], line[TOKEN_TEXT + 1];
    append_new(tokens, ROLE_ADMIN, "admin", token);
    int n = snprintf(line, sizeof line, "%s\n", token);
    int r = sw_file_replace(tokens->file.dir_fd, "admin.token", line, (size_t)n, 0600);
    if (r < 0)
        return sw_fail(err, -r, "cannot write gateway/admin.token: %s", strerror(-r));
    return save(tokens, err);
}

static int open_locked(int gateway_fd, struct tokens **ret, int *ret_lock_fd, struct sw_err *err)
{
    bool made;
    AUTO_FD int fd = -1;
    int r = lines_lock(gateway_fd, TOKENS_FILE, &fd, err);
    if (r == 0)
        r = tokens_open(gateway_fd, ret, &made, err);
    if (r < 0)
        return r;
    assert(*ret);
    *ret_lock_fd = TAKE_FD(fd);
    return 0;
}

bool token_name_fits(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._ -");
    return n == strlen(name) && n <= TOKEN_NAME_MAX;
}

int tokens_make(int gateway_fd,
                enum role role,
                const char *name,
                int64_t expires_ms,
                char ret_token[TOKEN_TEXT],
                struct token *ret_made,
                struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = NULL;
    AUTO_FD int lock_fd = -1;
    if (!token_name_fits(name))
        return sw_fail(err, EINVAL, "%s", token_name_words);
    int r = open_locked(gateway_fd, &tokens, &lock_fd, err);
    if (r < 0)
        return r;
    if (tokens->n == TOKENS_MAX)
        return sw_fail(err, EAGAIN, "there are %d tokens; revoke one first", TOKENS_MAX);
    struct token *token = append_new(tokens, role, name, ret_token);
    token->expires_ms = expires_ms;
    if (ret_made)
        *ret_made = *token;
    return save(tokens, err);
}

int tokens_add(int gateway_fd, const char *text, char ret_token[TOKEN_TEXT], struct sw_err *err)
{
    enum role role;
    size_t size = strcspn(text, ":");
    const char *name = text[size] ? text + size + 1 : "";
    if (!role_of(text, size, &role))
        return sw_fail(err, EINVAL, "role %.*s: viewer, submitter, device or admin", (int)size,
                       text);
    return tokens_make(gateway_fd, role, name, 0, ret_token, NULL, err);
}

static struct token *by_id(struct tokens *tokens, const char *id)
{
    for (size_t i = 0; i < tokens->n; i++)
        if (strcmp(tokens->list[i].id, id) == 0)
            return &tokens->list[i];
    return NULL;
}

/* The file, locked, and the token in it. */
static int open_token(int gateway_fd,
                      const char *id,
                      struct tokens **ret,
                      int *ret_lock_fd,
                      struct token **ret_token,
                      struct sw_err *err)
{
    int r = open_locked(gateway_fd, ret, ret_lock_fd, err);
    if (r < 0)
        return r;
    *ret_token = by_id(*ret, id);
    return *ret_token ? 0
                      : sw_fail(err, ENOENT, "no token %s; gateway/" TOKENS_FILE " lists them", id);
}

int tokens_rename(
    int gateway_fd, const char *id, const char *name, struct token *ret_now, struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = NULL;
    AUTO_FD int lock_fd = -1;
    struct token *token = NULL;
    int r = open_token(gateway_fd, id, &tokens, &lock_fd, &token, err);
    if (r < 0)
        return r;
    snprintf(token->name, sizeof token->name, "%s", name);
    *ret_now = *token;
    return save(tokens, err);
}

int tokens_revoke(int gateway_fd, const char *id, struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = NULL;
    AUTO_FD int lock_fd = -1;
    struct token *token = NULL;
    int r = open_token(gateway_fd, id, &tokens, &lock_fd, &token, err);
    if (r < 0)
        return r;
    *token = tokens->list[--tokens->n];
    return save(tokens, err);
}
