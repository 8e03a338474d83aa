/* Resumable uploads: the tus 1.0 protocol. */
#ifndef CTL_UPLOAD_H
#define CTL_UPLOAD_H

#include "ctl.h"
#include "http.h"

#define UPLOAD_ID_MAX 128

struct upload_watch {                        /* told while it goes on */
    void (*sent)(void *arg, uint64_t bytes); /* on their way, from 0; may fall after a break */
    void (*between)(void *arg);              /* no request runs: the moment to ask something else */
    void *arg;
};

/* Sends all of the source; after a break it goes on at the offset that the gateway has. `metadata`
 * is the value of Upload-Metadata. -errno of the source when that fails; the half upload is then
 * removed. */
int upload_send(struct ctl *ctl,
                const struct http_source *source,
                const char *metadata,
                const struct upload_watch *watch,
                char ret_id[UPLOAD_ID_MAX],
                struct sw_err *err);

/* Appends "KEY BASE64", with a comma before it when it is not the first. */
void upload_metadata(struct sw_buf *buf, const char *key, const void *value, size_t size);

#endif
