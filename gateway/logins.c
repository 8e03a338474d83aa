/* Owns the list of sessions and one-time codes, in memory and in its file. Called by caller.c for
 * every request that has a cookie and, on the pool, by login.c. Knows no token's role: whoever asks
 * looks whether the token lives. */
#include "logins.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/own.h"
#include "lines.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "logins"

struct logins {
    struct lines file;
    struct login *list;
    size_t n, room;
    uint64_t version;
};

static const char *const kind_names[] = {[LOGIN_SESSION] = "session", [LOGIN_CODE] = "code"};

static bool take_line(void *arg, const char *line)
{
    struct logins *logins = arg;
    struct login login = {0};
    char kind[16], hash[2 * LOGIN_HASH + 1];
    size_t size = 0;
    if (sscanf(line, "%15s %64s %15s %" SCNd64 " %" SCNd64, kind, hash, login.owner,
               &login.created_ms, &login.expires_ms) != 5 ||
        sodium_hex2bin(login.hash, LOGIN_HASH, hash, strlen(hash), NULL, &size, NULL) != 0 ||
        size != LOGIN_HASH || logins->n == LOGINS_MAX)
        return false;
    if (strcmp(kind, kind_names[LOGIN_CODE]) == 0)
        login.kind = LOGIN_CODE;
    else if (strcmp(kind, kind_names[LOGIN_SESSION]) != 0)
        return false;
    sw_grow(&logins->list, &logins->room, logins->n + 1, sizeof *logins->list);
    logins->list[logins->n++] = login;
    return true;
}

static int load(struct logins *logins, struct sw_err *err)
{
    logins->n = 0;
    logins->version++;
    return lines_read(&logins->file, take_line, logins, err);
}

int logins_open(int gateway_fd, struct logins **ret, struct sw_err *err)
{
    AUTO(logins) struct logins *logins = sw_alloc(1, sizeof *logins);
    logins->file = (struct lines){
        .dir_fd = gateway_fd, .name = FILE_NAME, .max_bytes = (size_t)LOGINS_MAX * 256};
    int r = load(logins, err);
    if (r == 0)
        *ret = TAKE(logins);
    return r;
}

void logins_destroy(struct logins **p)
{
    if (*p)
        sw_release((*p)->list);
    sw_release(*p);
    *p = NULL;
}

static bool look(struct logins *logins, int64_t now_ms, bool now)
{
    if (!lines_changed(&logins->file, now_ms, now))
        return false;
    if (load(logins, NULL) < 0)
        logins->n = 0; /* an unreadable list lets nobody in */
    return true;
}

static const struct login *find(const struct logins *logins, const uint8_t hash[LOGIN_HASH])
{
    const struct login *found = NULL;
    int64_t now_ms = sw_wall_ms();
    assert(logins);
    for (size_t i = 0; i < logins->n; i++) { /* all of them: the time tells nothing */
        if (sodium_memcmp(logins->list[i].hash, hash, LOGIN_HASH) == 0)
            found = &logins->list[i];
    }
    return found && found->expires_ms > now_ms ? found : NULL;
}

const struct login *logins_find(
    struct logins *logins, enum login_kind kind, const char *secret, size_t size, int64_t now_ms)
{
    uint8_t hash[LOGIN_HASH];
    token_hash(secret, size, hash);
    look(logins, now_ms, false);
    const struct login *found = find(logins, hash);
    if (!found && look(logins, now_ms, true)) /* one made just now is known at once */
        found = find(logins, hash);
    return found && found->kind == kind ? found : NULL;
}

bool logins_has(struct logins *logins, const uint8_t hash[LOGIN_HASH], int64_t now_ms)
{
    look(logins, now_ms, false);
    return find(logins, hash) != NULL;
}

uint64_t logins_version(struct logins *logins, int64_t now_ms)
{
    look(logins, now_ms, false);
    return logins->version;
}

void logins_refresh(struct logins *logins, int64_t now_ms)
{
    look(logins, now_ms, true);
}

/* ---- changes, under the lock ---- */

static int save(struct logins *logins, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    for (size_t i = 0; i < logins->n; i++) {
        const struct login *login = &logins->list[i];
        char hash[2 * LOGIN_HASH + 1];
        sodium_bin2hex(hash, sizeof hash, login->hash, LOGIN_HASH);
        sw_buf_printf(&text, "%s %s %s %" PRId64 " %" PRId64 "\n", kind_names[login->kind], hash,
                      login->owner, login->created_ms, login->expires_ms);
    }
    int r = sw_file_replace(logins->file.dir_fd, FILE_NAME, text.data ? (char *)text.data : "",
                            text.size, 0600);
    return r < 0 ? sw_fail(err, -r, "cannot write gateway/" FILE_NAME ": %s", strerror(-r)) : 0;
}

static int open_locked(int gateway_fd, struct logins **ret, int *ret_lock_fd, struct sw_err *err)
{
    AUTO_FD int fd = -1;
    int r = lines_lock(gateway_fd, FILE_NAME, &fd, err);
    if (r == 0)
        r = logins_open(gateway_fd, ret, err);
    if (r == 0)
        *ret_lock_fd = TAKE_FD(fd);
    return r;
}

/* Keeps the order, which is that of their making. */
static void drop(struct logins *logins, size_t at)
{
    memmove(&logins->list[at], &logins->list[at + 1], (--logins->n - at) * sizeof *logins->list);
}

static void tidy(struct logins *logins, enum login_kind kind, const char *owner)
{
    int64_t now_ms = sw_wall_ms();
    size_t oldest = 0, same = 0;
    assert(logins);
    for (size_t i = logins->n; i-- > 0;)
        if (logins->list[i].expires_ms <= now_ms)
            drop(logins, i);
    for (size_t i = logins->n; i-- > 0;)
        if (logins->list[i].kind == kind && strcmp(logins->list[i].owner, owner) == 0)
            oldest = i, same++;
    if (same >= LOGINS_OF_TOKEN)
        drop(logins, oldest);
}

static bool drop_hash(struct logins *logins, const uint8_t hash[LOGIN_HASH])
{
    const struct login *found = find(logins, hash);
    assert(logins);
    if (found)
        drop(logins, (size_t)(found - logins->list));
    return found != NULL;
}

int logins_make(int gateway_fd,
                enum login_kind kind,
                const char *owner,
                int64_t until_ms,
                const uint8_t code[LOGIN_HASH],
                char ret_secret[LOGIN_SECRET_TEXT],
                struct login *ret_made,
                struct sw_err *err)
{
    AUTO(logins) struct logins *logins = NULL;
    AUTO_FD int lock_fd = -1;
    uint8_t secret[32];
    int r = open_locked(gateway_fd, &logins, &lock_fd, err);
    if (r < 0)
        return r;
    if (code && !drop_hash(logins, code))
        return sw_fail(err, ENOENT, "this code was used already");
    tidy(logins, kind, owner);
    if (logins->n == LOGINS_MAX)
        return sw_fail(err, EAGAIN, "there are %d logins", LOGINS_MAX);
    struct login login = {.kind = kind, .created_ms = sw_wall_ms()};
    login.expires_ms = login.created_ms + (kind == LOGIN_CODE ? CODE_MS : SESSION_MS);
    if (until_ms)
        login.expires_ms = SW_MIN(login.expires_ms, until_ms);
    snprintf(login.owner, sizeof login.owner, "%s", owner);
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(ret_secret, LOGIN_SECRET_TEXT, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
    token_hash(ret_secret, strlen(ret_secret), login.hash);
    sw_grow(&logins->list, &logins->room, logins->n + 1, sizeof *logins->list);
    logins->list[logins->n++] = login;
    *ret_made = login;
    return save(logins, err);
}

int logins_end(int gateway_fd, const uint8_t hash[LOGIN_HASH], struct sw_err *err)
{
    AUTO(logins) struct logins *logins = NULL;
    AUTO_FD int lock_fd = -1;
    int r = open_locked(gateway_fd, &logins, &lock_fd, err);
    if (r < 0)
        return r;
    return drop_hash(logins, hash) ? save(logins, err) : 0;
}
