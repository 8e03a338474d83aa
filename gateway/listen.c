/* Opens the listening socket. Called by the door at start. Who may come in is decided elsewhere:
 * beyond loopback, by TLS alone (arrivals.c). */
#include "listen.h"

#include "base/io.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 1024

static int parse_address(const struct options *options,
                         struct sockaddr_storage *ret,
                         socklen_t *ret_size,
                         struct sw_err *err)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    const char *text = strcmp(options->listen, "localhost") == 0 ? "127.0.0.1" : options->listen;
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)options->port);
        *ret_size = sizeof *four;
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)options->port);
        *ret_size = sizeof *six;
    } else {
        return sw_fail(err, EINVAL,
                       "listen %s: not an IP address; 127.0.0.1 or ::1 for this machine alone, "
                       "0.0.0.0 or :: for all",
                       text);
    }
    return 0;
}

bool listen_is_beyond(const struct options *options)
{
    struct sockaddr_storage address;
    struct sw_err ignored = {""};
    socklen_t size;
    if (parse_address(options, &address, &size, &ignored) < 0)
        return false;
    if (address.ss_family == AF_INET)
        return ntohl(((struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24 != 127;
    return !IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&address)->sin6_addr);
}

bool listen_is_any(const struct options *options)
{
    return strcmp(options->listen, "0.0.0.0") == 0 || strcmp(options->listen, "::") == 0;
}

int listen_open(const struct options *options, int *ret_fd, struct sw_err *err)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    int one = 1, none = 0;
    sw_descriptors_raise();
    int r = parse_address(options, &address, &size, err);
    if (r < 0)
        return r;
    AUTO_FD int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof none); /* :: is 0.0.0.0 too */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
        return sw_fail(err, errno, "cannot listen on %s port %jd: %s", options->listen,
                       (intmax_t)options->port, strerror(errno));
    *ret_fd = TAKE_FD(fd);
    return 0;
}
