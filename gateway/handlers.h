/* The handlers that the table of routes names, by file. */
#ifndef GATEWAY_HANDLERS_H
#define GATEWAY_HANDLERS_H

#include <stddef.h>

struct request;

/* about.c */
void about_health(struct request *);
void about_version(struct request *);
void about_openapi(struct request *);
void about_types(struct request *);

/* tus.c, tus_write.c */
void tus_options(struct request *);
void tus_create_begin(struct request *);
void tus_create(struct request *);
void tus_status(struct request *);
void tus_remove(struct request *);
void tus_patch_begin(struct request *);
void tus_patch(struct request *);
void tus_piece(struct request *, const char *p, size_t n);

#endif
