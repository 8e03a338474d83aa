/* The listening socket. */
#ifndef GATEWAY_LISTEN_H
#define GATEWAY_LISTEN_H

#include "gateway.h"

/* Non-blocking; also raises the process's descriptor limit. -EPERM beyond loopback. */
int listen_open(const struct options *, int *ret_fd, struct sw_err *err);

#endif
