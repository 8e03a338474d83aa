/* An error with words, for the edges where a person reads it (convention 16). */
#ifndef SW_ERR_H
#define SW_ERR_H

#include "base/own.h"

struct sw_err {
    char
        text[160]; /* NUL-terminated, cut to fit; says what was wrong, where, and what is allowed */
};

/* Writes the text (err may be NULL) and returns -code: `return sw_fail(err, EINVAL, "level %d",
 * n);` */
int sw_fail(struct sw_err *err, int code, const char *format, ...) SW_PRINTF(3, 4);

#endif
