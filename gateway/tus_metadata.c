/* Reads and writes the Upload-Metadata header. Called by an upload's creation and status; unknown
 * keys are the client's own business and ignored. `prefix`, beside those of interface.md, is put
 * before each name in a tar to be taken apart: shadowctl's way to send names that a tar would not
 * carry as given. */
#include "tus.h"

#include "base/own.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int as_number(const struct sw_buf *text, int base, int64_t max, int64_t *ret)
{
    char *end = NULL;
    if (!text->size || strlen((char *)text->data) != text->size)
        return -EINVAL;
    errno = 0;
    int64_t value = strtoll((char *)text->data, &end, base);
    if (errno || *end || value < -max || value > max)
        return -EINVAL;
    *ret = value;
    return 0;
}

static int
take_name(const char *key, const struct sw_buf *value, struct sw_buf *ret, struct sw_err *err)
{
    if (!value->size || value->size > SW_NAME_MAX || memchr(value->data, 0, value->size))
        return sw_fail(err, EINVAL, "%s: 1 to %d bytes without NUL", key, SW_NAME_MAX);
    sw_buf_clear(ret);
    sw_buf_put(ret, value->data, value->size);
    return 0;
}

static int take(const char *key,
                size_t key_size,
                const struct sw_buf *value,
                struct sw_upload_info *info,
                struct sw_buf *prefix,
                struct sw_err *err)
{
    int64_t number;
    if (key_size == 8 && memcmp(key, "filename", 8) == 0)
        return take_name("filename", value, &info->name, err);
    if (key_size == 6 && memcmp(key, "prefix", 6) == 0)
        return take_name("prefix", value, prefix, err);
    if (key_size == 4 && memcmp(key, "mode", 4) == 0) {
        if (as_number(value, 8, 07777, &number) < 0 || number < 0)
            return sw_fail(err, EINVAL, "mode: an octal number up to 7777");
        info->mode = (uint32_t)number;
    } else if (key_size == 5 && memcmp(key, "mtime", 5) == 0) {
        if (as_number(value, 10, INT64_C(1) << 52, &info->mtime) < 0)
            return sw_fail(err, EINVAL, "mtime: Unix seconds");
    } else if (key_size == 6 && memcmp(key, "unpack", 6) == 0) {
        if (as_number(value, 10, 1, &number) < 0 || number < 0)
            return sw_fail(err, EINVAL, "unpack: 1, or 0");
        info->unpack = number == 1;
    }
    return 0;
}

int tus_metadata_parse(const char *text, struct sw_upload_info *info, struct sw_err *err)
{
    AUTO_BUF struct sw_buf value = {0};
    AUTO_BUF struct sw_buf prefix = {0};
    while (*text) {
        text += strspn(text, " ");
        size_t pair = strcspn(text, ","), key = strcspn(text, " ,");
        const char *coded = text + key + (key < pair);
        size_t coded_size = (size_t)(text + pair - coded), size = 0;
        sw_buf_clear(&value);
        uint8_t *room = sw_buf_reserve(&value, coded_size + 1);
        if (key == 0 || sodium_base642bin(room, coded_size + 1, coded, coded_size, " ", &size, NULL,
                                          sodium_base64_VARIANT_ORIGINAL) != 0)
            return sw_fail(err, EINVAL, "Upload-Metadata: `key BASE64` pairs with commas between");
        value.size = size;
        room[size] = 0;
        int r = take(text, key, &value, info, &prefix, err);
        if (r < 0)
            return r;
        text += pair + (text[pair] == ',');
    }
    if (info->unpack) { /* the tar's own name is nobody's: what goes before the names in it stands
                           there */
        sw_buf_clear(&info->name);
        sw_buf_put(&info->name, prefix.data, prefix.size);
    }
    return 0;
}

static void put_pair(struct sw_buf *text, const char *key, const void *p, size_t n)
{
    size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
    AUTO(sw_text) char *coded = sw_alloc(room, 1);
    sodium_bin2base64(coded, room, p, n, sodium_base64_VARIANT_ORIGINAL);
    sw_buf_printf(text, "%s%s %s", text->size ? "," : "", key, coded);
}

void tus_metadata_write(const struct sw_upload_info *info, struct sw_buf *ret_text)
{
    char number[32];
    if (info->name.size)
        put_pair(ret_text, info->unpack ? "prefix" : "filename", info->name.data, info->name.size);
    int n = snprintf(number, sizeof number, "%o", info->mode);
    put_pair(ret_text, "mode", number, (size_t)n);
    n = snprintf(number, sizeof number, "%jd", (intmax_t)info->mtime);
    put_pair(ret_text, "mtime", number, (size_t)n);
    if (info->unpack)
        put_pair(ret_text, "unpack", "1", 1);
}
