/* Conditional and partial requests: ETag, If-None-Match, Range, If-Range. */
#ifndef GATEWAY_RANGE_H
#define GATEWAY_RANGE_H

#include "proto/message.h"
#include "request.h"

#define RESULT_ETAG 160

enum range_kind { RANGE_WHOLE, RANGE_PART, RANGE_OUTSIDE, RANGE_NOT_MODIFIED };
struct range {
    enum range_kind kind;
    uint64_t first, size;
};

/* In quotes; of the job's etag and which of its outputs is meant. */
void range_etag(struct sw_str job_etag, const struct request *, char ret_etag[RESULT_ETAG]);

/* One range at most: several, or what cannot be understood, give the whole, as HTTP allows. */
struct range range_read(const struct request *, const char *etag, uint64_t size);

#endif
