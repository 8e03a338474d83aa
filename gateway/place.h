/* The state folder, and this gateway's place on it. */
#ifndef GATEWAY_PLACE_H
#define GATEWAY_PLACE_H

#include "gateway.h"

/* Opens the folders into g; with ret_lock_fd takes the lock, and as a standby waits for it. */
int place_open(struct gateway *g, int *ret_lock_fd, struct sw_err *err);

#endif
