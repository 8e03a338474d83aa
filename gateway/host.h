/* Which names this gateway answers to, and whether a page may ask here. */
#ifndef GATEWAY_HOST_H
#define GATEWAY_HOST_H

#include "gateway.h"

/* A Host header's value. Only names that nobody outside can point at us: a page of another site
 * that was rebound to our address still sends its own name. Any port: a tunnel may lead here. */
bool host_is_ours(const struct gateway *, const char *host);

/* A browser's Origin beside the Host it asked: the same name and port, and https when asked by TLS.
 * Not asked by TLS it may still be https: of a proxy in front. */
bool origin_fits(const char *origin, const char *host, bool secure);

#endif
