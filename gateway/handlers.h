/* The handlers that the table of routes names, by file. */
#ifndef GATEWAY_HANDLERS_H
#define GATEWAY_HANDLERS_H

struct request;

/* about.c */
void about_health(struct request *);
void about_version(struct request *);
void about_openapi(struct request *);
void about_types(struct request *);

#endif
