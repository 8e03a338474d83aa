/* Connections that were accepted and have not said yet what they want. */
#ifndef GATEWAY_ARRIVALS_H
#define GATEWAY_ARRIVALS_H

#include "door.h"

#define ARRIVALS_MAX 512   /* beyond it the oldest gives way */
#define ARRIVAL_MS   10000 /* as long as a head of HTTP has */

struct arrivals;

int arrivals_open(struct gateway *, struct sw_err *err); /* sets g->arrivals */
/* Takes the descriptors; looks at fd now, and again as bytes come. */
void arrivals_take(struct gateway *, int fd, const struct from *);
void arrivals_destroy(struct arrivals **);

#endif
