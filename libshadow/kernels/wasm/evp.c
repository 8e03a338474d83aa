/* The part of OpenSSL that the kernels call, by libsodium: OpenSSL itself does not build without a
 * machine under it. Called by hash.c and transform_base64.c in the wasm module alone; never part of
 * a program. */
#include <openssl/evp.h>

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/crypto_hash_sha512.h>
#include <stdlib.h>
#include <string.h>

enum kind { SHA256, SHA512, BLAKE2B };

struct evp_digest {
    const char *name;
    enum kind kind;
    unsigned size;
};

struct evp_context {
    const EVP_MD *digest;
    union {
        crypto_hash_sha256_state sha256;
        crypto_hash_sha512_state sha512;
        crypto_generichash_blake2b_state blake2b;
    };
};

static EVP_MD digests[] = {
    {"SHA256", SHA256, crypto_hash_sha256_BYTES},
    {"SHA512", SHA512, crypto_hash_sha512_BYTES},
    {"BLAKE2B-512", BLAKE2B, crypto_generichash_blake2b_BYTES_MAX},
};

EVP_MD *EVP_MD_fetch(void *library, const char *name, const char *properties)
{
    (void)library;
    (void)properties;
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        if (strcmp(digests[i].name, name) == 0)
            return &digests[i];
    }
    return NULL;
}

void EVP_MD_free(EVP_MD *digest)
{
    (void)digest;
}

EVP_MD_CTX *EVP_MD_CTX_new(void)
{
    void *context = NULL; /* BLAKE2b's state wants 64 bytes' alignment */
    return posix_memalign(&context, 64, sizeof(EVP_MD_CTX)) == 0 ? context : NULL;
}

void EVP_MD_CTX_free(EVP_MD_CTX *context)
{
    free(context);
}

int EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *digest, const void *params)
{
    (void)params;
    context->digest = digest;
    switch (digest->kind) {
    case SHA256:
        return crypto_hash_sha256_init(&context->sha256) == 0;
    case SHA512:
        return crypto_hash_sha512_init(&context->sha512) == 0;
    case BLAKE2B:
        return crypto_generichash_blake2b_init(&context->blake2b, NULL, 0, digest->size) == 0;
    }
    return 0;
}

int EVP_DigestUpdate(EVP_MD_CTX *context, const void *p, size_t n)
{
    switch (context->digest->kind) {
    case SHA256:
        return crypto_hash_sha256_update(&context->sha256, p, n) == 0;
    case SHA512:
        return crypto_hash_sha512_update(&context->sha512, p, n) == 0;
    case BLAKE2B:
        return crypto_generichash_blake2b_update(&context->blake2b, p, n) == 0;
    }
    return 0;
}

int EVP_DigestFinal_ex(EVP_MD_CTX *context, uint8_t *ret_digest, unsigned *ret_size)
{
    *ret_size = context->digest->size;
    switch (context->digest->kind) {
    case SHA256:
        return crypto_hash_sha256_final(&context->sha256, ret_digest) == 0;
    case SHA512:
        return crypto_hash_sha512_final(&context->sha512, ret_digest) == 0;
    case BLAKE2B:
        return crypto_generichash_blake2b_final(&context->blake2b, ret_digest, *ret_size) == 0;
    }
    return 0;
}

int EVP_EncodeBlock(uint8_t *ret_text, const uint8_t *p, int n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *at = ret_text;
    for (int i = 0; i < n; i += 3) {
        uint32_t group = (uint32_t)p[i] << 16;
        group |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
        group |= i + 2 < n ? p[i + 2] : 0;
        *at++ = (uint8_t)digits[group >> 18];
        *at++ = (uint8_t)digits[group >> 12 & 63];
        *at++ = (uint8_t)(i + 1 < n ? digits[group >> 6 & 63] : '=');
        *at++ = (uint8_t)(i + 2 < n ? digits[group & 63] : '=');
    }
    *at = 0;
    return (int)(at - ret_text);
}
