/* Makes the authority at the first start, and certificates for the gateway as its names change and
 * its time runs out. Called by tls.c; the private keys never leave STATE/gateway.
 *
 * People put this authority among those that they trust, so it may speak for as little as possible:
 * for servers, one level deep, and for names and addresses of local networks besides those that the
 * host had when it was made. */
#include "tls/authority.h"

#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define DAY_S          ((long)86400)
#define AUTHORITY_DAYS 3652 /* ten years */
#define SERVER_DAYS    397  /* more is refused by browsers */
#define RENEW_DAYS     30
#define BACKDATE_DAYS  1 /* clocks of clients are behind */

static const char local_networks[] =
    "critical,permitted;DNS:localhost,permitted;DNS:local,permitted;DNS:lan,permitted;DNS:internal,"
    "permitted;DNS:home.arpa,permitted;IP:127.0.0.0/255.0.0.0,permitted;IP:10.0.0.0/255.0.0.0,"
    "permitted;IP:172.16.0.0/255.240.0.0,permitted;IP:192.168.0.0/255.255.0.0,"
    "permitted;IP:169.254.0.0/255.255.0.0,permitted;IP:100.64.0.0/255.192.0.0,"
    "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,permitted;IP:fc00::/fe00::";

static bool is_valid_name(const char *name)
{
    size_t n = strlen(name);
    return n == strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") && name[0] != '.';
}

static void name_text(struct sw_buf *text, const char *before, const char *name, bool as_network)
{
    const char *mask = "";
    if (names_is_address(name) && as_network)
        mask = strchr(name, ':') ? "/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "/255.255.255.255";
    else if (!names_is_address(name) && !is_valid_name(name))
        return;
    sw_buf_printf(text, "%s%s%s:%s%s", text->size ? "," : "", before,
                  names_is_address(name) ? "IP" : "DNS", name, mask);
}

static bool extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

/* What all have in common; *ret is complete but for extensions and signature. */
static X509 *begin(EVP_PKEY *key, const X509_NAME *issuer, const char *subject, int days)
{
    unsigned char number[16] = {0};
    X509 *x = X509_new();
    X509_NAME *name = X509_NAME_new();
    BIGNUM *serial = NULL;
    bool ok = x && name && RAND_bytes(number, sizeof number) == 1;
    number[0] &= 0x7f;
    ok = ok && (serial = BN_bin2bn(number, sizeof number, NULL)) &&
         BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) &&
         X509_set_version(x, X509_VERSION_3) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATE_DAYS * DAY_S) &&
         X509_gmtime_adj(X509_getm_notAfter(x), days * DAY_S) &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1,
                                    -1, 0) == 1 &&
         X509_set_subject_name(x, name) == 1 &&
         X509_set_issuer_name(x, issuer ? issuer : name) == 1 && X509_set_pubkey(x, key) == 1;
    BN_free(serial);
    X509_NAME_free(name);
    if (ok)
        return x;
    X509_free(x);
    return NULL;
}

static X509 *make_authority(EVP_PKEY *key, const struct names *names)
{
    AUTO_BUF struct sw_buf permitted = {0};
    char subject[64];
    unsigned char id[4] = {0};
    RAND_bytes(id, sizeof id);
    snprintf(subject, sizeof subject, "ShadowWork CA %02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
    sw_buf_text(&permitted, local_networks);
    for (size_t i = 0; i < names->n; i++)
        name_text(&permitted, "permitted;", names->text[i], true);
    X509 *x = begin(key, NULL, subject, AUTHORITY_DAYS);
    if (x && extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        extend(x, x, NID_ext_key_usage, "serverAuth") &&
        extend(x, x, NID_subject_key_identifier, "hash") &&
        extend(x, x, NID_name_constraints, (const char *)permitted.data) &&
        X509_sign(x, key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

static int days_left(const X509 *x)
{
    int days = 0, seconds = 0;
    return ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) == 1 ? days : 0;
}

int authority_open(struct authority *ret,
                   int folder_fd,
                   const struct names *names,
                   bool *ret_made,
                   struct sw_err *err)
{
    *ret = (struct authority){.folder_fd = folder_fd,
                              .key = pem_key(folder_fd, "ca.key"),
                              .certificate = pem_certificate(folder_fd, "ca.crt")};
    *ret_made = false;
    if (ret->certificate && days_left(ret->certificate) < RENEW_DAYS) {
        X509_free(TAKE(ret->certificate)); /* ten years later */
    } else if (ret->certificate &&
               (!ret->key || X509_check_private_key(ret->certificate, ret->key) != 1)) {
        authority_done(ret);
        return sw_fail(err, EINVAL,
                       "gateway/ca.key does not belong to gateway/ca.crt: restore it, or remove "
                       "both to have new ones made");
    }
    if (ret->certificate)
        return 0;
    *ret_made = true;
    if (!ret->key)
        ret->key = pem_make_key(folder_fd, "ca.key", err);
    if (!ret->key)
        return -EIO;
    ret->certificate = make_authority(ret->key, names);
    if (!ret->certificate)
        return sw_fail(err, EIO, "libcrypto makes no certificate authority");
    return pem_write(folder_fd, "ca.crt", &ret->certificate, 1, err);
}

void authority_done(struct authority *authority)
{
    EVP_PKEY_free(TAKE(authority->key));
    X509_free(TAKE(authority->certificate));
}

/* A certificate with one name that its authority may not speak for is good for none of them. */
static bool may_name(const struct authority *authority, const char *name)
{
    AUTO_BUF struct sw_buf text = {0};
    name_text(&text, "", name, false);
    NAME_CONSTRAINTS *permitted =
        X509_get_ext_d2i(authority->certificate, NID_name_constraints, NULL, NULL);
    X509 *x = X509_new();
    bool may = text.size && x && extend(x, x, NID_subject_alt_name, (const char *)text.data);
    if (may)
        X509_check_purpose(x, -1, 0); /* it takes the names out of the extension */
    may = may && (!permitted || NAME_CONSTRAINTS_check(x, permitted) == X509_V_OK);
    X509_free(x);
    NAME_CONSTRAINTS_free(permitted);
    return may;
}

static bool has_name(X509 *x, const char *name)
{
    return names_is_address(name) ? X509_check_ip_asc(x, name, 0) == 1
                                  : X509_check_host(x, name, 0, 0, NULL) == 1;
}

bool authority_is_served(const struct authority *authority, const struct names *names)
{
    X509 *x = pem_certificate(authority->folder_fd, "server.crt");
    EVP_PKEY *key = pem_key(authority->folder_fd, "server.key");
    bool ok =
        x && key && X509_check_private_key(x, key) == 1 && X509_verify(x, authority->key) == 1 &&
        (days_left(x) >= RENEW_DAYS ||
         ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(authority->certificate)) ==
             0) &&
        X509_cmp_current_time(X509_get0_notBefore(x)) < 0;
    for (size_t i = 0; ok && i < names->n; i++)
        ok = has_name(x, names->text[i]) || !may_name(authority, names->text[i]);
    EVP_PKEY_free(key);
    X509_free(x);
    return ok;
}

static X509 *
make_server(const struct authority *authority, EVP_PKEY *key, const struct names *names)
{
    AUTO_BUF struct sw_buf all = {0};
    X509 *issuer = authority->certificate;
    for (size_t i = 0; i < names->n; i++)
        if (may_name(authority, names->text[i]))
            name_text(&all, "", names->text[i], false);
        else
            sw_log(SW_LOG_WARNING,
                   "the certificate cannot have name=%s: gateway/ca.crt was made without it; "
                   "remove ca.key and ca.crt to have a new authority made, or use `cert` and `key`",
                   names->text[i]);
    X509 *x = begin(key, X509_get_subject_name(issuer), "ShadowWork gateway", SERVER_DAYS);
    if (x && ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(issuer)) > 0)
        X509_set1_notAfter(x, X509_get0_notAfter(issuer));
    if (x && extend(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
        extend(x, issuer, NID_key_usage, "critical,digitalSignature") &&
        extend(x, issuer, NID_ext_key_usage, "serverAuth") &&
        extend(x, issuer, NID_subject_key_identifier, "hash") &&
        extend(x, issuer, NID_authority_key_identifier, "keyid:always") &&
        extend(x, issuer, NID_subject_alt_name, (const char *)all.data) &&
        X509_sign(x, authority->key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

int authority_serve(const struct authority *authority,
                    const struct names *names,
                    struct sw_err *err)
{
    EVP_PKEY *key = pem_key(authority->folder_fd, "server.key");
    if (!key)
        key = pem_make_key(authority->folder_fd, "server.key", err);
    if (!key)
        return -EIO;
    X509 *chain[] = {make_server(authority, key, names), authority->certificate};
    int r = chain[0] ? pem_write(authority->folder_fd, "server.crt", chain, SW_COUNT(chain), err)
                     : sw_fail(err, EIO, "libcrypto makes no certificate");
    X509_free(chain[0]);
    EVP_PKEY_free(key);
    return r;
}

void authority_fingerprint(const X509 *certificate, char ret[FINGERPRINT_TEXT])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    X509_digest(certificate, EVP_sha256(), sum, &n);
    ret[0] = '\0';
    for (size_t i = 0, at = 0; i < n && at < FINGERPRINT_TEXT; i++)
        at += (size_t)snprintf(ret + at, FINGERPRINT_TEXT - at, "%s%02X", i ? ":" : "", sum[i]);
}
