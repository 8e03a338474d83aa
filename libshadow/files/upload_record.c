/* The bytes of ID.info. Called by uploads and sweep; owns no descriptor and never syncs. */
#include "files/upload_record.h"

#include "base/pack.h"
#include "files/disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define SECTOR     512
#define FIXED_AT   (UINT64_C(3) * SECTOR)
#define FIXED_MAX  (SW_NAME_MAX + 256)
#define MAGIC      "SWupload"
#define SLOT_WORDS UINT64_C(6) /* sequence, offset, length, touched_ms, complete, sum */

bool upload_id_valid(const char *id)
{
    return strspn(id, "0123456789abcdef") == SW_UPLOAD_ID_SIZE && id[SW_UPLOAD_ID_SIZE] == 0;
}

void upload_name(const char *id, const char *suffix, char ret_name[UPLOAD_NAME_ROOM])
{
    snprintf(ret_name, UPLOAD_NAME_ROOM, "%.32s%s", id, suffix);
}

static void put_words(uint8_t *at, const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n * 8; i++)
        at[i] = (uint8_t)(words[i / 8] >> (8 * (i % 8))); /* little-endian on any machine */
}

static void get_words(const uint8_t *at, uint64_t *ret_words, size_t n)
{
    memset(ret_words, 0, n * 8);
    for (size_t i = 0; i < n * 8; i++)
        ret_words[i / 8] |= (uint64_t)at[i] << (8 * (i % 8));
}

int upload_record_slot(int fd, const struct sw_upload_info *info, uint64_t sequence)
{
    uint64_t words[SLOT_WORDS] = {sequence, info->offset, info->length, (uint64_t)info->touched_ms,
                                  info->complete};
    uint8_t bytes[SLOT_WORDS * 8];
    put_words(bytes, words, SLOT_WORDS - 1);
    words[SLOT_WORDS - 1] = XXH3_64bits(bytes, (SLOT_WORDS - 1) * 8);
    put_words(bytes, words, SLOT_WORDS);
    return sw_pwrite_all(fd, bytes, sizeof bytes, SECTOR * (1 + sequence % 2));
}

int upload_record_write(int fd, const struct sw_upload_info *info, uint64_t sequence)
{
    AUTO_BUF struct sw_buf fixed = {0};
    sw_pack_array(&fixed, 6);
    sw_pack_i64(&fixed, info->created_ms);
    sw_pack_u64(&fixed, info->unpack);
    sw_pack_u64(&fixed, info->mode);
    sw_pack_i64(&fixed, info->mtime);
    sw_pack_text(&fixed, info->owner, strnlen(info->owner, sizeof info->owner - 1));
    sw_pack_bytes(&fixed, info->name.data, info->name.size);
    uint8_t head[24] = MAGIC;
    uint64_t words[2] = {fixed.size, XXH3_64bits(fixed.data, fixed.size)};
    put_words(head + 8, words, 2);
    int r = sw_pwrite_all(fd, fixed.data, fixed.size, FIXED_AT);
    if (r == 0)
        r = upload_record_slot(fd, info, sequence);
    return r < 0 ? r : sw_pwrite_all(fd, head, sizeof head, 0);
}

static int read_slots(int fd, struct sw_upload_info *ret_info, uint64_t *ret_sequence)
{
    bool found = false;
    for (unsigned i = 1; i <= 2; i++) {
        uint8_t bytes[SLOT_WORDS * 8];
        uint64_t words[SLOT_WORDS];
        int r = sw_pread_all(fd, bytes, sizeof bytes, (uint64_t)i * SECTOR);
        if (r < 0)
            return r == -ENODATA ? -EBADMSG : r;
        get_words(bytes, words, SLOT_WORDS);
        if (words[5] != XXH3_64bits(bytes, (SLOT_WORDS - 1) * 8) || words[0] % 2 + 1 != i)
            continue; /* torn, or never written */
        if (found && words[0] < *ret_sequence)
            continue;
        found = true;
        *ret_sequence = words[0];
        ret_info->offset = words[1];
        ret_info->length = words[2];
        ret_info->touched_ms = (int64_t)words[3];
        ret_info->complete = words[4] != 0;
    }
    return found ? 0 : -EBADMSG;
}

static int read_fixed(int fd, struct sw_upload_info *ret_info)
{
    uint8_t head[24], bytes[FIXED_MAX];
    uint64_t words[2];
    int r = sw_pread_all(fd, head, sizeof head, 0);
    if (r < 0)
        return r;
    get_words(head + 8, words, 2);
    if (memcmp(head, MAGIC, 8) != 0 || words[0] > sizeof bytes)
        return -EBADMSG;
    r = sw_pread_all(fd, bytes, words[0], FIXED_AT);
    if (r < 0)
        return r;
    if (XXH3_64bits(bytes, words[0]) != words[1])
        return -EBADMSG;
    struct sw_cursor reader = sw_cursor_of(bytes, words[0]);
    uint32_t n_fields = sw_read_array(&reader);
    size_t owner_size, name_size;
    ret_info->created_ms = sw_read_i64(&reader);
    ret_info->unpack = sw_read_u64(&reader) != 0;
    ret_info->mode = (uint32_t)sw_read_u64(&reader);
    ret_info->mtime = sw_read_i64(&reader);
    const char *owner = sw_read_bytes(&reader, &owner_size);
    const char *name = sw_read_bytes(&reader, &name_size);
    if (reader.failed || n_fields < 6 || owner_size >= sizeof ret_info->owner ||
        name_size > SW_NAME_MAX)
        return -EBADMSG;
    memcpy(ret_info->owner, owner, owner_size);
    sw_buf_put(&ret_info->name, name, name_size);
    return 0;
}

int upload_record_read(int fd,
                       const char *id,
                       struct sw_upload_info *ret_info,
                       uint64_t *ret_sequence)
{
    struct sw_upload_info info = {0};
    snprintf(info.id, sizeof info.id, "%.32s", id);
    int r = read_fixed(fd, &info);
    if (r == 0)
        r = read_slots(fd, &info, ret_sequence);
    if (r < 0) {
        sw_upload_info_done(&info);
        return r == -ENODATA ? -EBADMSG : r;
    }
    *ret_info = info;
    return 0;
}
