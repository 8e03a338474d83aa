/* The descriptor arrays, from messages.def. Read-only data for the codec, the JSON rendering and
 * the generators. */
#include "proto/message.h"

#include <assert.h>
#include <string.h>

/* Pass 1: each record's fields. A SUB field's record is declared extern in message.h. */
#define RECORD(n, doc)                     static const struct sw_field fields_##n[] = {
#define MESSAGE(NAME_, n, code, from, doc) static const struct sw_field fields_##n[] = {
#define END(n)                                                                                     \
    {                                                                                              \
        .name = NULL                                                                               \
    }                                                                                              \
    }                                                                                              \
    ;
#define FIELD(f, json, doc, kind, record) {#f, json, doc, kind, record},
#define U64(f, json, doc)                 FIELD(f, json, doc, SW_U64, NULL)
#define I64(f, json, doc)                 FIELD(f, json, doc, SW_I64, NULL)
#define F64(f, json, doc)                 FIELD(f, json, doc, SW_F64, NULL)
#define BOOL(f, json, doc)                FIELD(f, json, doc, SW_BOOL, NULL)
#define TIME(f, json, doc)                FIELD(f, json, doc, SW_TIME, NULL)
#define ID(f, json, doc)                  FIELD(f, json, doc, SW_ID, NULL)
#define STR(f, json, doc)                 FIELD(f, json, doc, SW_STR, NULL)
#define OPT(f, json, doc)                 FIELD(f, json, doc, SW_OPT, NULL)
#define BIN(f, json, doc)                 FIELD(f, json, doc, SW_BIN, NULL)
#define NAME(f, json, doc)                FIELD(f, json, doc, SW_NAME, NULL)
#define JSON(f, json, doc)                FIELD(f, json, doc, SW_JSON, NULL)
#define LIST(r, f, json, doc)             FIELD(f, json, doc, SW_LIST, &sw_record_##r)
#define MAP(r, f, json, doc)              FIELD(f, json, doc, SW_MAP, &sw_record_##r)
#define SUB(r, f, json, doc)              FIELD(f, json, doc, SW_SUB, &sw_record_##r)
#include "proto/messages.def"
#include "proto/undef.h"

/* Pass 2: the records themselves. */
#define SW_FROM_DATA SW_FROM_BOTH
#define RECORD(n, doc)                                                                             \
    const struct sw_record sw_record_##n = {                                                       \
        #n, doc, fields_##n, sizeof(struct sw_msg_##n), NULL, SW_MSG_NONE, SW_FROM_BOTH};
#define MESSAGE(NAME_, n, code, from, doc)                                                         \
    const struct sw_record sw_record_##n = {#n,                                                    \
                                            doc,                                                   \
                                            fields_##n,                                            \
                                            sizeof(struct sw_msg_##n),                             \
                                            #NAME_,                                                \
                                            (enum sw_message_type)(code),                          \
                                            SW_FROM_##from};
#define END(n)
#include "proto/ignore_fields.h"
#include "proto/messages.def"
#include "proto/undef.h"

/* Pass 3: all of them in order. */
#define RECORD(n, doc)                     &sw_record_##n,
#define MESSAGE(NAME_, n, code, from, doc) &sw_record_##n,
#define END(n)
#include "proto/ignore_fields.h"
const struct sw_record *const sw_all_records[] = {
#include "proto/messages.def"
    NULL};
#include "proto/undef.h"

#define TYPES_MAX 128

const struct sw_record *sw_record_of(enum sw_message_type type)
{
    static const struct sw_record *const by_type[TYPES_MAX] = {
#define RECORD(n, doc)
#define MESSAGE(NAME_, n, code, from, doc) [code] = &sw_record_##n,
#define END(n)
#include "proto/ignore_fields.h"
#include "proto/messages.def"
#include "proto/undef.h"
    };
    return (unsigned)type < TYPES_MAX ? by_type[type] : NULL;
}

size_t sw_field_size(const struct sw_field *field)
{
    static const size_t sizes[] = {
        [SW_U64] = 8,   [SW_I64] = 8,   [SW_F64] = 8,  [SW_BOOL] = 8, [SW_TIME] = 8,
        [SW_ID] = 8,    [SW_STR] = 16,  [SW_OPT] = 16, [SW_BIN] = 16, [SW_NAME] = 16,
        [SW_JSON] = 16, [SW_LIST] = 16, [SW_MAP] = 16,
    };
    return field->kind == SW_SUB ? field->record->size : sizes[field->kind];
}

struct sw_str sw_str_of(const char *text)
{
    return (struct sw_str){text, strlen(text)};
}

bool sw_str_is(struct sw_str s, const char *text)
{
    return s.n == strlen(text) && (s.n == 0 || memcmp(s.p, text, s.n) == 0);
}
