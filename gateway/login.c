/* The routes of logging in: a token or a one-time code for a session, which a browser keeps as a
 * cookie. Called by the table of routes. Says of a secret only whether it is known, and logs none.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "failures.h"
#include "handlers.h"
#include "proto/json.h"
#include "reply.h"
#include "work.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

struct making { /* of a session or code, on the pool */
    struct request *request;
    int gateway_fd;
    enum login_kind kind;
    struct token token;
    bool by_code, replaces;
    uint8_t code[LOGIN_HASH], replaced[LOGIN_HASH];
    char secret[LOGIN_SECRET_TEXT];
    struct login made;
    int result;
    struct sw_err err;
};

static json_t *login_json(const struct token *token, int64_t expires_ms, bool by_cookie)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s}", "role", role_name(token->role), "name",
                     token->name, "tokenId", token->id, "expiresAt", sw_json_time(expires_ms), "by",
                     by_cookie ? "cookie" : "token");
}

static void set_cookie(struct request *r, const char *secret, int64_t seconds)
{
    char name[COOKIE_NAME_ROOM];
    cookie_name(r->gateway, name);
    if (r->reply)
        reply_header(r->reply, "Set-Cookie",
                     "%s=%s; Path=/; Max-Age=%jd; HttpOnly; SameSite=Strict%s", name, secret,
                     (intmax_t)seconds, r->caller.secure ? "; Secure" : "");
}

static void make_in_pool(void *arg)
{
    struct making *m = arg;
    m->result = logins_make(m->gateway_fd, m->kind, m->token.id, m->token.expires_ms,
                            m->by_code ? m->code : NULL, m->secret, &m->made, &m->err);
    if (m->result == 0 && m->replaces)
        m->result = logins_end(m->gateway_fd, m->replaced, &m->err);
}

static void refuse(struct request *r)
{
    if (r->visitor)
        failures_add(r->gateway->failures, &r->visitor->address, sw_boot_ms());
    reply_error(r, REPLY_UNAUTHORIZED, "this token or code is not known, or not any more");
}

static void made(void *arg)
{
    struct making *m = arg;
    struct request *r = m->request;
    if (m->result == -ENOENT) {
        refuse(r);
    } else if (m->result < 0) {
        reply_errno(r, m->result, &m->err, "the login was not kept");
    } else if (m->kind == LOGIN_CODE) {
        reply_json(r, MHD_HTTP_CREATED,
                   json_pack("{s:s, s:o}", "code", m->secret, "expiresAt",
                             sw_json_time(m->made.expires_ms)));
    } else {
        sw_log(SW_LOG_INFO, "login token=%s role=%s by=%s", m->token.id, role_name(m->token.role),
               m->by_code ? "code" : "token");
        reply_json(r, MHD_HTTP_OK,
                   json_pack("{s:o}", "login", login_json(&m->token, m->made.expires_ms, true)));
        set_cookie(r, m->secret, (m->made.expires_ms - m->made.created_ms) / 1000);
    }
    logins_refresh(r->gateway->logins, sw_boot_ms());
    sodium_memzero(m->secret, sizeof m->secret);
    sw_release(m);
    request_release(r);
}

static void
make(struct request *r, enum login_kind kind, const struct token *token, const struct login *code)
{
    struct making *m = sw_alloc(1, sizeof *m);
    *m = (struct making){.request = r,
                         .gateway_fd = r->gateway->gateway_fd,
                         .kind = kind,
                         .token = *token,
                         .by_code = code != NULL,
                         .replaces = kind == LOGIN_SESSION && r->caller.by_cookie};
    if (code)
        memcpy(m->code, code->hash, sizeof m->code);
    memcpy(m->replaced, r->caller.session, sizeof m->replaced);
    request_hold(r);
    work_start(r->gateway, m, make_in_pool, made);
}

/* `{"token": …}` or `{"code": …}`; NULL: answered. */
static const char *secret_of(struct request *r, bool *ret_is_code)
{
    const json_t *token = json_object_get(r->json, "token");
    const json_t *code = json_object_get(r->json, "code");
    const char *secret = json_string_value(token ? token : code);
    if (json_object_size(r->json) != 1 || !secret) {
        reply_error(r, REPLY_BAD_REQUEST, "either `token` or `code`, a text, and nothing else");
        return NULL;
    }
    *ret_is_code = code != NULL;
    return secret;
}

void login_make(struct request *r)
{
    struct gateway *g = r->gateway;
    const struct login *code = NULL;
    const struct token *token = NULL;
    bool is_code;
    int64_t now_ms = sw_boot_ms();
    const char *secret = secret_of(r, &is_code);
    if (!secret)
        return;
    unsigned wait_s = failures_wait_s(g->failures, &r->visitor->address, now_ms);
    if (wait_s) {
        reply_error(r, REPLY_QUOTA, "too many failed logins from your address: wait %u s", wait_s);
        MHD_del_response_header(r->reply, "Retry-After",
                                MHD_get_response_header(r->reply, "Retry-After"));
        reply_header(r->reply, "Retry-After", "%u", wait_s);
        return;
    }
    if (!is_code)
        token = tokens_check(g->tokens, secret, strlen(secret), now_ms);
    else if ((code = logins_find(g->logins, LOGIN_CODE, secret, strlen(secret), now_ms)))
        token = tokens_by_id(g->tokens, code->owner, now_ms);
    if (token)
        make(r, LOGIN_SESSION, token, code);
    else
        refuse(r);
}

static const struct token *own_token(const struct request *r)
{
    return r->caller.role == ROLE_NONE
               ? NULL
               : tokens_by_id(r->gateway->tokens, r->caller.owner, sw_boot_ms());
}

void login_show(struct request *r)
{
    const struct token *token = own_token(r);
    reply_json(r, MHD_HTTP_OK,
               json_pack("{s:o}", "login",
                         token ? login_json(token, r->caller.expires_ms, r->caller.by_cookie)
                               : json_null()));
}

void login_code(struct request *r)
{
    const struct token *token = own_token(r);
    if (token)
        make(r, LOGIN_CODE, token, NULL);
    else
        reply_error(r, REPLY_UNAUTHORIZED, "your token was revoked just now");
}

struct ending {
    struct request *request;
    int gateway_fd;
    uint8_t session[LOGIN_HASH];
    int result;
    struct sw_err err;
};

static void end_in_pool(void *arg)
{
    struct ending *e = arg;
    e->result = logins_end(e->gateway_fd, e->session, &e->err);
}

static void say_ended(struct request *r)
{
    reply_json(r, MHD_HTTP_OK, json_object());
    set_cookie(r, "", 0);
}

static void ended(void *arg)
{
    struct ending *e = arg;
    struct request *r = e->request;
    if (e->result < 0)
        reply_errno(r, e->result, &e->err, "the login was not ended");
    else
        say_ended(r);
    logins_refresh(r->gateway->logins, sw_boot_ms());
    sw_release(e);
    request_release(r);
}

void login_end(struct request *r)
{
    if (!r->caller.by_cookie) { /* nothing to end; its cookie goes in any case */
        say_ended(r);
        return;
    }
    struct ending *e = sw_alloc(1, sizeof *e);
    *e = (struct ending){.request = r, .gateway_fd = r->gateway->gateway_fd};
    memcpy(e->session, r->caller.session, sizeof e->session);
    request_hold(r);
    work_start(r->gateway, e, end_in_pool, ended);
}
