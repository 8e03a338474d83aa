/* A result's bytes on their way out: read and checked on the thread pool, a block ahead of the
 * sending. */
#ifndef GATEWAY_OUTLET_H
#define GATEWAY_OUTLET_H

#include "composed.h"
#include "request.h"

#define OUTLET_BLOCK_BYTES ((size_t)256 << 10)
#define OUTLETS_MAX        128 /* two blocks each, and libmicrohttpd's own: 96 MiB at most */

struct outlet;

/* Bytes [first, first + size) of `which` (an index, or SW_RESULT_…). Holds composed. */
struct outlet *
outlet_new(struct request *, struct composed *composed, int which, uint64_t first, uint64_t size);

/* A response that sends them; the outlet is the response's now. A byte that cannot be read or whose
 * sum differs cuts the connection: what was promised by its length is never silently short. */
struct MHD_Response *outlet_response(struct outlet *);

/* Reads a small result at once (at most a block), for JSON: all outputs, one after the other. Then
 * with the bytes, or NULL. */
typedef void outlet_then(struct request *, void *context, const uint8_t *p);
void outlet_read_small(
    struct request *, struct composed *composed, uint64_t size, outlet_then *then, void *context);

unsigned outlets_open(const struct gateway *);

#endif
