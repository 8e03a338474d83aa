/* What the kernels use of OpenSSL's EVP, in the wasm module: digests by libsodium, and base64 of a
 * line (evp.c). The kernels' sources are thus the same as on the machine. */
#ifndef SW_WASM_EVP_H
#define SW_WASM_EVP_H

#include <stddef.h>
#include <stdint.h>

#define EVP_MAX_MD_SIZE 64

typedef struct evp_digest EVP_MD;
typedef struct evp_context EVP_MD_CTX;

EVP_MD *EVP_MD_fetch(void *library, const char *name, const char *properties);
void EVP_MD_free(EVP_MD *digest);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *context);

/* All: 1, or 0 when it failed. */
int EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *digest, const void *params);
int EVP_DigestUpdate(EVP_MD_CTX *context, const void *p, size_t n);
int EVP_DigestFinal_ex(EVP_MD_CTX *context, uint8_t *ret_digest, unsigned *ret_size);

/* base64 of n bytes and a NUL; how many characters. */
int EVP_EncodeBlock(uint8_t *ret_text, const uint8_t *p, int n);

#endif
