/* A failing run made small: fewer steps, faults, agents, jobs and chunks, as long as it still
 * fails. What fails may change on the way; the smallest failing world is worth more than the same
 * message. */
#include "sim.h"

#include <stdlib.h>

static bool still_fails(const struct sim_options *o, struct sim_finding *finding)
{
    struct sim_finding found;
    if (!sim_try(o, &found))
        return false;
    *finding = found;
    printf("  %s\n", found.text);
    return true;
}

/* Tries to lower *number: straight to the least, then by halves, then by one. */
static bool lower(struct sim_options *o, uint32_t *number, struct sim_finding *finding)
{
    bool any = false;
    uint32_t step = *number - 1;
    while (step > 0) {
        uint32_t before = *number;
        if (step < before) {
            *number = before - step;
            if (still_fails(o, finding)) {
                any = true;
                continue;
            }
            *number = before;
        }
        step /= 2;
    }
    return any;
}

void sim_shrink(struct sim_options *options)
{
    struct sim_options o = *options;
    struct sim_finding finding;
    if (!still_fails(&o, &finding)) {
        printf("this run does not fail\n");
        return;
    }
    for (bool any = true; any;) {
        any = false;
        if (finding.step && finding.step < o.steps)
            o.steps = finding.step; /* what comes later cannot matter */
        for (uint32_t i = 0; i < FAULTS; i++) {
            struct sim_options without = o;
            without.faults &= ~(UINT64_C(1) << i);
            if (without.faults == o.faults || !still_fails(&without, &finding))
                continue;
            o.faults = without.faults;
            any = true;
        }
        any |= lower(&o, &o.agents, &finding);
        any |= lower(&o, &o.jobs, &finding);
        any |= lower(&o, &o.chunks, &finding);
        if (finding.step && finding.step < o.steps)
            o.steps = finding.step;
    }
    *options = o;
    printf("smallest: %s\nsim ", finding.text);
    sim_print_options(stdout, &o);
}
