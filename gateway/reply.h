/* Answers: JSON objects, errors by code, raw bodies; the headers that every answer has. */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include "request.h"

#include <jansson.h>

/* The codes of interface.md section 1; anything else is a bug of ours. */
enum reply_code {
    REPLY_BAD_REQUEST,
    REPLY_UNAUTHORIZED,
    REPLY_FORBIDDEN,
    REPLY_NOT_FOUND,
    REPLY_METHOD,
    REPLY_CONFLICT,
    REPLY_NOT_FINISHED,
    REPLY_CANCELLED,
    REPLY_PRECONDITION, /* tus: another version of the protocol */
    REPLY_TOO_LARGE,
    REPLY_MEDIA_TYPE,
    REPLY_RANGE,
    REPLY_BAD_HOST,
    REPLY_LOCKED, /* tus: the upload is being written by another request */
    REPLY_UPGRADE,
    REPLY_QUOTA,
    REPLY_UNAVAILABLE,
    REPLY_BUSY,
    REPLY_DISK_FULL,
    REPLY_CODES
};
const char *reply_code_text(enum reply_code);
unsigned reply_code_status(enum reply_code);

/* Decides the answer; only the first one counts. Takes the response. */
void request_reply(struct request *, unsigned status, struct MHD_Response *);

/* {"success": true, ...fields}; takes the object. */
void reply_json(struct request *, unsigned status, json_t *fields);
void reply_error(struct request *, enum reply_code, const char *format, ...) SW_PRINTF(3, 4);
void reply_empty(struct request *, unsigned status, struct MHD_Response *headers);
/* Bytes that live as long as the process. */
void reply_static(struct request *, const char *media_type, const void *p, size_t n);
void reply_text(struct request *, const char *media_type, struct sw_buf *text_take);

/* An error of the files library by its errno. */
void reply_errno(struct request *, int code, const struct sw_err *err, const char *what);

/* A response without a body, to put headers on. */
struct MHD_Response *reply_new_empty(void);
void reply_header(struct MHD_Response *, const char *name, const char *format, ...) SW_PRINTF(3, 4);

#endif
