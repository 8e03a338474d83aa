/* The gateway's key pair for the broker's door, with the broker's public key. */
#ifndef GATEWAY_BROKER_KEYS_H
#define GATEWAY_BROKER_KEYS_H

#include "gateway.h"
#include "proto/link.h"

int broker_keys_read(const struct options *, struct sw_keys *ret, struct sw_err *err);

#endif
