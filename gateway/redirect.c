/* Sends who came without TLS from another machine to https, and says nothing else. Called by
 * arrivals.c; reads no more of a head than path and Host, and repeats only what is plain text and a
 * name of ours. */
#include "redirect.h"

#include "base/buf.h"
#include "base/own.h"
#include "host.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define TARGET_MAX 2048
#define HOST_MAX   256

bool redirect_is_due(const struct from *from)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)&from->address)->sin6_addr;
    if (from->secure)
        return false;
    if (from->address.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&from->address)->sin_addr.s_addr) >> 24 != 127;
    return !IN6_IS_ADDR_LOOPBACK(six) && !(IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static bool is_plain(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] >= 0x7f || strchr("\"<>\\", p[i]))
            return false;
    return true;
}

/* "/api/jobs?limit=5" of "GET /api/jobs?limit=5 HTTP/1.1" */
static void put_target(struct sw_buf *text, const char *head, size_t size)
{
    const char *p = memchr(head, ' ', size);
    const char *end = p ? memchr(p + 1, ' ', size - (size_t)(p + 1 - head)) : NULL;
    size_t n = end ? (size_t)(end - p - 1) : 0;
    if (n && n <= TARGET_MAX && p[1] == '/' && is_plain(p + 1, n))
        sw_buf_put(text, p + 1, n);
    else
        sw_buf_text(text, "/");
}

static bool put_host(struct sw_buf *text, const struct gateway *g, const char *head, size_t size)
{
    char host[HOST_MAX];
    const char *end = head + size, *p = head;
    for (; (p = memchr(p, '\n', (size_t)(end - p))); p++) {
        static const char name[] = "\nHost:";
        if ((size_t)(end - p) > sizeof name && strncasecmp(p, name, sizeof name - 1) == 0)
            break;
    }
    if (!p)
        return false;
    for (p += 6; p < end && *p == ' ';)
        p++;
    const char *stop = memchr(p, '\r', (size_t)(end - p));
    size_t n = stop ? (size_t)(stop - p) : 0;
    if (!n || n >= sizeof host || !is_plain(p, n))
        return false;
    memcpy(host, p, n);
    host[n] = '\0';
    if (!host_is_ours(g, host))
        return false;
    sw_buf_put(text, host, n);
    return true;
}

/* Where the connection came in, when its Host is none of ours. */
static void put_address(struct sw_buf *text, const struct gateway *g, int fd)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {0};
    socklen_t size = sizeof address;
    char name[INET6_ADDRSTRLEN] = "localhost";
    getsockname(fd, &address.any, &size);
    const uint8_t *six = address.six.sin6_addr.s6_addr;
    bool is_mapped = memcmp(six, mapped, sizeof mapped) == 0;
    bool four = address.any.sa_family != AF_INET6 || is_mapped;
    if (address.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &address.four.sin_addr, name, sizeof name);
    else if (address.any.sa_family == AF_INET6)
        inet_ntop(four ? AF_INET : AF_INET6, four ? six + sizeof mapped : six, name, sizeof name);
    sw_buf_printf(text, four ? "%s:%jd" : "[%s]:%jd", name, (intmax_t)g->options->port);
}

void redirect_say(struct gateway *g, int fd, const char *head, size_t size)
{
    AUTO_BUF struct sw_buf text = {0};
    sw_buf_text(&text, "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://");
    if (!put_host(&text, g, head, size))
        put_address(&text, g, fd);
    put_target(&text, head, size);
    sw_buf_text(&text, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    ssize_t ignored = send(fd, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
}
