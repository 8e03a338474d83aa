/* Owns the certificate that the gateway shows and its renewal: its own authority's, or the files
 * that the options name. Called by main and by the pump; a change that is no good leaves what there
 * is and says so once. */
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/own.h"
#include "tls/authority.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS  1000  /* at the files of `cert` and `key` */
#define NAMES_MS 60000 /* at the host's names, and at the time left */

struct seen { /* of a file, to notice that it is another */
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct tls {
    struct gateway *gateway;
    SSL_CTX *context;
    struct authority authority; /* not used with one's own certificate */
    char *authority_pem;
    struct seen cert, key;
    uv_timer_t tick;
    int64_t names_ms;
};

static int choose_protocol(SSL *ssl,
                           const unsigned char **ret,
                           unsigned char *ret_size,
                           const unsigned char *offered,
                           unsigned offered_size,
                           void *ignored)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl, (void)ignored;
    if (SSL_select_next_proto(&chosen, ret_size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* HTTP/2 alone is not spoken here */
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int no_pass_phrase(char *p, int size, int writing, void *arg)
{
    (void)p, (void)size, (void)writing, (void)arg;
    return -1;
}

/* No tickets, no session cache: each client keeps its connections, and nothing is kept of those
 * that left. */
static SSL_CTX *new_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    return context;
}

static const char *reason(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    return words ? words : "no reason given";
}

/* Reads a certificate with its chain and the key to it, and shows them from now on. */
static int show(struct tls *tls, const char *cert, const char *key, struct sw_err *err)
{
    SSL_CTX *context = new_context();
    int r = 0;
    ERR_clear_error();
    if (!context)
        return sw_fail(err, EIO, "libssl does not start: %s", reason());
    if (faccessat(AT_FDCWD, cert, R_OK, AT_EACCESS) < 0)
        r = sw_fail(err, errno, "cert %s: %s", cert, strerror(errno));
    else if (faccessat(AT_FDCWD, key, R_OK, AT_EACCESS) < 0)
        r = sw_fail(err, errno, "key %s: %s", key, strerror(errno));
    else if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        r = sw_fail(err, EINVAL, "cert %s: no certificate in PEM: %s", cert, reason());
    else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        r = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH
                ? sw_fail(err, EINVAL, "key %s is not that of cert %s", key, cert)
                : sw_fail(err, EINVAL, "key %s: no key in PEM without a pass phrase: %s", key,
                          reason());
    else if (SSL_CTX_check_private_key(context) != 1)
        r = sw_fail(err, EINVAL, "key %s is not that of cert %s", key, cert);
    ERR_clear_error();
    if (r == 0) {
        SSL_CTX_free(tls->context);
        tls->context = TAKE(context);
    }
    SSL_CTX_free(context);
    return r;
}

/* ---- our own authority's ---- */

static int show_own(struct tls *tls, struct sw_err *err)
{
    const char *state = tls->gateway->options->state;
    AUTO_BUF struct sw_buf cert = {0};
    AUTO_BUF struct sw_buf key = {0};
    sw_buf_printf(&cert, "%s/gateway/server.crt", state);
    sw_buf_printf(&key, "%s/gateway/server.key", state);
    return show(tls, (const char *)cert.data, (const char *)key.data, err);
}

static int renew_own(struct tls *tls, struct sw_err *err)
{
    if (authority_is_served(&tls->authority, tls->gateway->names))
        return 0;
    int r = authority_serve(&tls->authority, tls->gateway->names, err);
    if (r < 0)
        return r;
    sw_log(SW_LOG_INFO, "certificate made names=%zu", tls->gateway->names->n);
    return show_own(tls, err);
}

static int open_own(struct tls *tls, struct sw_err *err)
{
    AUTO_BUF struct sw_buf pem = {0};
    char fingerprint[FINGERPRINT_TEXT];
    struct gateway *g = tls->gateway;
    bool made;
    int r = authority_open(&tls->authority, g->gateway_fd, g->names, &made, err);
    if (r == 0)
        r = renew_own(tls, err);
    if (r == 0 && !tls->context)
        r = show_own(tls, err);
    if (r == 0)
        r = sw_file_read(g->gateway_fd, "ca.crt", (size_t)64 << 10, &pem);
    if (r < 0)
        return r;
    tls->authority_pem = sw_buf_take_text(&pem);
    authority_fingerprint(tls->authority.certificate, fingerprint);
    sw_log(SW_LOG_NOTICE, "certificate authority%s file=%s/gateway/ca.crt sha256=%s",
           made ? " made" : "", g->options->state, fingerprint);
    return 0;
}

/* ---- one's own ---- */

static bool is_another(const char *path, struct seen *seen)
{
    struct stat now = {0};
    if (stat(path, &now) < 0)
        return false;
    struct seen is = {now.st_ino, now.st_size, now.st_mtim};
    bool another = is.ino != seen->ino || is.size != seen->size ||
                   is.changed.tv_sec != seen->changed.tv_sec ||
                   is.changed.tv_nsec != seen->changed.tv_nsec;
    *seen = is;
    return another;
}

static int show_given(struct tls *tls, struct sw_err *err)
{
    const struct options *options = tls->gateway->options;
    return show(tls, options->cert, options->key, err);
}

static void look_at_given(struct tls *tls, bool anyway)
{
    struct sw_err err = {""};
    bool another = is_another(tls->gateway->options->cert, &tls->cert);
    another |= is_another(tls->gateway->options->key, &tls->key);
    if (!another && !anyway)
        return;
    if (show_given(tls, &err) < 0)
        sw_log(SW_LOG_WARNING, "the old certificate stays: %s", err.text);
    else
        sw_log(SW_LOG_INFO, "certificate read again file=%s", tls->gateway->options->cert);
}

/* ---- both ---- */

static void look_at_names(struct tls *tls)
{
    struct sw_err err = {""};
    struct gateway *g = tls->gateway;
    tls->names_ms = sw_boot_ms();
    names_read(g->options, g->names);
    if (!g->options->cert && renew_own(tls, &err) < 0)
        sw_log(SW_LOG_WARNING, "the old certificate stays: %s", err.text);
}

static void on_tick(uv_timer_t *timer)
{
    struct tls *tls = timer->data;
    if (tls->gateway->options->cert)
        look_at_given(tls, false);
    if (sw_boot_ms() - tls->names_ms >= NAMES_MS)
        look_at_names(tls);
}

void tls_reload(struct gateway *g)
{
    if (g->options->cert)
        look_at_given(g->tls, true);
    look_at_names(g->tls);
}

SSL_CTX *tls_context(const struct gateway *g)
{
    return g->tls->context;
}

const char *tls_authority_pem(const struct gateway *g)
{
    return g->tls->authority_pem;
}

int tls_open(struct gateway *g, struct sw_err *err)
{
    const struct options *options = g->options;
    if (!options->cert != !options->key)
        return sw_fail(err, EINVAL, "`cert` and `key` belong together: %s is missing",
                       options->cert ? "key" : "cert");
    struct tls *tls = sw_alloc(1, sizeof *tls);
    tls->gateway = g;
    g->tls = tls;
    g->names = sw_alloc(1, sizeof *g->names);
    names_read(options, g->names);
    tls->names_ms = sw_boot_ms();
    uv_timer_init(g->loop, &tls->tick);
    tls->tick.data = tls;
    uv_timer_start(&tls->tick, on_tick, LOOK_MS, LOOK_MS);
    if (!options->cert)
        return open_own(tls, err);
    is_another(options->cert, &tls->cert);
    is_another(options->key, &tls->key);
    return show_given(tls, err);
}

void tls_destroy(struct gateway *g)
{
    struct tls *tls = TAKE(g->tls);
    if (!tls)
        return;
    uv_close((uv_handle_t *)&tls->tick, NULL);
    uv_run(g->loop, UV_RUN_NOWAIT); /* the handle is gone before its memory */
    SSL_CTX_free(tls->context);
    authority_done(&tls->authority);
    sw_release(tls->authority_pem);
    sw_release(tls);
    sw_release(TAKE(g->names));
}
