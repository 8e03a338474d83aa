/* The uploads that are being written now, and the sweep of those that nobody touches any more. */
#ifndef GATEWAY_UPLOADS_H
#define GATEWAY_UPLOADS_H

#include "gateway.h"

#define UPLOAD_KEPT_MS    ((int64_t)24 * 3600 * 1000) /* since it was last touched */
#define UPLOAD_EXPAND_MAX ((uint64_t)1 << 40)         /* sparse members of a tar, all together */

/* How the owner begins of an upload that one request makes for itself and removes again: no token's
 * id, so nobody else can name it. */
#define UPLOADS_OF_REQUEST '='

struct inlet;
struct request;

void uploads_open(struct gateway *); /* sets g->uploads; begins to sweep */
void uploads_destroy(struct uploads **);

void uploads_note(struct gateway *, struct inlet *);   /* its id is being written */
void uploads_forget(struct gateway *, struct inlet *); /* also one that was never noted */

/* Calls `then` once nobody writes that upload. Its writer is cut: the same client has come back on
 * a new connection. 423 after a while. The request is suspended meanwhile. */
void uploads_when_free(struct request *, const char *id, void (*then)(struct request *));

#endif
