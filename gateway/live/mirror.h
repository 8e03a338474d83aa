/* What the broker tells as it happens: jobs that have not ended and all devices, kept here so that
 * a page that comes has them at once. Only while somebody listens. */
#ifndef GATEWAY_LIVE_MIRROR_H
#define GATEWAY_LIVE_MIRROR_H

#include "gateway.h"

#include <jansson.h>

struct socket;

void mirror_open(struct gateway *); /* sets g->mirror */
void mirror_destroy(struct mirror **);

/* Somebody listens who did not, or wants other jobs: asks the broker for what is missing. */
void mirror_wanted(struct gateway *);
/* Sends the snapshot now, or as soon as there is one. */
void mirror_show(struct socket *);

#endif
