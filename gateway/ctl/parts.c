/* The inputs as uploads of an open job: part after part is uploaded and added, so that work starts
 * while the rest still travels; between slices it looks after the bar and after the job. Called by
 * submit.c; prints nothing. */
#include "parts.h"

#include "base/clock.h"
#include "http.h"
#include "paths.h"
#include "progress.h"
#include "upload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ADD_UPLOADS 1000   /* ids in one request: well below 8 MiB of JSON */
#define TOUCH_MS    120000 /* far below the ten minutes that an open job waits for input */

struct sending {
    struct ctl *ctl;
    struct inputs *inputs;
    const char *job;
    uint64_t sent_before; /* bytes of finished parts */
    json_t *uploads;      /* finished, not added yet */
    uint64_t upload_bytes;
    size_t n_added;
    int64_t touched_ms; /* boot time when the gateway last heard of the job */
};

void submit_key_make(char ret_key[33])
{
    uint8_t random[16] = {0};
    ssize_t ignored = getrandom(random, sizeof random, 0);
    (void)ignored;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(ret_key + 2 * i, 3, "%02x", random[i]);
}

/* Between two slices: tells the bar how far the work is, and the gateway that we are still here. An
 * open job that gets no input for ten minutes would be cancelled, and a large file takes longer. */
static void look_after(void *arg)
{
    AUTO_ANSWER struct http_answer answer = {0};
    struct sending *sending = arg;
    AUTO(sw_text) char *path = path_of("jobs", sending->job, "");
    struct sw_err ignored;
    struct http_request request = {.method = "GET", .path = path, .once = true};
    bool quiet = sw_boot_ms() - sending->touched_ms > TOUCH_MS;
    if (!progress_is_due() && !quiet)
        return;
    if (http_call(sending->ctl->http, &request, &answer, &ignored))
        return;
    const json_t *job = json_object_get(answer.json, "job");
    progress_done(json_number_value(json_object_get(job, "progress")));
    if (!quiet)
        return;
    json_t *same = json_pack("{s:O?}", "priority", json_object_get(job, "priority"));
    http_answer_done(&answer);
    if (!http_json(sending->ctl->http, "PATCH", path, same, &answer, &ignored))
        sending->touched_ms = sw_boot_ms();
    json_decref(same);
}

static int add_uploads(struct sending *sending, struct sw_err *err)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = path_of("jobs", sending->job, "/inputs");
    char key[33], header[64];
    if (!json_array_size(sending->uploads))
        return 0;
    submit_key_make(key); /* a repeat after a lost answer adds nothing twice */
    snprintf(header, sizeof header, "Idempotency-Key: %s", key);
    json_t *body = json_pack("{s:O}", "uploads", sending->uploads);
    char *text = json_dumps(body, JSON_COMPACT);
    struct http_request request = {.method = "POST",
                                   .path = path,
                                   .type = "application/json",
                                   .body = text,
                                   .body_size = strlen(text),
                                   .headers = {header}};
    int r = http_call(sending->ctl->http, &request, &answer, err);
    free(text);
    json_decref(body);
    json_array_clear(sending->uploads);
    sending->upload_bytes = 0;
    sending->touched_ms = sw_boot_ms();
    look_after(sending);
    return r;
}

static void told_sent(void *arg, uint64_t bytes)
{
    struct sending *sending = arg;
    progress_sent(sending->sent_before + bytes);
}

static void metadata_of(const struct part *part, struct sw_buf *ret)
{
    const struct input *input = &part->inputs->list[part->first];
    char text[32];
    if (part->is_tar) {
        upload_metadata(ret, "unpack", "1", 1);
        if (part->prefix)
            upload_metadata(ret, "prefix", input->name, part->prefix);
        return;
    }
    upload_metadata(ret, "filename", input->name, strlen(input->name));
    snprintf(text, sizeof text, "%o", (unsigned)input->mode);
    upload_metadata(ret, "mode", text, strlen(text));
    snprintf(text, sizeof text, "%jd", (intmax_t)input->mtime.tv_sec);
    upload_metadata(ret, "mtime", text, strlen(text));
}

static int send_part(struct sending *sending, struct part *part, struct sw_err *err)
{
    AUTO_BUF struct sw_buf metadata = {0};
    struct http_source source = part_source(part);
    char id[UPLOAD_ID_MAX];
    metadata_of(part, &metadata);
    const struct upload_watch watch = {told_sent, look_after, sending};
    int r = upload_send(sending->ctl, &source, (const char *)metadata.data, &watch, id, err);
    if (r)
        return r;
    json_array_append_new(sending->uploads, json_string(id));
    sending->upload_bytes += part->size;
    sending->n_added += part->n;
    if (sending->upload_bytes < PART_BYTES / 2 && json_array_size(sending->uploads) < ADD_UPLOADS)
        return 0;
    return add_uploads(sending, err);
}

/* An input that cannot be read any more is taken off the list and its part made anew; everything
 * else that fails fails the job. */
int parts_drop_broken(struct inputs *inputs, struct part *part, int r)
{
    if (part->broken == SIZE_MAX)
        return r;
    inputs_drop(inputs, part->broken, r == -ESTALE ? "changed while it was read" : strerror(-r));
    return 0;
}

static int send_all(struct sending *sending, struct sw_err *err)
{
    struct inputs *inputs = sending->inputs;
    size_t next = 0;
    for (;;) {
        struct part part;
        part_next(&part, inputs, next);
        int r = part.n ? send_part(sending, &part, err) : 0;
        bool is_end = part.n == 0;
        if (r == 0) {
            next = part.first + part.n;
            sending->sent_before += part.size;
        } else
            r = parts_drop_broken(inputs, &part, r);
        part_done(&part);
        if (r || is_end)
            return r ? r : add_uploads(sending, err);
    }
}

int parts_send(struct ctl *ctl,
               struct inputs *inputs,
               const char *job,
               size_t *ret_n_added,
               struct sw_err *err)
{
    struct sending sending = {.ctl = ctl,
                              .inputs = inputs,
                              .job = job,
                              .uploads = json_array(),
                              .touched_ms = sw_boot_ms()};
    int r = send_all(&sending, err);
    json_decref(sending.uploads);
    *ret_n_added = sending.n_added;
    return r;
}
