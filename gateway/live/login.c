/* Who a WebSocket belongs to, by its head. A page of a browser cannot send Authorization with it:
 * it sends `authenticate` as its first message (events.c). */
#include "base/clock.h"
#include "live/socket.h"

#include <string.h>
#include <strings.h>

int caller_of_head(struct gateway *g,
                   const struct upgrade *upgrade,
                   struct caller *ret,
                   const char **ret_words)
{
    static const char scheme[] = "Bearer ";
    const char *text = upgrade->authorization;
    if (!*text)
        return 0;
    if (strncasecmp(text, scheme, sizeof scheme - 1) == 0) {
        text += sizeof scheme - 1;
        ret->role = tokens_check(g->tokens, text, strlen(text), sw_boot_ms(), ret->owner);
    }
    *ret_words = "this token is not known";
    return ret->role == ROLE_NONE ? 401 : 0;
}
