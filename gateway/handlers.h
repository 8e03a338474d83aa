/* The handlers that the table of routes names, by file. */
#ifndef GATEWAY_HANDLERS_H
#define GATEWAY_HANDLERS_H

#include <stddef.h>

struct request;

/* about.c */
void about_health(struct request *);
void about_version(struct request *);
void about_openapi(struct request *);
void about_ca(struct request *);
void about_types(struct request *);

/* page.c */
void page_index(struct request *);
void page_asset(struct request *);

/* login.c */
void login_make(struct request *);
void login_show(struct request *);
void login_end(struct request *);
void login_code(struct request *);

/* token_routes.c */
void tokens_list(struct request *);
void tokens_post(struct request *);
void tokens_patch(struct request *);
void tokens_delete(struct request *);

/* tus.c, tus_write.c */
void tus_options(struct request *);
void tus_create_begin(struct request *);
void tus_create(struct request *);
void tus_status(struct request *);
void tus_remove(struct request *);
void tus_patch_begin(struct request *);
void tus_patch(struct request *);
void tus_piece(struct request *, const char *p, size_t n);

/* jobs.c */
void jobs_list(struct request *);
void jobs_get(struct request *);
void jobs_why(struct request *);
void jobs_cancel(struct request *);
void jobs_retry(struct request *);
void jobs_seal(struct request *);
void jobs_delete(struct request *);
void jobs_set(struct request *);

/* result_serve.c, files_list.c */
void jobs_result(struct request *);
void jobs_files(struct request *);

/* submit.c, submit_body.c, submit_add.c */
void submit_json(struct request *);
void submit_any(struct request *);
void submit_body_begin(struct request *);
void submit_body_piece(struct request *, const char *p, size_t n);
void submit_add(struct request *);

/* devices.c, status.c, metrics.c */
void devices_list(struct request *);
void devices_get(struct request *);
void devices_drain(struct request *);
void devices_resume(struct request *);
void status_show(struct request *);
void metrics_show(struct request *);

#endif
