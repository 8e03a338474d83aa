/* Asks the kernel about a connection. Called by watch.c. A file of its own because the struct with
 * the byte counts is in linux/tcp.h, which does not go with the libc's header that libuv includes.
 */
#include "tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool tcp_counts(int fd, uint64_t *ret_received, uint64_t *ret_acked)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    *ret_received = info.tcpi_bytes_received;
    *ret_acked = info.tcpi_bytes_acked;
    return true;
}

void tcp_reset(int fd)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    shutdown(fd, SHUT_RDWR);
}
