/* The inputs as uploads of an open job. */
#ifndef CTL_PARTS_H
#define CTL_PARTS_H

#include "ctl.h"
#include "part.h"

/* Uploads part after part and adds each to the job; *ret_n_added counts the inputs. Inputs that
 * turn out unreadable are dropped. */
int parts_send(struct ctl *ctl,
               struct inputs *inputs,
               const char *job,
               size_t *ret_n_added,
               struct sw_err *err);

/* After a part failed with r: 0 when one of its inputs could not be read, which is dropped then, so
 * that the part can be made anew; else r. */
int parts_drop_broken(struct inputs *inputs, struct part *part, int r);

void submit_key_make(char ret_key[33]); /* a fresh idempotency key */

#endif
