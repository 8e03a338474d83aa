/* Kernels for the tests of slots: `act` does what the first word of each file says. */
#ifndef BAD_KERNELS_H
#define BAD_KERNELS_H

#include "kernels/kernel.h"

/* These and the real ones, for slot_main. */
const struct sw_kernel *const *bad_kernels(void);

/* `forge SEED NUMBER`: sends a few made-up records about that run. */
void bad_forge(const char *text);

#endif
