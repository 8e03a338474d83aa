/* Turns the text of one option into its checked value: numbers, sizes, switches, bounded texts.
 *
 * Called by config.c for defaults, file lines and flags alike, so that all three obey one rule.
 * Never reads a file, never logs, and never repeats a secret in a message. */
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char units[] = "KMGT";

/* "64M" for a multiple of a unit, else plain bytes. */
static const char *size_text(int64_t bytes, char ret_text[32])
{
    int unit = 0;
    while (units[unit] && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(ret_text, 32, "%jd%.*s", (intmax_t)bytes, unit ? 1 : 0, units + unit - (unit ? 1 : 0));
    return ret_text;
}

static bool is_bounded(const struct sw_config_key *key)
{
    return key->min != 0 || key->max != 0;
}

static int
fail_number(const struct sw_config_key *key, int code, const char *text, struct sw_err *ret_err)
{
    const char *kind = key->type == SW_CONFIG_SIZE ? "a size such as 512K, 64M or 2G" : "a number";
    if (!is_bounded(key))
        return sw_fail(ret_err, code, "%s = %.32s: %s is allowed", key->name, text, kind);
    char low[32], high[32];
    if (key->type == SW_CONFIG_SIZE) {
        size_text(key->min, low);
        size_text(key->max, high);
    } else {
        snprintf(low, sizeof(low), "%jd", (intmax_t)key->min);
        snprintf(high, sizeof(high), "%jd", (intmax_t)key->max);
    }
    return sw_fail(ret_err, code, "%s = %.32s: %s from %s to %s is allowed", key->name, text, kind,
                   low, high);
}

static int set_number(const struct sw_config_key *key,
                      const char *text,
                      int64_t *ret_number,
                      struct sw_err *ret_err)
{
    /* strtoll takes blanks, + and hex; people mean digits */
    const char *digits = *text == '-' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return fail_number(key, EINVAL, text, ret_err);
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno)
        return fail_number(key, ERANGE, text, ret_err);
    if (key->type == SW_CONFIG_SIZE && *end) {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (!unit || number < 0)
            return fail_number(key, EINVAL, text, ret_err);
        int shift = 10 * (int)(unit - units + 1);
        if (number > INT64_MAX >> shift)
            return fail_number(key, ERANGE, text, ret_err);
        number <<= shift;
        end++;
    }
    if (*end)
        return fail_number(key, EINVAL, text, ret_err);
    if ((is_bounded(key) && (number < key->min || number > key->max)) ||
        (key->type == SW_CONFIG_SIZE && number < 0))
        return fail_number(key, ERANGE, text, ret_err);
    *ret_number = number;
    return 0;
}

static int
set_switch(const struct sw_config_key *key, const char *text, bool *ret_on, struct sw_err *ret_err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < SW_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *ret_on = i % 2;
            return 0;
        }
    return sw_fail(ret_err, EINVAL, "%s = %.32s: yes or no is allowed", key->name, text);
}

static int
set_text(const struct sw_config_key *key, const char *text, char **ret_text, struct sw_err *ret_err)
{
    size_t size = strlen(text);
    int64_t max = is_bounded(key) ? key->max : SW_CONFIG_TEXT_MAX;
    if ((int64_t)size < key->min || (int64_t)size > max)
        return sw_fail(ret_err, ERANGE, "%s: a text of %jd to %jd bytes is allowed, not of %zu",
                       key->name, (intmax_t)key->min, (intmax_t)max, size);
    sw_text_destroy(ret_text);
    *ret_text = sw_copy_text(text, size);
    return 0;
}

int value_set(const struct sw_config_key *key,
              const char *text,
              void *config,
              struct sw_err *ret_err)
{
    void *target = (char *)config + key->target;
    switch (key->type) {
    case SW_CONFIG_TEXT:
        return set_text(key, text, target, ret_err);
    case SW_CONFIG_INT:
    case SW_CONFIG_SIZE:
        return set_number(key, text, target, ret_err);
    case SW_CONFIG_BOOL:
        return set_switch(key, text, target, ret_err);
    }
    return sw_fail(ret_err, EINVAL, "%s: unknown type in the table", key->name);
}

bool value_has_password(const char *uri)
{
    const char *authority = strstr(uri, "://");
    const char *at = strrchr(uri, '@');
    const char *colon = authority ? strchr(authority + 3, ':') : NULL;
    return at && colon && colon < at;
}
