/* Goes through the WebSockets for whoever has something to tell. Called by mirror.c; keeps nothing.
 */
#include "live/audience.h"

#include "base/own.h"
#include "live/socket.h"

#include <string.h>

static bool wants(const struct socket *s, enum topic topic, uint64_t job)
{
    bool watches = false;
    for (size_t i = 0; i < s->n_watched; i++)
        watches |= s->watched[i] == job;
    switch (topic) {
    case TOPIC_JOBS:
        return s->wants_jobs || watches;
    case TOPIC_DEVICES:
        return s->wants_devices;
    case TOPIC_CHUNKS:
        return watches;
    }
    return false;
}

void audience_tell(
    struct gateway *g, enum topic topic, uint64_t job, const char *event, json_t *data_take)
{
    AUTO(sw_text) char *text = NULL;
    for (struct socket *s = sockets_first(g); s; s = s->next) {
        if (!s->whole || !wants(s, topic, job))
            continue;
        if (!text)
            text = json_dumps(data_take, JSON_COMPACT);
        if (text)
            socket_send(s, event, ++s->seq, text, strlen(text));
    }
    json_decref(data_take);
}

size_t audience_watched(const struct gateway *g, struct sw_msg_watched ret[AUDIENCE_WATCHED_MAX])
{
    size_t n = 0;
    for (struct socket *s = sockets_first(g); s; s = s->next)
        for (size_t i = 0; i < s->n_watched; i++) {
            size_t at = 0;
            while (at < n && ret[at].job != s->watched[i])
                at++;
            if (at == n && n < AUDIENCE_WATCHED_MAX)
                ret[n++].job = s->watched[i];
        }
    return n;
}

bool audience_is_there(const struct gateway *g)
{
    for (struct socket *s = sockets_first(g); s; s = s->next)
        if (s->wants_jobs || s->wants_devices || s->n_watched)
            return true;
    return false;
}
