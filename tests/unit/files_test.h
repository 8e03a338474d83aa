/* What the tests of libshadow/files share: a fresh folder for each test, and bytes that differ at
 * every offset. */
#ifndef FILES_TEST_H
#define FILES_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[64];
static int place_fd = -1;

static inline int place_make(void **state)
{
    (void)state;
    snprintf(place, sizeof place, "/tmp/files-test-XXXXXX");
    assert_non_null(mkdtemp(place));
    place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place_fd >= 0);
    return 0;
}

static inline int place_remove(void **state)
{
    (void)state;
    char command[128];
    close(place_fd);
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command);
}

static inline uint8_t byte_at(uint64_t offset)
{
    uint64_t x = (offset + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(x >> 56);
}

static inline void fill(uint8_t *p, size_t n, uint64_t offset)
{
    for (size_t i = 0; i < n; i++)
        p[i] = byte_at(offset + i);
}

static inline uint8_t *made(size_t n) /* n bytes from offset 0; free() */
{
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    fill(p, n, 0);
    return p;
}

static inline void write_file(const char *name, const void *p, size_t n)
{
    int fd = openat(place_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sw_write_all(fd, p, n), 0);
    close(fd);
}

static inline int open_file(const char *name)
{
    int fd = openat(place_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* Inverts one byte of a file. */
static inline void spoil(const char *name, uint64_t offset)
{
    uint8_t byte;
    int fd = openat(place_fd, name, O_RDWR | O_CLOEXEC);
    assert_int_equal(sw_pread_all(fd, &byte, 1, offset), 0);
    byte ^= 0x20;
    assert_int_equal(sw_pwrite_all(fd, &byte, 1, offset), 0);
    close(fd);
}

static inline int truncateat(const char *name, uint64_t size)
{
    int fd = openat(place_fd, name, O_RDWR | O_CLOEXEC);
    int r = ftruncate(fd, (off_t)size);
    close(fd);
    return r;
}

static inline bool is_there(const char *name)
{
    return faccessat(place_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#define FILES_TEST(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)

#endif
