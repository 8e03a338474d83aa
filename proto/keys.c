/* Key pairs, key files, fingerprints and lease tokens: everything that libsodium is asked for. */
#include "base/io.h"
#include "proto/link.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <string.h>

int sw_keys_make(struct sw_keys *ret)
{
    struct sw_keys keys = {0};
    if (zmq_curve_keypair(keys.public_key, keys.secret_key) != 0)
        return -errno;
    *ret = keys;
    return 0;
}

static bool is_key(const char *text)
{
    uint8_t raw[32];
    return strlen(text) == SW_KEY_TEXT - 1 && zmq_z85_decode(raw, text);
}

int sw_keys_read(const char *path, struct sw_keys *ret, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    struct sw_keys keys = {0};
    int r = sw_file_read(AT_FDCWD, path, 4096, &text);
    if (r < 0)
        return sw_fail(err, -r, "key file %s: %s", path, strerror(-r));
    char *rest = (char *)text.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char word[8], key[SW_KEY_TEXT];
        if (sscanf(line, "%7s %40s", word, key) != 2)
            continue;
        char *into = !strcmp(word, "public")   ? keys.public_key
                     : !strcmp(word, "secret") ? keys.secret_key
                     : !strcmp(word, "server") ? keys.server_key
                                               : NULL;
        if (into)
            memcpy(into, key, SW_KEY_TEXT);
    }
    bool whole = is_key(keys.public_key) && is_key(keys.secret_key);
    sodium_memzero(text.data, text.size);
    if (!whole || (*keys.server_key && !is_key(keys.server_key)))
        return sw_fail(
            err, EINVAL,
            "key file %s: needs lines `public KEY` and `secret KEY` (40 characters of Z85)", path);
    *ret = keys;
    return 0;
}

int sw_keys_write(const char *path, const struct sw_keys *keys, struct sw_err *err)
{
    AUTO_BUF struct sw_buf text = {0};
    sw_buf_printf(&text, "public %s\nsecret %s\n", keys->public_key, keys->secret_key);
    if (*keys->server_key)
        sw_buf_printf(&text, "server %s\n", keys->server_key);
    AUTO(sw_text) char *for_dir = sw_copy_text(path, strlen(path));
    AUTO(sw_text) char *for_base = sw_copy_text(path, strlen(path));
    AUTO_FD int dir = open(dirname(for_dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? -errno : sw_file_replace(dir, basename(for_base), text.data, text.size, 0600);
    sodium_memzero(text.data, text.size);
    return r < 0 ? sw_fail(err, -r, "key file %s: %s", path, strerror(-r)) : 0;
}

void sw_device_id(const char *public_key, char ret_id[SW_DEVICE_ID_TEXT])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t hash[16];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)public_key, strlen(public_key),
                       NULL, 0);
    ret_id[0] = 'd';
    ret_id[1] = '-';
    for (size_t i = 0; i < SW_DEVICE_ID_TEXT - 3; i++)
        ret_id[2 + i] = digits[hash[i] & 31];
    ret_id[SW_DEVICE_ID_TEXT - 1] = 0;
}

uint64_t sw_lease_token(
    const uint8_t key[16], uint64_t nonce, uint32_t chunk, uint64_t n, const char *agent_key)
{
    uint8_t in[8 + 4 + 8 + SW_KEY_TEXT - 1], out[crypto_shorthash_BYTES];
    memcpy(in, &nonce, 8);
    memcpy(in + 8, &chunk, 4);
    memcpy(in + 12, &n, 8);
    memcpy(in + 20, agent_key, SW_KEY_TEXT - 1);
    crypto_shorthash(out, in, sizeof in, key);
    uint64_t token;
    memcpy(&token, out, sizeof token);
    return token;
}

uint64_t sw_random_u64(void)
{
    uint64_t number = 0;
    while (number == 0)
        randombytes_buf(&number, sizeof number);
    return number;
}
