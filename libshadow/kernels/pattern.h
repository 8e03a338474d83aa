/* filter's matching of one line: PCRE2 as `grep -P` uses it in the C locale, and plain texts. */
#ifndef SW_KERNELS_PATTERN_H
#define SW_KERNELS_PATTERN_H

#include "base/err.h"

#include <stdbool.h>

#pragma GCC visibility push(hidden)

struct pattern;

/* Compiles and forgets: whether the pattern is one, without making machine code. 0 or -EINVAL with
 * words. */
int pattern_check(const char *text, size_t size, bool fixed, bool ignore_case, struct sw_err *err);

int pattern_new(const char *text,
                size_t size,
                bool fixed,
                bool ignore_case,
                struct pattern **ret_pattern,
                struct sw_err *err);
void pattern_destroy(struct pattern **p);

/* 1 or 0; -EBADMSG when the line cannot be decided within the limits (*ret_words says which),
 * -ENOMEM. */
int pattern_matches(struct pattern *pattern, const char *line, size_t n, const char **ret_words);

const char *pattern_engine(void);

#pragma GCC visibility pop
#endif
