/* Host and Origin as every door judges them. Pure; called by head.c and upgrade.c. */
#include "host.h"

#include "base/own.h"

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
    const struct options *options = g->options;
    static const char *const ours[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < SW_COUNT(ours); i++) {
        size_t n = strlen(ours[i]);
        if (strncasecmp(host, ours[i], n) == 0 && is_port(host + n))
            return true;
    }
    size_t n = strlen(options->listen);
    if (strncasecmp(host, options->listen, n) == 0 && is_port(host + n))
        return true;
    for (const char *name = options->host ? options->host : ""; *name;) {
        n = strcspn(name, ", ");
        if (n && strncasecmp(host, name, n) == 0 && is_port(host + n))
            return true;
        name += n + (name[n] != '\0');
    }
    return false;
}

bool origin_fits(const char *origin, const char *host, bool secure)
{
    if (secure && strncasecmp(origin, "https://", 8) != 0)
        return false; /* the page came unprotected: who changed it on its way? */
    const char *after = strstr(origin, "://");
    return after && strcasecmp(after + 3, host) == 0;
}
