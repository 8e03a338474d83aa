/* STATE/keys: the broker's own pair and the list of who may come in as what. Called by main and by
 * the ZAP handler; a key that is taken out of the list is refused from the next look on. */
#include "broker/broker.h"

#include "base/io.h"
#include "base/log.h"
#include "broker/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEERS_FILE      "peers"
#define PEERS_BYTES_MAX ((size_t)1 << 20) /* 4,096 devices of 120 bytes twice over */
#define LINE_MAX_BYTES  ((size_t)128)     /* key, role, name and what is between them */

static const char *const role_names[] = {[ROLE_AGENT] = "agent",
                                         [ROLE_BROWSER] = "browser",
                                         [ROLE_GATEWAY] = "gateway",
                                         [ROLE_ADMIN] = "admin"};

static enum role role_of(const char *name)
{
    for (int role = ROLE_AGENT; role <= ROLE_ADMIN; role++)
        if (!strcmp(name, role_names[role]))
            return (enum role)role;
    return ROLE_NONE;
}

static void forget_all(struct peers *peers)
{
    struct peer *peer, *next_peer;
    HASH_ITER(hh, peers->by_key, peer, next_peer)
    {
        HASH_DEL(peers->by_key, peer);
        sw_release(peer);
    }
}

/* Lines `KEY ROLE NAME`; what is not one is ignored, so that a half-edited file never lets anyone
 * in. */
static void parse(struct peers *peers, char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char key[SW_KEY_TEXT], role[16], name[64] = "";
        struct peer *peer = NULL;
        if (sscanf(line, "%40s %15s %63[^\n]", key, role, name) < 2 ||
            strlen(key) != SW_KEY_TEXT - 1)
            continue;
        HASH_FIND_STR(peers->by_key, key, peer);
        if (peer || role_of(role) == ROLE_NONE)
            continue;
        peer = sw_alloc(1, sizeof *peer);
        memcpy(peer->key, key, sizeof key);
        memcpy(peer->name, name, sizeof name);
        peer->role = role_of(role);
        HASH_ADD_STR(peers->by_key, key, peer);
    }
}

static void replace_list(struct peers *peers, const struct stat *st, char *text)
{
    peers->inode = st->st_ino;
    peers->size = st->st_size;
    peers->mtime_ns = st->st_mtim.tv_sec * (int64_t)1000000000 + st->st_mtim.tv_nsec;
    peers->unreadable = 0;
    peers->changed = true;
    forget_all(peers);
    parse(peers, text);
}

/* A list that is gone lets nobody in, as one whose lines were taken out. One that is there and
 * cannot be read (a full table of descriptors, a disk that fails) says nothing: the old one counts.
 */
void peers_reload(struct peers *peers)
{
    struct stat st = {0};
    AUTO_BUF struct sw_buf text = {0};
    int r = fstatat(peers->keys_fd, PEERS_FILE, &st, 0) < 0 ? -errno : 0;
    if (r == 0 && st.st_ino == peers->inode && st.st_size == peers->size &&
        st.st_mtim.tv_sec * (int64_t)1000000000 + st.st_mtim.tv_nsec == peers->mtime_ns) {
        peers->unreadable = 0;
        return;
    }
    if (r == 0) /* looked at before it is read: what changes meanwhile is read the next time */
        r = sw_file_read(peers->keys_fd, PEERS_FILE, PEERS_BYTES_MAX, &text);
    if (r == 0) {
        replace_list(peers, &st, (char *)text.data);
    } else if (r == -ENOENT) {
        if (peers->by_key) {
            sw_log(SW_LOG_WARNING, "keys/peers is gone: nobody may come in");
            replace_list(peers, &(struct stat){0}, NULL);
        }
    } else if (r != peers->unreadable) {
        sw_log(SW_LOG_ERROR, "keys/peers cannot be read: the list before it counts error=\"%s\"",
               strerror(-r));
        peers->unreadable = r;
    }
}

const struct peer *peers_find(const struct peers *peers, const char *key)
{
    struct peer *peer = NULL;
    HASH_FIND_STR(peers->by_key, key, peer);
    return peer;
}

static int own_keys(int keys_fd, struct sw_keys *ret_keys, struct sw_err *err)
{
    AUTO(sw_text) char *path = NULL;
    if (asprintf(&path, "/proc/self/fd/%d/broker.key", keys_fd) < 0)
        return sw_fail(err, ENOMEM, "no memory");
    if (faccessat(keys_fd, "broker.key", F_OK, 0) == 0)
        return sw_keys_read(path, ret_keys, err);
    int r = sw_keys_make(ret_keys);
    return r < 0 ? sw_fail(err, -r, "cannot make a key pair") : sw_keys_write(path, ret_keys, err);
}

int peers_open(struct peers *peers, int state_fd, struct sw_keys *ret_keys, struct sw_err *err)
{
    *peers = (struct peers){.keys_fd = -1};
    int r = sw_dir_make(state_fd, "keys", 0700);
    if (r == 0)
        peers->keys_fd = openat(state_fd, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (peers->keys_fd < 0)
        return sw_fail(err, r < 0 ? -r : errno, "state folder: keys: %s",
                       strerror(r < 0 ? -r : errno));
    flock(peers->keys_fd, LOCK_EX); /* a broker and an --add-peer may start at the same time */
    r = own_keys(peers->keys_fd, ret_keys, err);
    flock(peers->keys_fd, LOCK_UN);
    if (r == 0)
        peers_reload(peers);
    return r;
}

void peers_close(struct peers *peers)
{
    forget_all(peers);
    sw_fd_close(&peers->keys_fd);
}

/* A key file may be asked for again: the same peer with its file in place is left as it is. */
static bool is_there(const struct peers *peers, const char *file, const char *name)
{
    struct sw_keys keys;
    struct sw_err ignored;
    if (owner_keys_read(file, &keys, &ignored) < 0)
        return false;
    const struct peer *peer = peers_find(peers, keys.public_key);
    return peer && !strcmp(peer->name, name);
}

/* The list with one more line: read before a key is made, since what replaces a list that could not
 * be read whole would lock out those that stood in the rest. */
static int
read_list(const struct peers *peers, size_t more_bytes, struct sw_buf *ret, struct sw_err *err)
{
    int r = sw_file_read(peers->keys_fd, PEERS_FILE, PEERS_BYTES_MAX, ret);
    if (r == -EFBIG || ret->size + more_bytes > PEERS_BYTES_MAX)
        return sw_fail(err, EFBIG, "keys/peers: has room for %zu bytes: take out old lines",
                       PEERS_BYTES_MAX);
    if (r < 0 && r != -ENOENT) /* none yet: an empty list */
        return sw_fail(err, -r, "keys/peers: %s", strerror(-r));
    if (ret->size && ret->data[ret->size - 1] != '\n') /* an editor left the last line open */
        sw_buf_put(ret, "\n", 1);
    return 0;
}

static int add_peer(struct peers *peers,
                    enum role role,
                    const char *name,
                    const char *file,
                    const struct sw_keys *own,
                    struct sw_err *err)
{
    AUTO_BUF struct sw_buf list = {0};
    struct sw_keys keys;
    int r = read_list(peers, LINE_MAX_BYTES, &list, err);
    if (r == 0)
        r = sw_keys_make(&keys);
    if (r < 0)
        return r;
    memcpy(keys.server_key, own->public_key, sizeof keys.server_key);
    r = owner_keys_write(file, &keys, err);
    if (r < 0)
        return r;
    sw_buf_printf(&list, "%s %s %s\n", keys.public_key, role_names[role], name);
    r = sw_file_replace(peers->keys_fd, PEERS_FILE, list.data, list.size, 0600);
    return r < 0 ? sw_fail(err, -r, "keys/peers: %s", strerror(-r)) : 0;
}

int peers_add(int state_fd, const char *request, struct sw_err *err)
{
    char role_name[16], name[64], file[4096];
    struct peers peers;
    struct sw_keys own;
    if (sscanf(request, "%15[^:]:%63[^:]:%4095[^\n]", role_name, name, file) != 3 ||
        role_of(role_name) == ROLE_NONE)
        return sw_fail(
            err, EINVAL,
            "--add-peer takes ROLE:NAME:FILE with role agent, browser, gateway or admin");
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return sw_fail(err, EINVAL,
                           "--add-peer: a name is 1 to 63 printable characters without spaces");
    int r = peers_open(&peers, state_fd, &own, err);
    if (r == 0)
        flock(peers.keys_fd,
              LOCK_EX); /* until it is closed: the list is read, changed and replaced */
    if (r == 0 && !is_there(&peers, file, name))
        r = add_peer(&peers, role_of(role_name), name, file, &own, err);
    peers_close(&peers);
    return r;
}
