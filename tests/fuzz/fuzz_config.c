/* Any bytes as a program's file: it loads or is refused with words, and nothing leaks. */
#include "fuzz.h"

#include "base/io.h"
#include "config/config.h"

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>

struct options {
    char *text, *uri;
    int64_t number, size;
    bool on;
};

// clang-format off
static const struct sw_config_key keys[] = {
    {"text", SW_CONFIG_TEXT, .target = offsetof(struct options, text), .fallback = "x", .help = ""},
    {"uri", SW_CONFIG_TEXT, SW_CONFIG_SECRET_URI, offsetof(struct options, uri), .max = 32, .help = ""},
    {"number", SW_CONFIG_INT, .target = offsetof(struct options, number), .min = -5, .max = 5, .help = ""},
    {"size", SW_CONFIG_SIZE, .target = offsetof(struct options, size), .help = ""},
    {"on", SW_CONFIG_BOOL, .target = offsetof(struct options, on), .help = ""},
};
// clang-format on
static const struct sw_config_program program = {"fuzz", "", keys, SW_COUNT(keys)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FD int fd = memfd_create("config", MFD_CLOEXEC);
    assert(fd >= 0 && sw_write_all(fd, data, size) == 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    char *argv[] = {"shadow-fuzz", "--config", path, NULL};
    struct options options;
    struct sw_err err = {0};
    if (sw_config_load(&program, 3, argv, &options, &err) < 0) {
        assert(err.text[0] && !options.text);
        return 0;
    }
    assert(options.text && options.number >= -5 && options.number <= 5 && options.size >= 0);
    sw_config_done(&program, &options);
    return 0;
}
