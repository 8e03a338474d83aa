/* The gateway's own certificate authority, and the certificate that it makes for the gateway. */
#ifndef GATEWAY_TLS_AUTHORITY_H
#define GATEWAY_TLS_AUTHORITY_H

#include "base/buf.h"
#include "base/err.h"
#include "tls/names.h"

#include <openssl/x509.h>

#define FINGERPRINT_TEXT 96 /* SHA-256 as AA:BB:..., with its end */

struct authority {
    int folder_fd; /* STATE/gateway, borrowed */
    EVP_PKEY *key;
    X509 *certificate;
};

/* Reads ca.key and ca.crt, or makes them. */
int authority_open(
    struct authority *ret, int folder_fd, const struct names *, bool *ret_made, struct sw_err *err);
void authority_done(struct authority *);

/* Whether server.key and server.crt are good for these names for a while yet. */
bool authority_is_served(const struct authority *, const struct names *);
/* Writes server.key (kept when there is one) and server.crt, the authority's certificate behind it.
 */
int authority_serve(const struct authority *, const struct names *, struct sw_err *err);

void authority_fingerprint(const X509 *, char ret[FINGERPRINT_TEXT]);

/* pem.c: of the folder; NULL when there is none, or it is none. */
EVP_PKEY *pem_key(int folder_fd, const char *name);
X509 *pem_certificate(int folder_fd, const char *name);
EVP_PKEY *pem_make_key(int folder_fd, const char *name, struct sw_err *err);
int pem_write(
    int folder_fd, const char *name, X509 *const *certificates, size_t n, struct sw_err *err);

#endif
