/* The routes of tokens: listed, made, renamed, revoked, by admins. Called by the table of routes;
 * changes of the file run on the pool. A token itself is in one answer, that of its making. */
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "handlers.h"
#include "proto/json.h"
#include "reply.h"
#include "work.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define EXPIRES_MAX_S 315360000 /* ten years: beyond it is never */

enum what { MAKE, RENAME, REVOKE };

struct change {
    struct request *request;
    int gateway_fd;
    enum what what;
    char id[TOKEN_ID_TEXT];
    enum role role;
    char name[TOKEN_NAME_MAX + 1];
    int64_t expires_ms;
    char secret[TOKEN_TEXT];
    struct token token; /* as it is now */
    int result;
    struct sw_err err;
};

static json_t *token_json(const struct token *token)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "tokenId", token->id, "role",
                     role_name(token->role), "name", token->name, "createdAt",
                     sw_json_time(token->created_ms), "expiresAt", sw_json_time(token->expires_ms));
}

void tokens_list(struct request *r)
{
    size_t n;
    const struct token *all = tokens_all(r->gateway->tokens, sw_boot_ms(), &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, token_json(&all[i]));
    reply_json(r, MHD_HTTP_OK, json_pack("{s:o}", "tokens", list));
}

static void change_in_pool(void *arg)
{
    struct change *c = arg;
    switch (c->what) {
    case MAKE:
        c->result = tokens_make(c->gateway_fd, c->role, c->name, c->expires_ms, c->secret,
                                &c->token, &c->err);
        break;
    case RENAME:
        c->result = tokens_rename(c->gateway_fd, c->id, c->name, &c->token, &c->err);
        break;
    case REVOKE:
        c->result = tokens_revoke(c->gateway_fd, c->id, &c->err);
        break;
    }
}

static void say_changed(struct request *r, const struct change *c)
{
    static const char *const words[] = {
        [MAKE] = "made", [RENAME] = "renamed", [REVOKE] = "revoked"};
    sw_log(SW_LOG_INFO, "token %s id=%s by=%s", words[c->what],
           c->what == MAKE ? c->token.id : c->id, r->caller.owner);
    if (c->what == REVOKE)
        reply_json(r, MHD_HTTP_OK, json_object());
    else if (c->what == RENAME)
        reply_json(r, MHD_HTTP_OK, json_pack("{s:o}", "token", token_json(&c->token)));
    else
        reply_json(r, MHD_HTTP_CREATED,
                   json_pack("{s:o, s:s}", "token", token_json(&c->token), "secret", c->secret));
}

static void changed(void *arg)
{
    struct change *c = arg;
    struct request *r = c->request;
    size_t n;
    tokens_all(r->gateway->tokens, sw_boot_ms(), &n); /* sees it now */
    if (c->result == -ENOENT)
        reply_error(r, REPLY_NOT_FOUND, "there is no such token");
    else if (c->result < 0)
        reply_errno(r, c->result, &c->err, "the tokens are as before");
    else
        say_changed(r, c);
    sodium_memzero(c->secret, sizeof c->secret);
    sw_release(c);
    request_release(r);
}

static void start(struct request *r, const struct change *change)
{
    struct change *c = sw_alloc(1, sizeof *c);
    *c = *change;
    c->request = r;
    c->gateway_fd = r->gateway->gateway_fd;
    snprintf(c->id, sizeof c->id, "%.*s", (int)sizeof c->id - 1, r->argument);
    request_hold(r);
    work_start(r->gateway, c, change_in_pool, changed);
}

/* false: answered. */
static bool only(struct request *r, const char *const *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach(r->json, key, value)
    {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i]) {
            reply_error(r, REPLY_BAD_REQUEST, "no such key; `role`, `name` and `expiresIn` are");
            return false;
        }
    }
    return true;
}

static bool take_name(struct request *r, const json_t *value, char ret_name[TOKEN_NAME_MAX + 1])
{
    const char *name = json_string_value(value);
    if (!name || strlen(name) != json_string_length(value) || !token_name_fits(name)) {
        reply_error(r, REPLY_BAD_REQUEST, "%s", token_name_words);
        return false;
    }
    snprintf(ret_name, TOKEN_NAME_MAX + 1, "%s", name);
    return true;
}

static bool take_expiry(struct request *r, const json_t *value, int64_t *ret_ms)
{
    int64_t seconds = json_integer_value(value);
    if (!json_is_integer(value) || seconds < 1 || seconds > EXPIRES_MAX_S) {
        reply_error(r, REPLY_BAD_REQUEST, "expiresIn: whole seconds, 1 to %d; without it never",
                    EXPIRES_MAX_S);
        return false;
    }
    *ret_ms = sw_wall_ms() + seconds * 1000;
    return true;
}

void tokens_post(struct request *r)
{
    static const char *const keys[] = {"role", "name", "expiresIn", NULL};
    struct change c = {.what = MAKE};
    const char *role = json_string_value(json_object_get(r->json, "role"));
    const json_t *name = json_object_get(r->json, "name");
    const json_t *expires = json_object_get(r->json, "expiresIn");
    if (!only(r, keys))
        return;
    if (!role || !role_of(role, strlen(role), &c.role)) {
        reply_error(r, REPLY_BAD_REQUEST, "role: viewer, submitter, device or admin");
        return;
    }
    if ((!name || take_name(r, name, c.name)) &&
        (!expires || json_is_null(expires) || take_expiry(r, expires, &c.expires_ms)))
        start(r, &c);
}

void tokens_patch(struct request *r)
{
    static const char *const keys[] = {"name", NULL};
    struct change c = {.what = RENAME};
    if (only(r, keys) && take_name(r, json_object_get(r->json, "name"), c.name))
        start(r, &c);
}

void tokens_delete(struct request *r)
{
    struct change c = {.what = REVOKE};
    if (strcmp(r->argument, r->caller.owner) == 0)
        reply_error(r, REPLY_CONFLICT,
                    "this is the token that you use now; revoke it with another one");
    else
        start(r, &c);
}
