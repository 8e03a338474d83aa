/* Collects the host's names and addresses. Called by tls.c at start and then now and again: an
 * address may be new. Never asks a name server: who answers there is not to be trusted with who we
 * are. */
#include "tls/names.h"

#include "base/own.h"
#include "listen.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool names_is_address(const char *name)
{
    struct in6_addr any;
    return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

/* One spelling for each name. False: no name. */
static bool canonical(const char *name, size_t size, char ret[NAME_TEXT_MAX])
{
    struct in6_addr six;
    if (size > 2 && name[0] == '[' && name[size - 1] == ']')
        name++, size -= 2;
    if (!size || size >= NAME_TEXT_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        ret[i] = (char)tolower((unsigned char)name[i]);
    ret[size] = '\0';
    if (inet_pton(AF_INET6, ret, &six) == 1)
        inet_ntop(AF_INET6, &six, ret, NAME_TEXT_MAX);
    return true;
}

bool names_have(const struct names *names, const char *name, size_t size)
{
    char text[NAME_TEXT_MAX];
    if (!canonical(name, size, text))
        return false;
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->text[i], text) == 0)
            return true;
    return false;
}

static void add(struct names *names, const char *name, size_t size)
{
    if (names->n < NAMES_MAX && !names_have(names, name, size) &&
        canonical(name, size, names->text[names->n]))
        names->n++;
}

static void add_address(struct names *names, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    const void *p = &((const struct sockaddr_in *)address)->sin_addr;
    if (address->sa_family == AF_INET6) {
        p = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)p))
            return; /* no URL can name it */
    } else if (address->sa_family != AF_INET) {
        return;
    }
    if (inet_ntop(address->sa_family, p, text, sizeof text))
        add(names, text, strlen(text));
}

static void add_interfaces(struct names *names)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0)
        return;
    for (struct ifaddrs *i = list; i; i = i->ifa_next)
        if (i->ifa_addr && (i->ifa_flags & IFF_UP))
            add_address(names, i->ifa_addr);
    freeifaddrs(list);
}

static void add_host(struct names *names)
{
    char host[NAME_TEXT_MAX], local[NAME_TEXT_MAX + sizeof ".local"];
    if (gethostname(host, sizeof host - 1) < 0 || !host[0])
        return;
    host[sizeof host - 1] = '\0';
    add(names, host, strlen(host));
    snprintf(local, sizeof local, "%.*s.local", (int)strcspn(host, "."), host);
    if (strncmp(local, "localhost.", 10) != 0)
        add(names, local, strlen(local));
}

void names_read(const struct options *options, struct names *ret)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    *ret = (struct names){0};
    for (size_t i = 0; i < SW_COUNT(always); i++)
        add(ret, always[i], strlen(always[i]));
    for (const char *name = options->host ? options->host : ""; *name;) {
        size_t n = strcspn(name, ", ");
        add(ret, name, n);
        name += n + (name[n] != '\0');
    }
    if (!listen_is_any(options))
        add(ret, options->listen, strlen(options->listen));
    if (!listen_is_beyond(options))
        return;
    add_host(ret);
    if (listen_is_any(options))
        add_interfaces(ret);
}
