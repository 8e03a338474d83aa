/* Words for certificates that are not good, and fingerprints. Called by wire.c, the doctor and
 * `login`; decides nothing: libcurl has refused already. */
#include "trust.h"

#include "ctl.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *words; /* 64 bytes at most: http.c cuts there */
    const char *fix;
} known[] = {
    [TRUST_GOOD] = {"", ""},
    [TRUST_UNKNOWN] = {"the authority of its certificate is not known here",
                       "`shadowctl login URL` fetches it and shows its fingerprint, or name its "
                       "file with --ca-file"},
    [TRUST_CHANGED] = {"its certificate is not by the authority that is trusted",
                       "if its administrator made a new authority, compare the fingerprint and "
                       "`shadowctl login URL` again; if not, somebody else answers there"},
    [TRUST_TIME] = {"its certificate has expired or is not valid yet",
                    "see that the clocks here and there are right; the gateway renews its own "
                    "certificate by itself, its administrator one of `cert`"},
    [TRUST_NAME] = {"its certificate is for other names than this one",
                    "use a name or an address that the gateway has, or add this one to `host` in "
                    "its gateway.conf"},
    [TRUST_NO_FILE] = {"the file of the trusted authority cannot be read",
                       "correct ca-file in shadowctl.conf or --ca-file, or `shadowctl login URL` "
                       "again"},
};

static enum trust judge(CURL *easy, CURLcode code, bool has_own)
{
    long result = 0;
    if (code == CURLE_SSL_CACERT_BADFILE)
        return TRUST_NO_FILE;
    if (code != CURLE_PEER_FAILED_VERIFICATION)
        return TRUST_GOOD;
    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    switch (result) {
    case X509_V_ERR_UNSPECIFIED: /* libcurl looks at names itself, before it asks for this result */
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TRUST_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TRUST_TIME;
    default:
        return has_own ? TRUST_CHANGED : TRUST_UNKNOWN;
    }
}

enum trust trust_judge(CURL *easy, CURLcode code, bool has_own, char *ret_words, size_t room)
{
    enum trust trust = judge(easy, code, has_own);
    if (trust != TRUST_GOOD)
        snprintf(ret_words, room, "%s", known[trust].words);
    return trust;
}

const char *trust_fix(enum trust trust)
{
    return known[trust].fix;
}

bool trust_fingerprint(const char *pem, size_t size, char ret[TRUST_FINGERPRINT])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool ok = certificate && X509_digest(certificate, EVP_sha256(), sum, &n) == 1;
    X509_free(certificate);
    BIO_free(bio);
    for (size_t i = 0, at = 0; ok && i < n && at < TRUST_FINGERPRINT; i++)
        at += (size_t)snprintf(ret + at, TRUST_FINGERPRINT - at, "%s%02X", i ? ":" : "", sum[i]);
    return ok;
}

bool trust_is_same(const char *fingerprint, const char *given)
{
    for (;; fingerprint++, given++) {
        fingerprint += *fingerprint == ':';
        given += strspn(given, ": ");
        if (toupper((unsigned char)*fingerprint) != toupper((unsigned char)*given))
            return false;
        if (!*fingerprint)
            return true;
    }
}
