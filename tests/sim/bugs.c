/* The simulator's own test: every planted bug of broker/core/bugs.def is switched on in turn and
 * has to be found within the budget of steps. Prints one TAP line each, with the seed that found it
 * and what was said. */
#include "sim.h"

#include <string.h>

const char *const sim_bug_names[] = {
    "none",
#define X(name, invariant, what) #name,
#include "broker/core/bugs.def"
#undef X
};

static const int invariants[] = {
    0,
#define X(name, invariant, what) invariant,
#include "broker/core/bugs.def"
#undef X
};

static bool find(int bug, uint64_t first_seed, uint64_t steps, uint64_t budget)
{
    uint64_t used = 0, seed = first_seed;
    struct sim_finding finding;
    for (; used < budget; seed++) {
        struct sim_options o;
        sim_options_of_seed(&o, seed, steps, bug);
        bool found = sim_try(&o, &finding);
        used += found ? (finding.step ? finding.step : steps) : finding.steps;
        if (!found)
            continue;
        printf("ok %d - %s (invariant %d) # seed %lu, %lu steps: %s\n", bug, sim_bug_names[bug],
               invariants[bug], (unsigned long)seed, (unsigned long)used, finding.text);
        return true;
    }
    printf("not ok %d - %s (invariant %d) # not found in %lu steps\n", bug, sim_bug_names[bug],
           invariants[bug], (unsigned long)used);
    return false;
}

int sim_bugs(uint64_t first_seed, uint64_t steps, uint64_t budget, int only)
{
    int missed = 0;
    if (!only)
        printf("1..%d\n", BUG_COUNT - 1);
    for (int bug = 1; bug < BUG_COUNT; bug++)
        if (!only || only == bug)
            missed += !find(bug, first_seed, steps, budget);
    return missed;
}
