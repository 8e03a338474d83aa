/* --long: as many seeds as asked for, one child each, with a result file that says how far it came,
 * so that it can be stopped at any time and goes on where it stopped. */
#include "sim.h"

#include <inttypes.h>

static void load(const char *path, uint64_t *seed, uint64_t *steps, uint64_t *found)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fscanf(file, "seed %" SCNu64 " steps %" SCNu64 " found %" SCNu64, seed, steps, found) != 3)
        *seed = *steps = *found = 0;
    fclose(file);
}

static int store(const char *path, uint64_t seed, uint64_t steps, uint64_t found)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (!file)
        return -1;
    fprintf(file, "seed %" PRIu64 " steps %" PRIu64 " found %" PRIu64 "\n", seed, steps, found);
    if (fclose(file) != 0)
        return -1;
    return rename(temporary, path);
}

int sim_long(const char *path, uint64_t steps, uint64_t budget)
{
    uint64_t seed = 0, done = 0, found = 0;
    load(path, &seed, &done, &found);
    printf("from seed %" PRIu64 ", %" PRIu64 " of %" PRIu64 " steps done\n", seed + 1, done,
           budget);
    while (done < budget) {
        struct sim_options o;
        struct sim_finding finding;
        sim_options_of_seed(&o, ++seed, steps, 0);
        if (sim_try(&o, &finding)) {
            found++;
            done += finding.step;
            printf("%s\n", finding.text);
            sim_print_options(stdout, &o);
        } else {
            done += finding.steps;
        }
        if (store(path, seed, done, found) < 0) {
            perror(path);
            return 1;
        }
    }
    printf("%" PRIu64 " steps, %" PRIu64 " seeds, %" PRIu64 " found\n", done, seed, found);
    return found ? 1 : 0;
}
