/* Judges what a request shows of who it is. Called by head.c for HTTP, by live/ for WebSockets;
 * decides nothing of what that one may do. */
#include "caller.h"

#include "base/clock.h"
#include "base/own.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void cookie_name(const struct gateway *g, char ret_name[COOKIE_NAME_ROOM])
{
    snprintf(ret_name, COOKIE_NAME_ROOM, "shadowwork-%jd", (intmax_t)g->options->port);
}

/* The one cookie of that name: none when there are two, which only somebody else can have made. */
static const char *cookie_value(const char *text, const char *name, size_t *ret_size)
{
    size_t name_size = strlen(name);
    const char *found = NULL;
    for (const char *at = text; *at;) {
        at += strspn(at, " \t;");
        size_t n = strcspn(at, ";");
        if (n > name_size && strncmp(at, name, name_size) == 0 && at[name_size] == '=') {
            if (found)
                return NULL;
            found = at + name_size + 1;
            *ret_size = n - name_size - 1;
        }
        at += n;
    }
    return found;
}

static bool take(struct caller *caller, const struct token *token)
{
    if (!token)
        return false;
    caller->role = token->role;
    caller->expires_ms = token->expires_ms;
    memcpy(caller->owner, token->id, sizeof caller->owner);
    return true;
}

bool caller_by_token(struct gateway *g, const char *token, struct caller *ret)
{
    return take(ret, tokens_check(g->tokens, token, strlen(token), sw_boot_ms()));
}

static bool by_cookie(struct gateway *g, const char *cookie, struct caller *ret)
{
    char name[COOKIE_NAME_ROOM];
    size_t size = 0;
    int64_t now_ms = sw_boot_ms();
    cookie_name(g, name);
    const char *secret = cookie_value(cookie, name, &size);
    if (!secret)
        return true; /* shows nothing */
    const struct login *login = logins_find(g->logins, LOGIN_SESSION, secret, size, now_ms);
    if (!login || !take(ret, tokens_by_id(g->tokens, login->owner, now_ms)))
        return false;
    ret->by_cookie = true;
    ret->expires_ms = login->expires_ms;
    memcpy(ret->session, login->hash, sizeof ret->session);
    return true;
}

bool caller_find(struct gateway *g,
                 const char *authorization,
                 const char *cookie,
                 struct caller *ret)
{
    static const char scheme[] = "Bearer ";
    if (authorization && *authorization)
        return strncasecmp(authorization, scheme, sizeof scheme - 1) == 0 &&
               caller_by_token(g, authorization + sizeof scheme - 1, ret);
    return !cookie || by_cookie(g, cookie, ret);
}

bool caller_lives(struct gateway *g, const struct caller *caller)
{
    int64_t now_ms = sw_boot_ms();
    if (caller->role == ROLE_NONE)
        return true;
    if (caller->by_cookie && !logins_has(g->logins, caller->session, now_ms))
        return false;
    return tokens_by_id(g->tokens, caller->owner, now_ms) != NULL;
}

uint64_t callers_version(struct gateway *g)
{
    int64_t now_ms = sw_boot_ms();
    return tokens_version(g->tokens, now_ms) + logins_version(g->logins, now_ms);
}
