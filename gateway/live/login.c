/* Who a WebSocket belongs to, by its head, and whether that one still is. Called by arrivals.c and
 * socket.c. A page that shows a token rather than a login cannot send Authorization with its head:
 * it sends `authenticate` as its first message (events.c). */
#include "live/socket.h"

#include "base/clock.h"

int caller_of_head(struct gateway *g,
                   const struct upgrade *upgrade,
                   struct caller *ret,
                   const char **ret_words)
{
    *ret_words = "this token or login is not known";
    if (!caller_find(g, upgrade->authorization, upgrade->cookie, ret))
        return 401;
    *ret_words = "a login by cookie needs this gateway's own Origin";
    return ret->by_cookie && !upgrade->origin[0] ? 403 : 0;
}

void callers_look(struct gateway *g, uint64_t *version)
{
    uint64_t now = callers_version(g);
    int64_t wall_ms = sw_wall_ms();
    bool changed = now != *version;
    *version = now;
    for (struct socket *s = sockets_first(g); s; s = s->next) {
        bool expired = s->caller.expires_ms && s->caller.expires_ms <= wall_ms;
        if (expired || (changed && !caller_lives(g, &s->caller)))
            socket_expel(s, "the token or login was revoked, or has expired");
    }
}
