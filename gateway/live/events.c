/* The events that clients send: one table. Called by socket.c with each message; answers at once
 * and waits for nothing. */
#include "base/log.h"
#include "base/own.h"
#include "live/mirror.h"
#include "live/socket.h"

#include <stdlib.h>
#include <string.h>

/* jansson's own nesting limit is 2048; no event needs more than four levels. */
#define JSON_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

static void refuse(struct socket *s, const char *code, const char *message)
{
    json_t *error = json_pack("{s:s, s:s}", "code", code, "message", message);
    if (s->io_refusal && !*s->io_refusal)
        *s->io_refusal = error;
    else
        socket_send_json(s, "error", 0, error);
}

static void welcome(struct socket *s)
{
    s->wants_jobs = s->wants_devices = true; /* until it says otherwise */
    socket_send_json(s, "authenticated", 0, json_pack("{s:s}", "role", role_name(s->caller.role)));
    if (role_may(s->caller.role, ROLE_VIEWER))
        mirror_show(s);
}

bool event_login(struct socket *s, const char *token)
{
    return caller_by_token(s->gateway, token, &s->caller);
}

static void authenticate(struct socket *s, const json_t *data)
{
    const char *token = json_string_value(json_object_get(data, "token"));
    if (s->caller.role != ROLE_NONE) {
        refuse(s, "conflict", "this connection has a token already");
        return;
    }
    if (token && event_login(s, token)) {
        welcome(s);
        return;
    }
    refuse(s, "unauthorized", "this token is not known");
    socket_close(s, 1008, "this token is not known");
}

static bool job_of(const json_t *data, uint64_t *ret_job)
{
    const char *text = json_string_value(json_object_get(data, "jobId"));
    size_t digits = text ? strspn(text, "0123456789") : 0;
    if (!digits || digits > 16 || text[digits] || text[0] == '0')
        return false;
    *ret_job = strtoull(text, NULL, 10);
    return true;
}

static void unwatch(struct socket *s, uint64_t job)
{
    for (size_t i = 0; i < s->n_watched; i++)
        if (s->watched[i] == job)
            s->watched[i--] = s->watched[--s->n_watched];
}

/* NULL, or what is wrong with it. */
static const char *wrong_with(const json_t *data)
{
    static const char *const switches[] = {"jobs", "devices"};
    uint64_t job;
    for (size_t i = 0; i < SW_COUNT(switches); i++) {
        const json_t *value = json_object_get(data, switches[i]);
        if (value && !json_is_boolean(value))
            return "`jobs` and `devices` are true or false";
    }
    if (json_object_get(data, "jobId") && !job_of(data, &job))
        return "`jobId` is the job's number as text";
    return NULL;
}

static void change(struct socket *s, const json_t *data, bool on)
{
    const char *wrong = wrong_with(data);
    uint64_t job;
    bool had_jobs = s->wants_jobs, had_devices = s->wants_devices;
    if (wrong) {
        refuse(s, "bad_request", wrong);
        return;
    }
    if (json_is_true(json_object_get(data, "jobs")))
        s->wants_jobs = on;
    if (json_is_true(json_object_get(data, "devices")))
        s->wants_devices = on;
    if (job_of(data, &job)) {
        unwatch(s, job);
        if (on && s->n_watched == SOCKET_WATCHED_MAX) {
            refuse(s, "too_large", "chunks of 16 jobs at most");
            return;
        }
        if (on)
            s->watched[s->n_watched++] = job;
    }
    mirror_wanted(s->gateway);
    if ((s->wants_jobs && !had_jobs) || (s->wants_devices && !had_devices))
        mirror_show(s);
}

static void subscribe(struct socket *s, const json_t *data)
{
    change(s, data, true);
}

static void unsubscribe(struct socket *s, const json_t *data)
{
    change(s, data, false);
}

static const struct {
    const char *name;
    enum role least; /* ROLE_NONE: before the login */
    void (*handle)(struct socket *, const json_t *data);
} table[] = {
    {"authenticate", ROLE_NONE, authenticate},
    {"subscribe", ROLE_VIEWER, subscribe},
    {"unsubscribe", ROLE_VIEWER, unsubscribe},
};

void event_opened(struct socket *s)
{
    if (s->caller.role != ROLE_NONE)
        welcome(s);
}

void event_said(struct socket *s, const char *name, const json_t *data)
{
    for (size_t i = 0; i < SW_COUNT(table); i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        if (role_may(s->caller.role, table[i].least) || table[i].least == ROLE_NONE)
            table[i].handle(s, data);
        else if (s->caller.role == ROLE_NONE)
            refuse(s, "unauthorized", "`authenticate` first");
        else
            refuse(s, "forbidden", "your token's role may not say that");
        return;
    }
    refuse(s, "bad_request", "no such event");
}

void event_text(struct socket *s, const char *text, size_t size)
{
    json_error_t error;
    json_t *message = json_loadb(text, size, JSON_FLAGS, &error);
    const char *name = json_string_value(json_object_get(message, "event"));
    if (name)
        event_said(s, name, json_object_get(message, "data"));
    else
        refuse(s, "bad_request", "a message is `{\"event\": …, \"data\": {…}}`");
    json_decref(message);
}

void event_gone(struct socket *s)
{
    s->wants_jobs = s->wants_devices = false;
    s->n_watched = 0;
    mirror_wanted(s->gateway);
}
