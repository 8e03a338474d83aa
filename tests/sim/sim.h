/* Runs of the simulator and the modes round them. */
#ifndef SIM_H
#define SIM_H

#include "world.h"

extern const char *const sim_bug_names[]; /* by enum core_bug */

void sim_options_of_seed(struct sim_options *o, uint64_t seed, uint64_t steps, int bug);
void sim_print_options(FILE *file, const struct sim_options *o);

/* Runs one world here; ends the process with SIM_EXIT_FOUND when something is found. Returns its
 * steps. */
uint64_t sim_one(const struct sim_options *options);

/* Runs one world in a child. True: something was found, ret_text says what (one line). */
struct sim_finding {
    char text[240];
    uint64_t step;  /* 0 = not known */
    uint64_t steps; /* of a run without a finding */
};
bool sim_try(const struct sim_options *options, struct sim_finding *ret_finding);

/* shrink.c: the smallest options found that still fail */
void sim_shrink(struct sim_options *options);
/* bugs.c: each planted bug (or one) within `budget` steps; returns how many were not found */
int sim_bugs(uint64_t first_seed, uint64_t steps, uint64_t budget, int only);
/* long.c */
int sim_long(const char *path, uint64_t steps, uint64_t budget);
/* policy.c: prints makespan against the lower bound; false when above the target */
bool sim_policy(uint64_t seed);

#endif
