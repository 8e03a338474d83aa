/* Planted bugs: the simulator is itself tested by switching one of them on and demanding that it is
 * found.
 *
 * `if (!BUG(no_token_check) && !lease->valid) return;` reads as the sane line in every real build:
 * there BUG() is the constant 0 and costs nothing. Built with -DCORE_BUGS it is true while the
 * simulator has chosen that bug. */
#ifndef CORE_BUG_H
#define CORE_BUG_H

enum core_bug {
    BUG_none,
#define X(name, invariant, what) BUG_##name,
#include "bugs.def"
#undef X
    BUG_COUNT,
};

#ifdef CORE_BUGS
extern int core_bug; /* enum core_bug; defined by the simulator */
#define BUG(name) (core_bug == BUG_##name)
#else
#define BUG(name) 0
#endif

#endif
