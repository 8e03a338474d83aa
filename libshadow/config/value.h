/* One value of the table: text in, checked, into its target. Inner seam of libshadow/config. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"

/* Checks `text` against the key and writes the target. -EINVAL or -ERANGE with what is allowed in
 * *ret_err (no place: the caller knows it); the target then keeps what it had. */
int value_set(const struct sw_config_key *key,
              const char *text,
              void *config,
              struct sw_err *ret_err);

/* Whether a URI names a password; errs towards yes. */
bool value_has_password(const char *uri);

#endif
