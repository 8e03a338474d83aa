/* Host and Origin as every door judges them. Pure; called by head.c and upgrade.c. */
#include "host.h"

#include "tls/names.h"

#include <string.h>
#include <strings.h>

static bool is_port(const char *text)
{
    if (*text != ':')
        return *text == '\0';
    size_t digits = strspn(text + 1, "0123456789");
    return digits > 0 && digits <= 5 && text[1 + digits] == '\0';
}

bool host_is_ours(const struct gateway *g, const char *host)
{
    const char *port = strrchr(host, ':');
    if (!port || strchr(port, ']'))
        port = host + strlen(host);
    return is_port(port) && names_have(g->names, host, (size_t)(port - host));
}

bool origin_fits(const char *origin, const char *host, bool secure)
{
    if (secure && strncasecmp(origin, "https://", 8) != 0)
        return false; /* the page came unprotected: who changed it on its way? */
    const char *after = strstr(origin, "://");
    return after && strcasecmp(after + 3, host) == 0;
}
