/* TLS on the gateway's one port: who we say we are, and the pump between a connection and the
 * libraries that know nothing of TLS. */
#ifndef GATEWAY_TLS_TLS_H
#define GATEWAY_TLS_TLS_H

#include "door.h"
#include "tls/names.h"

#include <openssl/ssl.h>

#define HANDSHAKES_MAX     512   /* beyond it the oldest gives way, as with heads of HTTP */
#define HANDSHAKE_MS       10000 /* as long as a head of HTTP has */
#define PUMP_BYTES         ((size_t)16 << 10)  /* held each way at most: one record */
#define PUMP_BYTES_AT_ONCE ((size_t)256 << 10) /* then the others get their turn */

struct tls;
struct pumps;

/* certificate.c */
int tls_open(struct gateway *, struct sw_err *err); /* sets g->tls, g->names */
void tls_reload(struct gateway *);                  /* SIGHUP: looks at names and files now */
void tls_destroy(struct gateway *);
SSL_CTX *tls_context(const struct gateway *);
/* The authority's certificate in PEM; NULL where one's own certificate is used. */
const char *tls_authority_pem(const struct gateway *);

/* pump.c */
void pumps_open(struct gateway *); /* sets g->pumps */
/* A connection whose first byte, still unread, begins TLS. Takes the descriptor; hands on to
 * arrivals_take. */
void pumps_take(struct gateway *, int fd, const struct from *);
/* What was answered goes out, for as long as a second; then all is closed. */
void pumps_destroy(struct pumps **);
unsigned pumps_n(const struct gateway *);

#endif
