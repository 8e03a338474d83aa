/* Owns the list of tokens in memory. Called by caller.c for every request, and by tokens_change.c.
 * Never keeps or logs a token itself, only its hash: 32 random bytes need no slow hash. */
#include "tokens_own.h"

#include "base/clock.h"
#include "base/own.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_names[] = {
    [ROLE_NONE] = "none",           [ROLE_DEVICE] = "device", [ROLE_VIEWER] = "viewer",
    [ROLE_SUBMITTER] = "submitter", [ROLE_ADMIN] = "admin",
};

const char *role_name(enum role role)
{
    return role_names[role];
}

bool role_of(const char *text, size_t size, enum role *ret_role)
{
    for (enum role role = ROLE_DEVICE; role <= ROLE_ADMIN; role++) {
        if (strlen(role_names[role]) == size && memcmp(role_names[role], text, size) == 0) {
            *ret_role = role;
            return true;
        }
    }
    return false;
}

bool role_may(enum role role, enum role least)
{
    return least == ROLE_NONE || role == least || (role > ROLE_DEVICE && role >= least);
}

void token_hash(const char *text, size_t size, uint8_t ret_hash[TOKEN_HASH])
{
    crypto_generichash(ret_hash, TOKEN_HASH, (const unsigned char *)text, size, NULL, 0);
}

/* Behind the name and a TAB. A file of before has none. */
static bool parse_expiry(const char *text, int64_t *ret_ms)
{
    char *end;
    *ret_ms = strtoll(text, &end, 10);
    return end > text && !*end && *ret_ms > 0;
}

static bool parse_line(const char *line, struct token *ret)
{
    char role[16], hash[2 * TOKEN_HASH + 1];
    int at = 0;
    *ret = (struct token){0};
    if (sscanf(line, "%15s %15s %64s %" SCNd64 "%n", ret->id, role, hash, &ret->created_ms, &at) !=
        4)
        return false;
    size_t size = 0;
    if (!role_of(role, strlen(role), &ret->role) ||
        sodium_hex2bin(ret->hash, TOKEN_HASH, hash, strlen(hash), NULL, &size, NULL) != 0 ||
        size != TOKEN_HASH)
        return false;
    const char *name = line[at] == ' ' ? line + at + 1 : "";
    size_t n = strcspn(name, "\t");
    snprintf(ret->name, sizeof ret->name, "%.*s", (int)n, name);
    return !name[n] || parse_expiry(name + n + 1, &ret->expires_ms);
}

struct token *tokens_append(struct tokens *tokens, const struct token *token)
{
    sw_grow(&tokens->list, &tokens->room, tokens->n + 1, sizeof *tokens->list);
    tokens->list[tokens->n] = *token;
    return &tokens->list[tokens->n++];
}

static bool take_line(void *arg, const char *line)
{
    struct tokens *tokens = arg;
    struct token token;
    if (!parse_line(line, &token) || tokens->n == TOKENS_MAX)
        return false;
    tokens_append(tokens, &token);
    return true;
}

int tokens_load(struct tokens *tokens, struct sw_err *err)
{
    tokens->n = 0;
    tokens->version++;
    return lines_read(&tokens->file, take_line, tokens, err);
}

int tokens_open(int gateway_fd, struct tokens **ret, bool *ret_made_admin, struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = sw_alloc(1, sizeof *tokens);
    tokens->file = (struct lines){
        .dir_fd = gateway_fd, .name = TOKENS_FILE, .max_bytes = (size_t)TOKENS_MAX * 256};
    int r = tokens_load(tokens, err);
    bool make = r == 0 && tokens->file.seen.st_ino == 0;
    if (make)
        r = tokens_make_admin(tokens, err);
    if (make && r == 0)
        r = tokens_load(tokens, err);
    if (r < 0)
        return r;
    *ret_made_admin = make;
    *ret = TAKE(tokens);
    return 0;
}

void tokens_destroy(struct tokens **p)
{
    if (*p)
        sw_release((*p)->list);
    sw_release(*p);
    *p = NULL;
}

/* True when the list may be another than before. */
static bool look(struct tokens *tokens, int64_t now_ms, bool now)
{
    if (!lines_changed(&tokens->file, now_ms, now))
        return false;
    if (tokens_load(tokens, NULL) < 0)
        tokens->n = 0; /* an unreadable list lets nobody in */
    return true;
}

static const struct token *alive(const struct token *token)
{
    return token && token->expires_ms && token->expires_ms <= sw_wall_ms() ? NULL : token;
}

static const struct token *find(const struct tokens *tokens, const uint8_t hash[TOKEN_HASH])
{
    const struct token *found = NULL;
    for (size_t i = 0; i < tokens->n; i++) { /* all of them: the time tells nothing */
        if (sodium_memcmp(tokens->list[i].hash, hash, TOKEN_HASH) == 0)
            found = &tokens->list[i];
    }
    return found;
}

const struct token *
tokens_check(struct tokens *tokens, const char *text, size_t size, int64_t now_ms)
{
    uint8_t hash[TOKEN_HASH];
    look(tokens, now_ms, false);
    token_hash(text, size, hash);
    const struct token *found = find(tokens, hash);
    if (!found && look(tokens, now_ms, true)) /* one made just now is known at once */
        found = find(tokens, hash);
    return alive(found);
}

const struct token *tokens_by_id(struct tokens *tokens, const char *id, int64_t now_ms)
{
    look(tokens, now_ms, false);
    for (size_t i = 0; i < tokens->n; i++)
        if (strcmp(tokens->list[i].id, id) == 0)
            return alive(&tokens->list[i]);
    return NULL;
}

const struct token *tokens_all(struct tokens *tokens, int64_t now_ms, size_t *ret_n)
{
    look(tokens, now_ms, true);
    *ret_n = tokens->n;
    return tokens->list;
}

uint64_t tokens_version(struct tokens *tokens, int64_t now_ms)
{
    look(tokens, now_ms, false);
    return tokens->version;
}
