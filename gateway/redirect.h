/* The one answer to HTTP that comes from another machine unprotected. */
#ifndef GATEWAY_REDIRECT_H
#define GATEWAY_REDIRECT_H

#include "door.h"

bool redirect_is_due(const struct from *); /* not from this machine, and not by TLS */
/* Says where the same is to be had by TLS. head: as far as it came. */
void redirect_say(struct gateway *, int fd, const char *head, size_t size);

#endif
