/* The verb `login`: learns to trust a gateway on another machine, by its authority's fingerprint,
 * and keeps that and a token for all other verbs. Sends the token to nobody who has not shown that
 * authority's certificate. */
#include "http_own.h"
#include "verbs.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)4096)
#define ASK_MS         10000 /* for each of the three questions to the gateway */

struct login {
    struct ctl *ctl;
    const struct call *call;
    char *url, *token, *authority; /* the latter in PEM; NULL: the system's are enough */
    char fingerprint[TRUST_FINGERPRINT];
};

/* A line of standard input, without its end. -EINTR; -ENODATA when there is none. */
static int read_line(struct sw_buf *ret)
{
    struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = interrupt_fd(), .events = POLLIN}};
    for (char c; ret->size < LINE_MAX_BYTES;) {
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (interrupted())
            return -EINTR;
        ssize_t n = wait[0].revents ? read(STDIN_FILENO, &c, 1) : 0;
        if (wait[0].revents && n <= 0)
            return ret->size ? 0 : -ENODATA;
        if (n == 1 && c == '\n')
            return 0;
        if (n == 1 && c != '\r')
            sw_buf_put(ret, &c, 1);
    }
    return -ENODATA;
}

/* Asks on standard error; `secret`: what is typed is not shown. */
static int ask(const char *question, bool secret, struct sw_buf *ret)
{
    struct termios as_was, hidden;
    bool hides = secret && tcgetattr(STDIN_FILENO, &as_was) == 0;
    if (hides) {
        hidden = as_was;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    if (isatty(STDIN_FILENO))
        fputs(question, stderr); /* after that, since it drops what was typed before */
    int r = read_line(ret);
    if (hides) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_was);
        fputc('\n', stderr);
    }
    return r;
}

static bool is_loopback(const char *url)
{
    static const char *const names[] = {"127.", "localhost", "[::1]"};
    const char *host = strstr(url, "://") + 3;
    for (size_t i = 0; i < SW_COUNT(names); i++)
        if (!strncasecmp(host, names[i], strlen(names[i])))
            return true;
    return false;
}

static int take_url(struct login *login, struct sw_err *err)
{
    AUTO_BUF struct sw_buf url = {0};
    const char *given = login->call->args[0];
    if (!strstr(given, "://"))
        sw_buf_text(&url, "https://");
    sw_buf_text(&url, given);
    login->url = sw_buf_take_text(&url);
    for (size_t n = strlen(login->url); n && login->url[n - 1] == '/';)
        login->url[--n] = 0;
    bool plain = !strncmp(login->url, "http://", 7);
    if ((!plain && strncmp(login->url, "https://", 8) != 0) || strpbrk(login->url, " \t,\r\n#"))
        return sw_fail(err, CTL_ERR_USAGE, "`%s`: expected https://HOST:PORT",
                       text_short(given, CTL_NAME_BYTES).text);
    if (plain && !is_loopback(login->url))
        return sw_fail(err, CTL_ERR_USAGE,
                       "`%s`: another machine is reached by https:// only, or the token could be "
                       "read on its way",
                       text_short(given, 50).text);
    return 0;
}

/* One question by a connection of its own. */
static int get(const struct login *login,
               bool unverified,
               const char *path,
               struct http_answer *ret,
               enum trust *ret_trust,
               struct sw_err *err)
{
    struct http *http = NULL;
    struct ctl as = {.gateway = login->url,
                     .ca_pem = login->authority,
                     .unverified = unverified,
                     .token = unverified ? NULL : login->token};
    int r = http_open(&as, &http, err);
    if (r)
        return r;
    http_deadline(http, ASK_MS);
    r = http_get(http, path, ret, err);
    *ret_trust = http->trust;
    http_destroy(&http);
    return r;
}

/* Fetches the authority from whoever answers there; what makes it trusted is its fingerprint alone.
 */
static int fetch_authority(struct login *login, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    enum trust ignored;
    int r = get(login, true, "/api/ca.crt", &answer, &ignored, err);
    if (answer.status == 404)
        return sw_fail(
            err, CTL_ERR_REFUSED,
            "its certificate is by an authority that is not known here, and not its own: "
            "--ca-file");
    if (r)
        return r;
    const char *pem = answer.body.size ? (const char *)answer.body.data : "";
    if (!trust_fingerprint(pem, answer.body.size, login->fingerprint))
        return sw_fail(err, CTL_ERR_REFUSED,
                       "what answers there gives no certificate: no gateway?");
    login->authority = sw_copy_text(pem, answer.body.size);
    return 0;
}

static int agree(struct login *login, struct sw_err *err)
{
    AUTO_BUF struct sw_buf answer = {0};
    const char *given = call_option(login->call, "fingerprint");
    say("SHA-256 fingerprint of the gateway's certificate authority:");
    say("%s", login->fingerprint);
    if (given && !trust_is_same(login->fingerprint, given))
        return sw_fail(err, CTL_ERR_REFUSED,
                       "that is not the fingerprint that was given: nothing is stored");
    if (given)
        return 0;
    if (!isatty(STDIN_FILENO))
        return sw_fail(err, CTL_ERR_REFUSED, "nobody can be asked here: give --fingerprint");
    int r = ask("The gateway's log has it at its start. Is it the same? [y/N] ", false, &answer);
    if (r == -EINTR)
        return sw_fail(err, EINTR, "interrupted");
    if (r || !answer.size || (answer.data[0] != 'y' && answer.data[0] != 'Y'))
        return sw_fail(err, CTL_ERR_REFUSED, "not trusted: nothing is stored");
    return 0;
}

/* Trust: the system's authorities, else --ca-file, else the gateway's own once it was agreed to. */
static int get_trust(struct login *login, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO_BUF struct sw_buf file = {0};
    enum trust trust = TRUST_GOOD;
    if (!strncmp(login->url, "http://", 7))
        return 0;
    if (login->ctl->ca_named) {
        int r = sw_file_read(AT_FDCWD, login->ctl->ca_file, (size_t)1 << 20, &file);
        if (r)
            return sw_fail(err, CTL_ERR_USAGE, "--ca-file: %s", strerror(-r));
        login->authority = sw_buf_take_text(&file);
        return 0;
    }
    int r = get(login, false, "/healthz", &answer, &trust, err);
    if (r && trust == TRUST_UNKNOWN)
        r = fetch_authority(login, err);
    if (!r && login->authority)
        r = agree(login, err);
    return r;
}

static int get_token(struct login *login, struct sw_err *err)
{
    AUTO_BUF struct sw_buf line = {0};
    if (login->ctl->token_named) {
        login->token = sw_copy_text(login->ctl->token, strlen(login->ctl->token));
        return 0;
    }
    int r = ask("Token: ", true, &line);
    if (r == -EINTR)
        return sw_fail(err, EINTR, "interrupted");
    bool good = !r && line.size > 0;
    for (size_t i = 0; good && i < line.size; i++)
        good = line.data[i] > ' ' && line.data[i] <= '~';
    if (!good)
        return sw_fail(err, CTL_ERR_USAGE,
                       "no token was given; --token-file names a file that holds it");
    login->token = sw_copy_text((const char *)line.data, line.size);
    explicit_bzero(line.data, line.size);
    return 0;
}

static int check(struct login *login, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    enum trust trust;
    int r = get(login, false, "/api/status", &answer, &trust, err);
    return answer.status == 503 ? 0 : r; /* its broker is away; the token was looked at before */
}

static int run(struct login *login, struct sw_err *err)
{
    int r = take_url(login, err);
    if (!r)
        r = get_trust(login, err);
    if (!r)
        r = get_token(login, err);
    if (!r)
        r = check(login, err);
    return r ? r : config_store(login->url, login->token, login->authority, err);
}

enum ctl_exit verb_login(struct ctl *ctl, const struct call *call)
{
    struct login login = {.ctl = ctl, .call = call};
    struct sw_err err = {0};
    int r = run(&login, &err);
    enum ctl_exit status = say_failed(r, &err);
    if (!r) {
        say("%s is the gateway from now on", login.url);
        if (ctl->json) {
            json_t *object =
                json_pack("{s:b, s:s, s:s?}", "success", 1, "gateway", login.url, "fingerprint",
                          login.fingerprint[0] ? login.fingerprint : NULL);
            show_json(object);
            json_decref(object);
        }
    }
    if (login.token)
        explicit_bzero(login.token, strlen(login.token));
    sw_release(login.token);
    sw_release(login.url);
    sw_release(login.authority);
    return status;
}
