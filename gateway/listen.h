/* The listening socket. */
#ifndef GATEWAY_LISTEN_H
#define GATEWAY_LISTEN_H

#include "gateway.h"

/* Non-blocking; also raises the process's descriptor limit. */
int listen_open(const struct options *, int *ret_fd, struct sw_err *err);

bool listen_is_beyond(const struct options *); /* open to other machines */
bool listen_is_any(const struct options *);    /* on all addresses of this one */

#endif
