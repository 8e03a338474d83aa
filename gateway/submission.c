/* Owns what was asked for until the broker has it. Called by the two readers (JSON and query) and
 * by submit.c; sends nothing. */
#include "submission.h"

#include "base/own.h"
#include "proto/link.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct submission *submission_new(void)
{
    struct submission *s = sw_alloc(1, sizeof *s);
    uint8_t random[16];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(s->key, sizeof s->key, random, sizeof random);
    return s;
}

void submission_destroy(struct submission **p)
{
    struct submission *s = *p;
    if (!s)
        return;
    sw_buf_done(&s->texts);
    sw_buf_done(&s->input_names);
    sw_buf_done(&s->payload);
    sw_release(s->input_data);
    sw_release(s->uploads);
    sw_release(s->upload_ids);
    sw_release(s->inputs);
    sw_release(s);
    *p = NULL;
}

/* By jansson's own idea of UTF-8, since it will be shown as JSON. */
static bool is_text(const char *p, size_t n)
{
    if (memchr(p, 0, n))
        return false;
    json_t *probe = json_stringn(p, n);
    json_decref(probe);
    return probe != NULL;
}

static int unknown_type(const char *type, struct sw_err *err)
{
    AUTO_BUF struct sw_buf names = {0};
    for (size_t i = 0; sw_kernels[i]; i++)
        sw_buf_printf(&names, "%s%s", i ? ", " : "", sw_kernels[i]->name);
    return sw_fail(err, EINVAL, "type: %.40s is none of %s", type, (char *)names.data);
}

int submission_check(struct submission *s,
                     const char *type,
                     const struct submission_param *params,
                     size_t n,
                     struct sw_err *err)
{
    struct sw_param_text list[SW_PARAMS_MAX];
    s->kernel = sw_kernel_find(type);
    if (!s->kernel)
        return unknown_type(type, err);
    if (n > SW_PARAMS_MAX)
        return sw_fail(err, EINVAL, "more parameters than %s has", type);
    for (size_t i = 0; i < n; i++) {
        if (!is_text(params[i].value.p, params[i].value.n))
            return sw_fail(err, EINVAL, "%.60s: text in UTF-8 without NUL", params[i].name);
        sw_buf_put(&s->texts, params[i].value.p, params[i].value.n);
        sw_buf_put(&s->texts, "", 1);
    }
    const char *at = (const char *)s->texts.data; /* only now: the buffer moves while it grows */
    for (size_t i = 0; i < n; i++) {
        list[i] = (struct sw_param_text){
            .name = params[i].name, .value = at, .value_size = params[i].value.n};
        at += params[i].value.n + 1;
    }
    return sw_params_parse(s->kernel, list, n, &s->values, err);
}

int submission_set_name(struct submission *s, const char *p, size_t n, struct sw_err *err)
{
    if (n > SUBMIT_NAME_MAX || !is_text(p, n))
        return sw_fail(err, EINVAL, "a job's name: at most %d bytes of UTF-8 without NUL",
                       SUBMIT_NAME_MAX);
    memcpy(s->name, p, n);
    s->name[n] = '\0';
    return 0;
}

int submission_set_key(struct submission *s, const char *p, size_t n, struct sw_err *err)
{
    if (n == 0 || n > SUBMIT_KEY_MAX || !is_text(p, n))
        return sw_fail(err, EINVAL, "idempotencyKey: 1 to %d bytes of UTF-8 without NUL",
                       SUBMIT_KEY_MAX);
    if (s->key_given && (strlen(s->key) != n || memcmp(s->key, p, n) != 0))
        return sw_fail(err, EINVAL, "idempotencyKey and the Idempotency-Key header differ");
    memcpy(s->key, p, n);
    s->key[n] = '\0';
    s->key_given = true;
    return 0;
}
