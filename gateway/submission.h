/* A job being asked for: read from JSON or from a query, checked against its kernel, then sent. */
#ifndef GATEWAY_SUBMISSION_H
#define GATEWAY_SUBMISSION_H

#include "files/uploads.h"
#include "kernels/kernel.h"
#include "proto/message.h"
#include "tokens.h"

#include <jansson.h>

#define SUBMIT_INLINE_BYTES ((size_t)16 << 10)  /* all inputs together, to ride in the message */
#define SUBMIT_INLINE_HEAD  ((size_t)128 << 10) /* their names, likewise */
#define SUBMIT_INPUTS_MAX   10000
#define SUBMIT_UPLOADS_MAX  4096
#define SUBMIT_KEY_MAX      128
#define SUBMIT_NAME_MAX     200 /* of the job */
#define SUBMIT_CHUNKS_MAX   1000000

struct submission {
    const struct sw_kernel *kernel;
    struct sw_values values;
    struct sw_buf texts; /* the parameters' values */
    int64_t priority;
    char name[SUBMIT_NAME_MAX + 1];
    char key[SUBMIT_KEY_MAX + 1];
    bool key_given; /* else it is random: the question to the broker may be repeated */
    uint64_t body_hash;
    uint64_t chunk_count, expected_bytes;
    bool open;
    char *input_data; /* JSON, when it is small enough to be shown */

    struct sw_msg_upload *uploads;
    char (*upload_ids)[SW_UPLOAD_ID_SIZE + 1];
    size_t n_uploads;

    struct sw_msg_input *inputs; /* names point into input_names */
    size_t n_inputs;
    struct sw_buf input_names, payload;
    bool payload_must_spill; /* the broker has no room for it in a message */

    char made_upload[SW_UPLOAD_ID_SIZE + 1]; /* by this request: goes when the job has it */
};

struct submission *submission_new(void);
void submission_destroy(struct submission **);

/* A parameter as text; kept until submission_check. */
struct submission_param {
    const char *name;
    struct sw_str value;
};
/* Finds the kernel and checks its parameters. -EINVAL with words. */
int submission_check(struct submission *,
                     const char *type,
                     const struct submission_param *params,
                     size_t n,
                     struct sw_err *err);
int submission_set_name(struct submission *, const char *p, size_t n, struct sw_err *err);
int submission_set_key(struct submission *, const char *p, size_t n, struct sw_err *err);

/* submission_json.c: the body of POST /api/jobs; keeps nothing of it. */
int submission_from_json(struct submission *, json_t *body, struct sw_err *err);
int submission_take_uploads(struct submission *, json_t *list, struct sw_err *err);
/* A whole number within bounds, *ret as it was when the key is absent. -EINVAL with words. */
int json_number(
    json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret, struct sw_err *err);

/* submission_inputs.c: inputData in its three shapes. */
int submission_take_inputs(struct submission *, json_t *data, struct sw_err *err);
bool submission_fits_message(const struct submission *);

/* Makes an upload of the inputs, on the pool: the id is in made_upload. */
int submission_spill(struct submission *, int uploads_fd, struct sw_err *err);

#endif
