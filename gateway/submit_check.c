/* What can be refused before the broker is asked: uploads that are not there, not whole or
 * another's, and inputs whose outputs would have one name. Called by submit.c, on the pool; keeps
 * nothing. It finishes an upload whose writer could not. */
#include "submit.h"

#include "base/own.h"
#include "files/manifest.h"
#include "files/result.h"
#include "uploads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Every byte was acknowledged, and then the gateway ended or the disk failed before the upload was
 * complete: its sender has nothing left to send. */
static int finish(int uploads_fd, const char *id, struct sw_err *err)
{
    struct sw_upload *upload = NULL;
    int r = sw_upload_open(uploads_fd, id, &upload);
    if (r == -EBUSY)
        return sw_fail(err, EAGAIN, "upload %s is being written", id);
    r = r < 0 ? sw_fail(err, -r, "upload %s: %s", id, strerror(-r))
              : sw_upload_finish(upload, UPLOAD_EXPAND_MAX, err);
    sw_upload_close(&upload);
    return r;
}

static int
check_upload(int uploads_fd, const char *id, const char *owner, bool any_owner, struct sw_err *err)
{
    struct sw_upload_info info = {0};
    int r = sw_upload_stat(uploads_fd, id, &info);
    bool own = r == 0 && (any_owner || strcmp(info.owner, owner) == 0);
    bool whole = info.complete, has_all = info.offset == info.length;
    sw_upload_info_done(&info);
    if (r < 0 && r != -ENOENT)
        return sw_fail(err, -r, "upload %s: %s", id, strerror(-r));
    if (!own)
        return sw_fail(err, ENOENT, "upload %s is not there", id);
    if (!whole && has_all)
        return finish(uploads_fd, id, err);
    return whole ? 0 : sw_fail(err, EAGAIN, "upload %s is not whole yet", id);
}

static void output_name(void *arg, const char *name, size_t size, struct sw_buf *ret)
{
    const struct submission *s = arg;
    s->kernel->output_name(&s->values, name, size, ret);
}

static int add_inline(struct submission *s, struct sw_result *names, struct sw_err *err)
{
    struct sw_manifest manifest = {0};
    for (size_t i = 0; i < s->n_inputs; i++) {
        struct sw_entry entry = {
            .name = s->inputs[i].name.p, .name_size = s->inputs[i].name.n, .reason = ""};
        sw_manifest_append(&manifest.bytes, &entry);
    }
    int r = sw_manifest_parse(&manifest, err);
    if (r == 0)
        r = sw_result_add(names, &manifest);
    sw_manifest_done(&manifest);
    return r;
}

static int add_upload(struct sw_result *names, int uploads_fd, const char *id, struct sw_err *err)
{
    char file[SW_UPLOAD_ID_SIZE + 16];
    struct sw_manifest manifest = {0};
    snprintf(file, sizeof file, "%s.manifest", id);
    int r = sw_manifest_load(uploads_fd, file, &manifest, err);
    if (r == 0)
        r = sw_result_add(names, &manifest);
    sw_manifest_done(&manifest);
    return r;
}

static int check_names(struct submission *s, int uploads_fd, struct sw_err *err)
{
    struct sw_result_rule rule = {.output_name = output_name, .arg = s};
    if (!s->kernel || s->kernel->shape == SW_CONCAT)
        return 0; /* an ADD: what the job holds already is not known here */
    AUTO(sw_result) struct sw_result *names = sw_result_new(-1, &rule);
    int r = s->n_inputs ? add_inline(s, names, err) : 0;
    for (size_t i = 0; r == 0 && i < s->n_uploads; i++)
        r = add_upload(names, uploads_fd, s->upload_ids[i], err);
    return r < 0 ? r : sw_result_seal(names, err);
}

int submit_check_inputs(
    struct submission *s, int uploads_fd, const char *owner, bool any_owner, struct sw_err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->n_uploads; i++)
        r = check_upload(uploads_fd, s->upload_ids[i], owner, any_owner, err);
    return r < 0 ? r : check_names(s, uploads_fd, err);
}
