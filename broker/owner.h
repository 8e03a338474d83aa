/* Whose files --add-peer leaves behind when root runs it: those of the folder's owner that each
 * lies in, so that the programs, which have users of their own, can read them. For anyone but root
 * these do no more than what they are named after. */
#ifndef BROKER_OWNER_H
#define BROKER_OWNER_H

#include "proto/link.h"

/* From here on the process acts as the owner of the folder; of one that is not there yet as root.
 */
int owner_become(const char *folder, struct sw_err *err);

/* sw_keys_read and sw_keys_write, as the owner of the folder that `file` is in. */
int owner_keys_read(const char *file, struct sw_keys *ret, struct sw_err *err);
int owner_keys_write(const char *file, const struct sw_keys *keys, struct sw_err *err);

#endif
