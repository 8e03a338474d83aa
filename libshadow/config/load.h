/* One run of sw_config_load: what its three steps share. Inner seam of libshadow/config. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/value.h"

enum {
    CONFIG_KEYS_MAX = 64, /* a bit each in `seen`; no program has half as many */
};

struct load {
    const struct sw_config_program *program;
    void *config;
    struct sw_err *ret_err;             /* never NULL */
    const char *path;                   /* --config; NULL: not given */
    const char *given[CONFIG_KEYS_MAX]; /* values of the command line, borrowed from argv */
};

/* Fills path and given; ends the process on --help, --version and wrong usage. */
int command_line_read(struct load *load, int argc, char **argv);

/* Sets the targets that the command line gave. */
int command_line_apply(struct load *load);

/* Sets the targets that the file gives; no file at the usual place is fine. */
int file_apply(const struct load *load);

#endif
