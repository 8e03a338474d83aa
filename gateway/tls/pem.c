/* Keys and certificates as files of STATE/gateway. Called by authority.c alone. */
#include "tls/authority.h"

#include "base/io.h"
#include "base/own.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define PEM_MAX ((size_t)256 << 10)

static BIO *read_pem(int folder_fd, const char *name, struct sw_buf *text)
{
    if (sw_file_read(folder_fd, name, PEM_MAX, text) < 0 || !text->size)
        return NULL;
    return BIO_new_mem_buf(text->data, (int)text->size);
}

/* These files are ours: one with a pass phrase is none, rather than a question on a terminal. */
static int no_pass_phrase(char *p, int size, int writing, void *arg)
{
    (void)p, (void)size, (void)writing, (void)arg;
    return -1;
}

EVP_PKEY *pem_key(int folder_fd, const char *name)
{
    AUTO_BUF struct sw_buf text = {0};
    BIO *bio = read_pem(folder_fd, name, &text);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;
    BIO_free(bio);
    if (text.size)
        explicit_bzero(text.data, text.size);
    return key;
}

X509 *pem_certificate(int folder_fd, const char *name)
{
    AUTO_BUF struct sw_buf text = {0};
    BIO *bio = read_pem(folder_fd, name, &text);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static int write_bio(int folder_fd, const char *name, BIO *bio, mode_t mode, struct sw_err *err)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    int r = n > 0 ? sw_file_replace(folder_fd, name, p, (size_t)n, mode) : -ENOMEM;
    BIO_free(bio);
    return r < 0 ? sw_fail(err, -r, "cannot write gateway/%s: %s", name, strerror(-r)) : 0;
}

EVP_PKEY *pem_make_key(int folder_fd, const char *name, struct sw_err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    if (key && bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        if (write_bio(folder_fd, name, bio, 0600, err) == 0)
            return key;
    } else {
        BIO_free(bio);
        sw_fail(err, EIO, "libcrypto makes no key");
    }
    EVP_PKEY_free(key);
    return NULL;
}

int pem_write(
    int folder_fd, const char *name, X509 *const *certificates, size_t n, struct sw_err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; bio && i < n; i++)
        PEM_write_bio_X509(bio, certificates[i]);
    return write_bio(folder_fd, name, bio, 0644, err);
}
