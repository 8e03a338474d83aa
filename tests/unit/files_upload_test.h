/* Making and filling uploads in the tests of libshadow/files. */
#ifndef FILES_UPLOAD_TEST_H
#define FILES_UPLOAD_TEST_H

#include "files_test.h"

#include "base/clock.h"
#include "files/uploads.h"

#define MIB ((size_t)1 << 20)

static inline struct sw_upload *create(uint64_t length, const char *name, char *ret_id)
{
    struct sw_upload_info info = {.length = length,
                                  .mode = 0640,
                                  .mtime = 1700000000,
                                  .created_ms = sw_wall_ms(),
                                  .owner = "token-1"};
    struct sw_upload *upload = NULL;
    sw_buf_text(&info.name, name);
    assert_int_equal(sw_upload_create(place_fd, &info, &upload), 0);
    memcpy(ret_id, info.id, sizeof info.id);
    sw_upload_info_done(&info);
    return upload;
}

static inline void append(struct sw_upload *upload, const uint8_t *p, uint64_t to)
{
    uint64_t from = sw_upload_received(upload);
    while (from < to) {
        size_t n = SW_MIN((size_t)77777, (size_t)(to - from));
        assert_int_equal(sw_upload_append(upload, p + from, n), 0);
        from += n;
    }
}

static inline const char *part(const char *id, const char *suffix)
{
    static char name[64];
    snprintf(name, sizeof name, "%s%s", id, suffix);
    return name;
}

#endif
