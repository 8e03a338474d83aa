/* The gateway's configuration keys and flags. */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include "config/config.h"
#include "gateway.h"

extern const struct sw_config_program options_program; /* fills struct options */

#endif
