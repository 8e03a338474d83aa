/* The messages as C structs, and the one codec. See messages.def for what each field means.
 *
 * Every scalar takes 8 bytes and every string or list 16, so that the codec finds fields by walking
 * descriptors; a list is a pointer and a count. Decoded strings point into the bytes they came
 * from, decoded lists into the arena; both must outlive the struct. */
#ifndef SW_MESSAGE_H
#define SW_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_str {
    const char *p; /* not NUL-terminated; may be NULL when n is 0 */
    size_t n;
};
struct sw_str sw_str_of(const char *text); /* borrows */
bool sw_str_is(struct sw_str s, const char *text);

/* Lists are declared before the records they hold. */
#define RECORD(name, doc)                    struct sw_msg_##name;
#define MESSAGE(NAME, name, code, from, doc) struct sw_msg_##name;
#define END(name)
#include "proto/ignore_fields.h"
#include "proto/messages.def"
#include "proto/undef.h"

#define RECORD(name, doc)                    struct sw_msg_##name {
#define MESSAGE(NAME, name, code, from, doc) struct sw_msg_##name {
#define END(name)                                                                                  \
    }                                                                                              \
    ;
#define U64(f, json, doc)  uint64_t f;
#define I64(f, json, doc)  int64_t f;
#define F64(f, json, doc)  double f;
#define BOOL(f, json, doc) uint64_t f;
#define TIME(f, json, doc) int64_t f;
#define ID(f, json, doc)   uint64_t f;
#define STR(f, json, doc)  struct sw_str f;
#define OPT(f, json, doc)  struct sw_str f;
#define BIN(f, json, doc)  struct sw_str f;
#define NAME(f, json, doc) struct sw_str f;
#define JSON(f, json, doc) struct sw_str f;
#define LIST(record, f, json, doc)                                                                 \
    const struct sw_msg_##record *f;                                                               \
    size_t n_##f;
#define MAP(record, f, json, doc)                                                                  \
    const struct sw_msg_##record *f;                                                               \
    size_t n_##f;
#define SUB(record, f, json, doc) struct sw_msg_##record f;
#include "proto/messages.def"
#include "proto/undef.h"

/* SW_MSG_HELLO, ... */
#define RECORD(name, doc)
#define MESSAGE(NAME, name, code, from, doc) SW_MSG_##NAME = code,
#define END(name)
#include "proto/ignore_fields.h"
enum sw_message_type {
    SW_MSG_NONE = 0,
#include "proto/messages.def"
};
#include "proto/undef.h"

/* Room for any message, decoded. */
#define RECORD(name, doc)
#define MESSAGE(NAME, name, code, from, doc) struct sw_msg_##name name;
#define END(name)
#include "proto/ignore_fields.h"
struct sw_message {
    enum sw_message_type type;
    union {
#include "proto/messages.def"
    } of;
};
#include "proto/undef.h"

/* ---- descriptors: for the codec, the JSON rendering and the generators ---- */

enum sw_field_kind {
    SW_U64,
    SW_I64,
    SW_F64,
    SW_BOOL,
    SW_TIME,
    SW_ID,
    SW_STR,
    SW_OPT,
    SW_BIN,
    SW_NAME,
    SW_JSON,
    SW_LIST,
    SW_MAP,
    SW_SUB,
};
enum sw_from { SW_FROM_AGENT, SW_FROM_CLIENT, SW_FROM_BROKER, SW_FROM_BOTH };

struct sw_record;
struct sw_field {
    const char *name, *json, *doc;
    enum sw_field_kind kind;
    const struct sw_record *record; /* LIST, MAP, SUB */
};
struct sw_record {
    const char *name, *doc;
    const struct sw_field *fields; /* ends with name NULL */
    size_t size;                   /* of the struct */
    const char *constant;          /* messages: "HELLO"; NULL for records */
    enum sw_message_type type;     /* messages */
    enum sw_from from;             /* messages */
};
extern const struct sw_record *const sw_all_records[]; /* records, then messages; ends with NULL */
const struct sw_record *sw_record_of(enum sw_message_type type); /* NULL: unknown */
#define RECORD(name, doc)                    extern const struct sw_record sw_record_##name;
#define MESSAGE(NAME, name, code, from, doc) extern const struct sw_record sw_record_##name;
#define END(name)
#include "proto/ignore_fields.h"
#include "proto/messages.def"
#include "proto/undef.h"

size_t sw_field_size(const struct sw_field *field); /* bytes it takes in its struct */

/* ---- codec ---- */

/* What one decoded message may take: 256 KiB of one-byte list elements must not become 50 MB of
 * structs. */
#define SW_ARENA_MAX ((size_t)4 << 20)

struct sw_arena { /* memory of one decoded message, reused for the next */
    uint8_t *data;
    size_t used, room;
};
void sw_arena_done(struct sw_arena *arena);

/* A message's header frame. */
void sw_encode(enum sw_message_type type, const void *message, struct sw_buf *ret_bytes);
/* Resets the arena. -EBADMSG (not one well-formed value, a field of another kind, unknown type) or
 * -E2BIG. */
int sw_decode(
    const void *p, size_t size, struct sw_arena *arena, struct sw_message *ret, struct sw_err *err);

/* A record by itself, for rows in the store: the same array without a type in front. Appends to the
 * arena's content without a reset when `keep`. */
void sw_encode_record(const struct sw_record *record, const void *value, struct sw_buf *ret_bytes);
int sw_decode_record(const struct sw_record *record,
                     const void *p,
                     size_t size,
                     struct sw_arena *arena,
                     bool keep,
                     void *ret_value);

/* A deep copy in one heap block (sw_release frees it all): the struct, its lists and its strings,
 * each string followed by a NUL. */
void *sw_record_clone(const struct sw_record *record, const void *value);

#endif
