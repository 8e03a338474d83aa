/* One tar header of the GNU format. Names are bytes to it: a name of over 100 bytes goes into a
 * preceding 'L' member, numbers that octal cannot hold are written in base 256; pax could not carry
 * a name that is not UTF-8. Read alike by GNU tar, bsdtar, busybox, 7-Zip and Python. Internal. */
#ifndef SW_FILES_TAR_HEADER_H
#define SW_FILES_TAR_HEADER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK     UINT64_C(512)
#define TAR_NAME_SIZE 100
#define TAR_END_SIZE  (2 * TAR_BLOCK)

struct tar_member {
    const char *name;
    size_t name_size;
    uint32_t mode;
    int64_t mtime;
    uint64_t size;
};

uint64_t tar_padded(uint64_t size);         /* to whole blocks */
uint64_t tar_header_size(size_t name_size); /* what put writes */
void tar_header_put(struct sw_buf *buf, const struct tar_member *member);
bool tar_header_valid(const uint8_t block[TAR_BLOCK]); /* the checksum is right, it is not empty */

#endif
