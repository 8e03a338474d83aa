/* Owns the list of tokens in memory and its file. Called by the request's head check and by main's
 * --add-token and --revoke-token. Never keeps or logs a token itself, only its hash: 32 random
 * bytes need no slow hash. */
#include "tokens.h"

#include "base/clock.h"
#include "base/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FILE_NAME    "tokens"
#define FILE_MAX     ((size_t)TOKENS_MAX * 256)
#define HASH_SIZE    32
#define RECHECK_MS   200 /* a revoked token is refused within this */
#define TOKEN_PREFIX "sw_"

struct token {
    char id[TOKEN_ID_TEXT];
    enum role role;
    uint8_t hash[HASH_SIZE];
    int64_t created_ms;
    char name[TOKEN_NAME_MAX + 1];
};

struct tokens {
    int gateway_fd; /* borrowed */
    struct token *list;
    size_t n, room;
    struct stat seen; /* of the file as it was read */
    int64_t checked_ms;
};

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

static void hash_of(const char *text, size_t size, uint8_t ret_hash[HASH_SIZE])
{
    crypto_generichash(ret_hash, HASH_SIZE, (const unsigned char *)text, size, NULL, 0);
}

static bool parse_line(const char *line, struct token *ret)
{
    char role[16], hash[2 * HASH_SIZE + 1];
    int at = 0;
    *ret = (struct token){0};
    if (sscanf(line, "%15s %15s %64s %" SCNd64 "%n", ret->id, role, hash, &ret->created_ms, &at) !=
        4)
        return false;
    size_t size = 0;
    if (!role_of(role, strlen(role), &ret->role) ||
        sodium_hex2bin(ret->hash, HASH_SIZE, hash, strlen(hash), NULL, &size, NULL) != 0 ||
        size != HASH_SIZE)
        return false;
    if (line[at] == ' ')
        snprintf(ret->name, sizeof ret->name, "%s", line + at + 1);
    return true;
}

static int load(struct tokens *tokens, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    tokens->n = 0;
    if (fstatat(tokens->gateway_fd, FILE_NAME, &tokens->seen, 0) < 0) {
        tokens->seen = (struct stat){0};
        return errno == ENOENT ? 0 : sw_fail(err, errno, "tokens: %s", strerror(errno));
    }
    int r = sw_file_read(tokens->gateway_fd, FILE_NAME, FILE_MAX, &text);
    if (r < 0)
        return sw_fail(err, -r, "cannot read gateway/" FILE_NAME ": %s", strerror(-r));
    char *rest = text.size ? (char *)text.data : NULL;
    for (size_t number = 1; rest && *rest; number++) {
        char *line = strsep(&rest, "\n");
        struct token token;
        if (!*line || *line == '#')
            continue;
        if (!parse_line(line, &token) || tokens->n == TOKENS_MAX)
            return sw_fail(err, EBADMSG, "gateway/" FILE_NAME ":%zu: not a token's line", number);
        sw_grow(&tokens->list, &tokens->room, tokens->n + 1, sizeof *tokens->list);
        tokens->list[tokens->n++] = token;
    }
    return 0;
}

static int save(struct tokens *tokens, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    for (size_t i = 0; i < tokens->n; i++) {
        const struct token *token = &tokens->list[i];
        char hash[2 * HASH_SIZE + 1];
        sodium_bin2hex(hash, sizeof hash, token->hash, HASH_SIZE);
        sw_buf_printf(&text, "%s %s %s %" PRId64 " %s\n", token->id, role_name(token->role), hash,
                      token->created_ms, token->name);
    }
    int r = sw_file_replace(tokens->gateway_fd, FILE_NAME, text.data ? (char *)text.data : "",
                            text.size, 0600);
    return r < 0 ? sw_fail(err, -r, "cannot write gateway/" FILE_NAME ": %s", strerror(-r)) : 0;
}

static void
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
    hash_of(ret_token, strlen(ret_token), token.hash);
    sw_grow(&tokens->list, &tokens->room, tokens->n + 1, sizeof *tokens->list);
    tokens->list[tokens->n++] = token;
    sodium_memzero(secret, sizeof secret);
}

static int make_admin(struct tokens *tokens, struct sw_err *err)
{
    char token[TOKEN_TEXT], line[TOKEN_TEXT + 1];
    append_new(tokens, ROLE_ADMIN, "admin", token);
    int n = snprintf(line, sizeof line, "%s\n", token);
    int r = sw_file_replace(tokens->gateway_fd, "admin.token", line, (size_t)n, 0600);
    if (r < 0)
        return sw_fail(err, -r, "cannot write gateway/admin.token: %s", strerror(-r));
    return save(tokens, err);
}

int tokens_open(int gateway_fd, struct tokens **ret, bool *ret_made_admin, struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = sw_alloc(1, sizeof *tokens);
    tokens->gateway_fd = gateway_fd;
    int r = load(tokens, err);
    bool make = r == 0 && tokens->seen.st_ino == 0;
    if (make)
        r = make_admin(tokens, err);
    if (make && r == 0)
        r = load(tokens, err);
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
static bool reload_if_changed(struct tokens *tokens)
{
    struct stat now = {0};
    if (fstatat(tokens->gateway_fd, FILE_NAME, &now, 0) == 0 && now.st_ino == tokens->seen.st_ino &&
        now.st_size == tokens->seen.st_size &&
        memcmp(&now.st_mtim, &tokens->seen.st_mtim, sizeof now.st_mtim) == 0)
        return false;
    if (load(tokens, NULL) < 0)
        tokens->n = 0; /* an unreadable list lets nobody in */
    return true;
}

static const struct token *find(const struct tokens *tokens, const uint8_t hash[HASH_SIZE])
{
    const struct token *found = NULL;
    for (size_t i = 0; i < tokens->n; i++) { /* all of them: the time tells nothing */
        if (sodium_memcmp(tokens->list[i].hash, hash, HASH_SIZE) == 0)
            found = &tokens->list[i];
    }
    return found;
}

enum role tokens_check(struct tokens *tokens,
                       const char *text,
                       size_t size,
                       int64_t now_ms,
                       char ret_id[TOKEN_ID_TEXT])
{
    uint8_t hash[HASH_SIZE];
    if (now_ms - tokens->checked_ms >= RECHECK_MS) {
        tokens->checked_ms = now_ms;
        reload_if_changed(tokens);
    }
    hash_of(text, size, hash);
    const struct token *found = find(tokens, hash);
    if (!found && reload_if_changed(tokens)) /* one made just now is known at once */
        found = find(tokens, hash);
    if (!found)
        return ROLE_NONE;
    memcpy(ret_id, found->id, TOKEN_ID_TEXT);
    return found->role;
}

/* Two commands at once must not lose each other's change. */
static int open_locked(int gateway_fd, struct tokens **ret, int *ret_lock_fd, struct sw_err *err)
{
    bool made;
    AUTO_FD int fd = openat(gateway_fd, "tokens.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return sw_fail(err, errno, "cannot lock gateway/" FILE_NAME ": %s", strerror(errno));
    int r = tokens_open(gateway_fd, ret, &made, err);
    if (r < 0)
        return r;
    *ret_lock_fd = TAKE_FD(fd);
    return 0;
}

static bool is_plain_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._ -");
    return n == strlen(name) && n <= TOKEN_NAME_MAX;
}

int tokens_add(int gateway_fd, const char *text, char ret_token[TOKEN_TEXT], struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = NULL;
    AUTO_FD int lock_fd = -1;
    enum role role;
    size_t size = strcspn(text, ":");
    const char *name = text[size] ? text + size + 1 : "";
    if (!role_of(text, size, &role))
        return sw_fail(err, EINVAL, "role %.*s: viewer, submitter, device or admin", (int)size,
                       text);
    if (!is_plain_name(name))
        return sw_fail(err, EINVAL, "name: at most %d of A-Z a-z 0-9 . _ - and space",
                       TOKEN_NAME_MAX);
    int r = open_locked(gateway_fd, &tokens, &lock_fd, err);
    if (r < 0)
        return r;
    assert(tokens);
    if (tokens->n == TOKENS_MAX)
        return sw_fail(err, EINVAL, "there are %d tokens; revoke one first", TOKENS_MAX);
    append_new(tokens, role, name, ret_token);
    return save(tokens, err);
}

int tokens_revoke(int gateway_fd, const char *id, struct sw_err *err)
{
    AUTO(tokens) struct tokens *tokens = NULL;
    AUTO_FD int lock_fd = -1;
    int r = open_locked(gateway_fd, &tokens, &lock_fd, err);
    if (r < 0)
        return r;
    assert(tokens);
    for (size_t i = 0; i < tokens->n; i++) {
        if (strcmp(tokens->list[i].id, id) == 0) {
            tokens->list[i] = tokens->list[--tokens->n];
            return save(tokens, err);
        }
    }
    return sw_fail(err, ENOENT, "no token %s; gateway/" FILE_NAME " lists them", id);
}
