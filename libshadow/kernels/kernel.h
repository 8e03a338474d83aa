/* What a task kernel is. A kernel is one file with one declaration and one line in kernels.def;
 * from the declaration come REST validation, the shadowctl verb, the dashboard's form and the
 * documentation.
 *
 * A kernel does no I/O, has no globals, threads or clock: it pulls from a reader and pushes to a
 * writer and never holds a whole input in memory. The same sources build to wasm32. */
#ifndef SW_KERNEL_H
#define SW_KERNEL_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- parameters ---- */

enum sw_param_type { SW_PARAM_INT, SW_PARAM_BOOL, SW_PARAM_TEXT, SW_PARAM_CHOICE };

struct sw_param {
    const char *name; /* JSON key = query key = long option */
    enum sw_param_type type;
    bool required;
    const char *fallback; /* the default as text; NULL = none (then the value is absent) */
    int64_t min, max;    /* INT: the value; TEXT: its length in bytes (max 0 = SW_PARAM_TEXT_MAX) */
    const char *choices; /* CHOICE: "sha256 sha512 blake2b" */
    const char *help;    /* one sentence without a full stop */
};

#define SW_PARAMS_MAX 8
/* A regular expression of a screenful; it travels in every ASSIGN. */
#define SW_PARAM_TEXT_MAX 4096

/* A parameter as it came: text, whatever its type ("9", "true", "a+b"). `true`/`false`/`1`/`0`/""
 * (a bare flag = true) are the booleans. */
struct sw_param_text {
    const char *name;
    const char *value;
    size_t value_size; /* value is UTF-8 without NUL; it is followed by one */
};

struct sw_value {
    bool present;
    int64_t number;   /* INT, BOOL (0 or 1), CHOICE (index into choices) */
    const char *text; /* TEXT and CHOICE, NUL-terminated, borrowed from the sw_param_text list or
                         the table */
    size_t size;
};
struct sw_values {
    struct sw_value v[SW_PARAMS_MAX]; /* in the order of the kernel's table */
};

/* ---- inputs and outputs ---- */

/* One file's part in a chunk. A kernel is run once for each segment, in order. */
struct sw_segment {
    const char *name; /* as the user gave it: any bytes but NUL */
    size_t name_size;
    uint32_t mode;
    int64_t mtime;      /* Unix seconds */
    uint64_t file_size; /* the whole file */
    uint64_t offset;    /* where the owned range begins in the file */
    uint64_t size;      /* bytes owned: [offset, offset + size) */
    uint32_t lead;      /* 0 or 1: bytes of the file before `offset` that the reader gives first */
    uint64_t tail; /* bytes after the owned range that the reader can give; read only as needed */
};

struct sw_reader {
    /* Up to n bytes of the segment's lead + owned + tail bytes; 0 at its end; -errno when the input
     * broke (the kernel returns that at once). */
    ssize_t (*read)(struct sw_reader *, void *p, size_t n);
};
struct sw_writer {
    int (*write)(struct sw_writer *, const void *p, size_t n); /* 0 or -errno (returned at once) */
};

/* ---- splitting ---- */

struct sw_split {
    uint64_t
        unit_bytes; /* 0: a file is never split; else only at multiples of this (1: anywhere) */
    bool unit_per_chunk; /* one unit a chunk, however small the grain (a slow compression level) */
    uint32_t lead; /* segments that begin inside a file get this many bytes before (filter: 1) */
    uint64_t
        tail_bytes; /* segments that end inside a file may read on for at most this many bytes */
};

/* ---- the kernel ---- */

/* The output of a chunk has at most `times` its bytes, and `more` for each of its segments. A bound
 * against runaways: never less than what a run may give. */
struct sw_growth {
    uint64_t times, more; /* at most 2^13, 2^50 */
};

enum sw_shape { SW_FILES, SW_CONCAT };

#define SW_OUTPUT_NAME_MAX 4352 /* a 4,096-byte name and a suffix */

struct sw_kernel {
    const char *name;
    uint32_t rev; /* raised when results change; a job pins it */
    const char *title;
    const char *help; /* two or three sentences for --help, the form and the man page */
    const struct sw_param *params;
    size_t n_params;
    enum sw_shape shape;

    /* Rules between parameters; each alone has already passed its own bounds. 0 or -EINVAL with
     * words. */
    int (*check)(const struct sw_values *, struct sw_err *err);

    /* FILES: the output's name for an input's name. CONCAT: the one name (input name ignored). */
    void (*output_name)(const struct sw_values *,
                        const char *name,
                        size_t size,
                        struct sw_buf *ret_name);

    struct sw_split (*split)(const struct sw_values *);

    /* Everything that needs memory that becomes executable, a library's tables, or the file system
     * (PCRE2's compilation, iconv_open) happens here, before the slot's filter closes. */
    int (*open)(const struct sw_values *, void **ret_state, struct sw_err *err);
    void (*close)(void *state);

    /* Runs one segment. 0: its output is whole. -EBADMSG with words: an input error, a result of
     * that file (never retried). Anything else: the run itself failed (the reader's or writer's
     * error, -ENOMEM). */
    int (*run)(void *state,
               const struct sw_segment *segment,
               struct sw_reader *in,
               struct sw_writer *out,
               struct sw_err *ret_error);

    /* See sw_kernel_verify; NULL: the run is done again and its bytes compared. For kernels where
     * looking at an output costs less, or where right outputs may differ. The same state as run's;
     * `output` ends where the segment's output does. */
    int (*verify)(void *state,
                  const struct sw_segment *segment,
                  struct sw_reader *in,
                  struct sw_reader *output,
                  struct sw_err *ret_error);

    struct sw_growth (*growth)(const struct sw_values *); /* see sw_kernel_growth */

    const char *(*engine)(void); /* see sw_kernel_engine; NULL: no library decides */
};

extern const struct sw_kernel *const sw_kernels[]; /* NULL-terminated, from kernels.def */
const struct sw_kernel *sw_kernel_find(const char *name);

/* A kernel without a bound of its own gives about what it gets, or a line for each file. */
struct sw_growth sw_kernel_growth(const struct sw_kernel *, const struct sw_values *);

/* Is this what a run of the segment may give? `output` gives the bytes that are claimed to be it
 * and ends where they do; `error` is NULL, or the words of the input error that is claimed instead
 * (then there are no bytes). 0: yes. -EBADMSG with words: no. Anything else: it could not be found
 * out (a reader's error, -ENOMEM). The caller sees to it that the outputs of a chunk's segments
 * fill the chunk's output, no more and no less. */
int sw_kernel_verify(const struct sw_kernel *,
                     void *state,
                     const struct sw_segment *segment,
                     struct sw_reader *in,
                     struct sw_reader *output,
                     const char *error,
                     struct sw_err *ret_why);

/* The library's version that decides the bytes of a result: "zstd 1.5.4", "pcre2 10.42 jit", "".
 * The text lasts as long as the calling thread. */
const char *sw_kernel_engine(const struct sw_kernel *);

/* The longest value a TEXT parameter may have, in bytes. */
size_t sw_param_text_max(const struct sw_param *);

/* Reads texts into values: unknown names, a name given twice, bad types, bounds and missing
 * required ones are -EINVAL with words that say what is allowed; defaults are filled in; then the
 * kernel's check runs. Values borrow from the list. */
int sw_params_parse(const struct sw_kernel *,
                    const struct sw_param_text *list,
                    size_t n,
                    struct sw_values *ret_values,
                    struct sw_err *err);

/* ---- planning (plan.c): boundaries from sizes alone, pure ---- */

/* Limits of a chunk: 1,024 files so that a DONE with an error text for each stays within a message.
 */
#define SW_CHUNK_FILES_MAX 1024
#define SW_GRAIN_MIN       ((uint64_t)256 << 10)
#define SW_GRAIN_MAX       ((uint64_t)64 << 20)

/* clamp(expected / max(128, 8 x slots), 256 KiB, 64 MiB) */
uint64_t sw_grain(uint64_t bytes_expected, uint32_t slots_online);

struct sw_piece {
    uint32_t file;  /* index into sizes */
    uint32_t chunk; /* from 0, never falls, no gaps */
    uint64_t offset;
    uint64_t size;
    uint32_t lead;
    uint64_t tail;
};

/* Cuts files into pieces and groups them into chunks, in input order, contiguous. An empty file is
 * a piece of size 0. With chunk_count > 0 it replaces the grain: at most that many chunks of near
 * equal bytes (files count one byte more than they hold, so that empty ones spread too), never
 * splitting a unit. *ret_pieces is owned by the caller (sw_release). -EOVERFLOW beyond max_pieces.
 */
int sw_plan(const struct sw_split *split,
            const uint64_t *sizes,
            size_t n_files,
            uint64_t grain,
            uint32_t chunk_count,
            size_t max_pieces,
            struct sw_piece **ret_pieces,
            size_t *ret_n);

#endif
