/* Options of a program: one table gives its INI file (libinih), its --flags (argp), its defaults,
 * its bounds and its --help. Later wins: default, then the file, then the command line.
 *
 * The file is `--config FILE`, else /etc/shadowwork/NAME.conf if there is one. It holds `key =
 * value` lines, comments after `;` or `#`, at most one section, called [NAME]. A key may be given
 * once. Sizes take K, M, G or T (1024 each); switches take yes/no, true/false, on/off, 1/0, and a
 * bare --flag means yes. */
#ifndef SW_CONFIG_H
#define SW_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum sw_config_type {
    SW_CONFIG_TEXT, /* target: char * (owned; NULL without a default); min and max bound its bytes
                     */
    SW_CONFIG_INT,  /* target: int64_t */
    SW_CONFIG_SIZE, /* target: int64_t, bytes */
    SW_CONFIG_BOOL, /* target: bool */
};

enum sw_config_flag {
    SW_CONFIG_SECRET = 1,     /* from the file only: refused on the command line, never shown */
    SW_CONFIG_SECRET_URI = 2, /* a URI: one with a password in it is refused on the command line */
    SW_CONFIG_COMMAND_LINE = 4, /* a --flag only, not a key of the file (--add-peer) */
    SW_CONFIG_ARGUMENT = 8,     /* also what stands on the command line without a flag, once */
};

struct sw_config_key {
    const char *name; /* `slot-cpu-seconds`, in the file and as --flag; not config, help, usage or
                         version */
    enum sw_config_type type;
    unsigned flags;
    size_t target;        /* offsetof in the program's struct */
    const char *fallback; /* the default as it would stand in the file; NULL: zero, false, NULL */
    int64_t min, max;     /* both zero: unbounded, and a text of at most SW_CONFIG_TEXT_MAX bytes */
    const char *argument; /* what --help calls the value: "DIR"; NULL: by type */
    const char *help;
};

#define SW_CONFIG_TEXT_MAX 4096 /* a path */

struct sw_config_program {
    const char *name;  /* "broker": shadow-broker in --help, broker.conf, [broker] */
    const char *about; /* a sentence for --help */
    const struct sw_config_key *keys;
    size_t n_keys;
};

/* Fills *ret_config, a struct that the table describes. 0, or -errno with *ret_err saying where
 * (FILE:LINE or
 * --flag), what was wrong and what is allowed; then *ret_config owns nothing. An unknown --flag, a
 * missing value or a stray argument ends the process with status 2 (argp), --help and --version
 * with 0. */
int sw_config_load(const struct sw_config_program *program,
                   int argc,
                   char **argv,
                   void *ret_config,
                   struct sw_err *ret_err);

/* Frees the texts that sw_config_load made and zeroes every target. */
void sw_config_done(const struct sw_config_program *program, void *config);

#endif
