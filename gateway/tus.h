/* What the tus routes share. The protocol: tus.io, version 1.0.0, with creation,
 * creation-with-upload, termination and expiration. */
#ifndef GATEWAY_TUS_H
#define GATEWAY_TUS_H

#include "files/uploads.h"
#include "request.h"

#define TUS_LENGTH_MAX ((uint64_t)1 << 44) /* 16 TiB: what ext4 holds in one file */
#define TUS_BODY_TYPE  "application/offset+octet-stream"

bool tus_check_version(struct request *); /* false: answered */
/* A number header; -ENOENT when absent, -EINVAL (answered) when it is none. */
int tus_number(struct request *, const char *name, uint64_t *ret);
struct MHD_Response *tus_response(void);
void tus_add_expires(struct MHD_Response *, const struct sw_upload_info *);

/* tus_metadata.c: `filename BASE64,unpack MQ==`. -EINVAL with words. */
int tus_metadata_parse(const char *text, struct sw_upload_info *info, struct sw_err *err);
/* What was understood of it, as the protocol's HEAD gives it back. */
void tus_metadata_write(const struct sw_upload_info *info, struct sw_buf *ret_text);

#endif
