/* Texts into values by a kernel's parameter table. Called wherever parameters come in (REST,
 * shadowctl, a slot), so that they are understood the same everywhere. Pure; never keeps or copies
 * a text. */
#include "kernels/kernel.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text from outside as it may stand in an error: short, one line, ASCII. */
struct shown {
    char text[36];
};

static struct shown show(const char *text)
{
    struct shown s = {0};
    size_t n = 0;
    for (; text[n] && n < sizeof s.text - 4; n++) {
        bool plain = text[n] >= ' ' && text[n] <= '~' && text[n] != '"';
        s.text[n] = '?';
        if (plain)
            s.text[n] = text[n];
    }
    if (text[n])
        memcpy(s.text + n, "...", 3);
    return s;
}

static bool parse_int(const char *text, size_t size, int64_t *ret_number)
{
    size_t sign = text[0] == '-';
    if (size == sign || size > 20 || strspn(text + sign, "0123456789") != size - sign)
        return false;
    errno = 0;
    *ret_number = strtoll(text, NULL, 10);
    return errno == 0;
}

static bool parse_bool(const char *text, int64_t *ret_number)
{
    bool yes = !*text || !strcmp(text, "true") || !strcmp(text, "1");
    *ret_number = yes;
    return yes || !strcmp(text, "false") || !strcmp(text, "0");
}

/* The place of text among the words of choices. */
static bool parse_choice(const char *choices, const char *text, size_t size, int64_t *ret_number)
{
    const char *word = choices;
    for (int64_t i = 0; *word; i++) {
        size_t n = strcspn(word, " ");
        if (n == size && memcmp(word, text, n) == 0) {
            *ret_number = i;
            return true;
        }
        word += n + strspn(word + n, " ");
    }
    return false;
}

/* One value; false when it is not allowed. */
static bool
parse_value(const struct sw_param *p, const char *text, size_t size, struct sw_value *ret)
{
    struct sw_value v = {.present = true, .text = text, .size = size};
    bool good = strlen(text) == size;
    switch (p->type) {
    case SW_PARAM_INT:
        good = good && parse_int(text, size, &v.number) && v.number >= p->min && v.number <= p->max;
        break;
    case SW_PARAM_BOOL:
        good = good && parse_bool(text, &v.number);
        break;
    case SW_PARAM_CHOICE:
        good = good && parse_choice(p->choices, text, size, &v.number);
        break;
    case SW_PARAM_TEXT:
        good = good && size >= (size_t)p->min && size <= sw_param_text_max(p);
        break;
    }
    if (good)
        *ret = v;
    return good;
}

static int refuse(const struct sw_param *p, const struct sw_param_text *t, struct sw_err *err)
{
    struct shown value = show(t->value);
    switch (p->type) {
    case SW_PARAM_INT:
        return sw_fail(err, EINVAL,
                       "%s \"%s\" is not allowed: a whole number from %" PRId64 " to %" PRId64,
                       p->name, value.text, p->min, p->max);
    case SW_PARAM_BOOL:
        return sw_fail(err, EINVAL, "%s \"%s\" is not allowed: true or false", p->name, value.text);
    case SW_PARAM_CHOICE:
        return sw_fail(err, EINVAL, "%s \"%s\" is not allowed: one of %s", p->name, value.text,
                       p->choices);
    case SW_PARAM_TEXT:
        break;
    }
    if (strlen(t->value) != t->value_size)
        return sw_fail(err, EINVAL, "%s must not contain a NUL byte", p->name);
    return sw_fail(err, EINVAL, "%s has %zu bytes: %" PRId64 " to %zu are allowed", p->name,
                   t->value_size, p->min, sw_param_text_max(p));
}

static int unknown(const struct sw_kernel *k, const char *name, struct sw_err *err)
{
    char list[112] = "";
    for (size_t i = 0, at = 0; i < k->n_params && at < sizeof list; i++)
        at +=
            (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? " " : "", k->params[i].name);
    struct shown shown = show(name);
    return sw_fail(err, EINVAL, "unknown parameter \"%s\": %s takes %s", shown.text, k->name, list);
}

static int read_one(const struct sw_kernel *k,
                    const struct sw_param_text *t,
                    struct sw_values *values,
                    struct sw_err *err)
{
    for (size_t i = 0; i < k->n_params; i++) {
        if (strcmp(k->params[i].name, t->name) != 0)
            continue;
        if (values->v[i].present)
            return sw_fail(err, EINVAL, "%s is given twice", t->name);
        if (!parse_value(&k->params[i], t->value, t->value_size, &values->v[i]))
            return refuse(&k->params[i], t, err);
        return 0;
    }
    return unknown(k, t->name, err);
}

size_t sw_param_text_max(const struct sw_param *p)
{
    return p->max ? (size_t)p->max : SW_PARAM_TEXT_MAX;
}

int sw_params_parse(const struct sw_kernel *k,
                    const struct sw_param_text *list,
                    size_t n,
                    struct sw_values *ret_values,
                    struct sw_err *err)
{
    assert(k->n_params <= SW_PARAMS_MAX);
    struct sw_values values = {0};
    for (size_t i = 0; i < n; i++) {
        int r = read_one(k, &list[i], &values, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < k->n_params; i++) {
        const struct sw_param *p = &k->params[i];
        if (values.v[i].present)
            continue;
        if (p->required)
            return sw_fail(err, EINVAL, "%s is required: %s", p->name, p->help);
        if (!p->fallback)
            continue;
        bool good = parse_value(p, p->fallback, strlen(p->fallback), &values.v[i]);
        assert(good);
    }
    int r = k->check ? k->check(&values, err) : 0;
    if (r < 0)
        return r;
    *ret_values = values;
    return 0;
}
