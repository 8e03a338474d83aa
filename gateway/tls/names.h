/* The names and addresses that this gateway has: the Host check and the certificate go by them. */
#ifndef GATEWAY_TLS_NAMES_H
#define GATEWAY_TLS_NAMES_H

#include "gateway.h"

#define NAMES_MAX     64  /* containers bring interfaces by the dozen */
#define NAME_TEXT_MAX 254 /* of DNS, with its end */

struct names {
    size_t n;
    char text[NAMES_MAX][NAME_TEXT_MAX]; /* lower case; addresses as inet_ntop has them */
};

/* What there is now. Beyond loopback with the host's own names and the addresses of its interfaces.
 */
void names_read(const struct options *, struct names *ret);

/* name: without port; an address of version 6 with or without brackets. */
bool names_have(const struct names *, const char *name, size_t size);
bool names_is_address(const char *name);

#endif
