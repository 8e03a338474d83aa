/* What the kernel counts of a connection. */
#ifndef GATEWAY_TCP_H
#define GATEWAY_TCP_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes received, and bytes that the peer has acknowledged. */
bool tcp_counts(int fd, uint64_t *ret_received, uint64_t *ret_acked);

/* The connection is reset once it is closed, and whoever else holds it sees its end now: what a
 * peer does not read is not kept for it. */
void tcp_reset(int fd);

#endif
