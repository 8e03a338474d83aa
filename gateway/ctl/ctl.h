/* What the files of shadowctl share: the run's settings, the table of verbs, the words for people.
 *
 * Everything for people goes to standard error; standard output carries data only: ids, tables,
 * results, or with --json one REST object. */
#ifndef CTL_H
#define CTL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "kernels/kernel.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* interface.md section 4 */
enum ctl_exit {
    CTL_DONE = 0,
    CTL_SOME_FAILED = 1,
    CTL_USAGE = 2,
    CTL_UNREACHABLE = 3,
    CTL_REFUSED = 4,
    CTL_CANCELLED = 5,
    CTL_INTERRUPTED = 130,
};

/* Helpers return -errno with words; these have an exit status of their own, all others end as
 * CTL_SOME_FAILED. */
#define CTL_ERR_USAGE       EINVAL
#define CTL_ERR_UNREACHABLE ENOTCONN
#define CTL_ERR_REFUSED     EPERM
#define CTL_ERR_CANCELLED   ECANCELED
#define CTL_ERR_INTERRUPTED EINTR

#define CTL_MESSAGE_BYTES 150 /* of struct sw_err's text */
#define CTL_NAME_BYTES    64  /* of one name in it; 40 where there are more */

#define CTL_GATEWAYS_MAX 8 /* a round of tries stays short */

struct http;

struct ctl {
    char *gateway;    /* "http://127.0.0.1:8420", no slash at the end; several with commas */
    char *token_file; /* where the token was looked for; NULL: nowhere */
    char *token;      /* NULL: none found */
    char *ca_file;    /* NULL: the system's */
    char *ca_pem;     /* login's: the same as text, before there is a file */
    bool unverified;  /* login's first question: whoever answers */
    bool token_named, ca_named; /* by a flag or the environment, not found in the usual place */
    char *config_file;
    bool config_found;
    bool json;
    struct http *http;
};

/* ---- config.c ---- */

struct ctl_flags { /* the options before or after the verb; NULL: not given */
    const char *gateway, *token_file, *ca_file;
    bool json;
};
int config_load(const struct ctl_flags *flags, struct ctl *ret_ctl, struct sw_err *err);
void config_done(struct ctl *ctl);
/* Replaces what there was, by files for the user alone; ca_pem: NULL for none. */
int config_store(const char *gateway, const char *token, const char *ca_pem, struct sw_err *err);

/* ---- verbs.c: the one table; from it come dispatch, --help, the man page and the completion ----
 */

struct call { /* one verb as it was called */
    const struct verb *verb;
    const char *const *args; /* what is left after the options */
    size_t n_args;
    const char **option_names, **option_values; /* in the order given; a bare flag has "" */
    size_t n_options;
};
/* NULL when not given; the last one wins. */
const char *call_option(const struct call *call, const char *name);
bool call_has(const struct call *call, const char *name);
/* A whole number within bounds, `fallback` when not given; ends the process as options_usage does.
 */
int64_t
call_number(const struct call *call, const char *name, int64_t min, int64_t max, int64_t fallback);

/* NULL when not given; a list like "a,b" of words that all stand in `allowed` (parted by spaces),
 * else the process ends as for call_number. */
const char *call_list(const struct call *call, const char *name, const char *allowed);

typedef enum ctl_exit verb_fn(struct ctl *ctl, const struct call *call);

enum verb_group { VERB_WORK, VERB_JOBS, VERB_DEVICES, VERB_SYSTEM, VERB_GROUPS };

struct verb {
    const char *name;
    enum verb_group group;
    const char *args; /* "ID", "FILE|DIR..." */
    size_t n_args_min, n_args_max;
    const char *summary; /* one line */
    const char *text;    /* the paragraphs of --help and the man page; "" for none */
    const struct argp_option *options;
    const struct sw_kernel *kernel; /* of a work verb */
    verb_fn *run;
};

const struct verb *verbs_all(size_t *ret_n); /* kernels first, then the fixed ones */
const struct verb *verb_find(const char *name);
const char *verb_nearest(const char *name); /* for the hint; NULL: nothing close */
extern const char *const verb_group_titles[VERB_GROUPS];
extern const struct argp_option ctl_global_options[];

/* ---- options.c ---- */

/* Reads the command line: global flags into *ret_flags, the verb with its options into *ret_call.
 * Ends the process for --help and --version (0) and for usage errors (2). */
void options_read(int argc, char **argv, struct ctl_flags *ret_flags, struct call *ret_call);
void options_usage(const struct verb *verb, const char *format, ...) SW_PRINTF(2, 3)
    __attribute__((noreturn));

/* ---- say.c: words for people ---- */

void say(const char *format, ...) SW_PRINTF(1, 2); /* "shadowctl: ...\n" on standard error */
/* Says what is in err and gives the exit status of the error code. */
enum ctl_exit say_failed(int code, const struct sw_err *err);
enum ctl_exit exit_of(int code);
/* With --json every end has one object on standard output: when the process ends with another
 * status than 0 and show_json was not called, it is the REST interface's error object. */
void say_json(void);                  /* from here on */
void say_json_done(void);             /* there is an object already */
void say_json_code(const char *code); /* of the gateway's last error object */
void say_json_job(const char *id);    /* the job that goes on without us */

/* ---- text.c: text from outside and figures, made fit for a terminal ---- */

/* Control characters, escapes, bidirectional marks and bytes that are not UTF-8 become \xNN. */
void text_escape(struct sw_buf *buf, const char *text, size_t size);
void text_bytes(struct sw_buf *buf, uint64_t bytes); /* "4.1 GB" */
void text_span(struct sw_buf *buf, int64_t seconds); /* "1 h 04 min" */
bool text_is_utf8(const char *text, size_t size);
/* A name or message put into words: when longer than `max` its middle becomes "…", so that what
 * the words say besides still fits into struct sw_err. */
struct text_short {
    char text[CTL_MESSAGE_BYTES + 1];
};
struct text_short text_short(const char *text, size_t max);
/* Sets KEY, and KEYBytes (base64) when the name is not UTF-8 (then KEY is escaped). */
void text_json_name(json_t *object, const char *key, const char *name, size_t size);
/* The exact bytes of such a pair; false when it is not there. */
bool text_from_json(const json_t *object, const char *key, struct sw_buf *ret_name);
void text_base64(struct sw_buf *buf, const void *p, size_t size);
bool text_unbase64(struct sw_buf *buf, const char *text);

/* ---- table.c: aligned columns on standard output ---- */

struct table {
    size_t n_columns;
    char **cells; /* row by row, the heading first; NULL-safe text, already escaped */
    size_t n, room;
};
void table_cell(struct table *table, const char *text); /* escapes and adds the next cell */
void table_number(struct table *table, json_int_t number);
void table_bytes(struct table *table, json_int_t bytes);
void table_print(struct table *table); /* and frees it */

/* ---- interrupt.c ---- */

void interrupt_open(void); /* catches SIGINT and SIGTERM: the first asks, the second ends at once */
bool interrupted(void);
int interrupt_fd(void);     /* readable once interrupted */
int interrupt_wait(int ms); /* sleeps; -EINTR when interrupted */
/* Files to unlink should the process be ended by a second signal; borrowed until unguarded. */
#define INTERRUPT_GUARDS 64
void interrupt_guard(const char *path);
void interrupt_unguard(const char *path);

/* ---- table.c too ---- */

void show_json(const json_t *object);                          /* one object on standard output */
const char *show_text(const json_t *object, const char *key);  /* "" when absent or null */
json_int_t show_number(const json_t *object, const char *key); /* 0 when absent */

#endif
