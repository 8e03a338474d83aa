/* The command line: which run, or which mode round many runs. Everything else is in sim.c and the
 * modes' files. */
#include "sim.h"

#include "base/own.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

struct choice {
    struct sim_options options; /* fields that were given override those of the seed */
    bool has_agents, has_jobs, has_chunks, has_faults;
    uint64_t without, total;
    bool shrink, bugs, policy;
    const char *file, *long_file;
};

enum {
    OPT_BUGS = 1000,
    OPT_SHRINK,
    OPT_LONG,
    OPT_OR_LONG,
    OPT_POLICY,
    OPT_TRACE,
    OPT_EVENTS,
    OPT_FILE,
    OPT_TOTAL
};

// clang-format off
static const struct argp_option argp_options[] = {
    {"seed", 's', "N", 0, "The world, or the first of several", 0},
    {"total", OPT_TOTAL, "N", 0, "Seed after seed until so many steps are done", 0},
    {"steps", 'n', "N", 0, "Of the safety phase of each seed (20000)", 0},
    {"agents", 'a', "N", 0, "Instead of what the seed says", 0},
    {"jobs", 'j', "N", 0, "Instead of what the seed says", 0},
    {"chunks", 'c', "N", 0, "At most, of one ADD; instead of what the seed says", 0},
    {"faults", 'f', "LIST", 0, "Instead of what the seed says: names, `none` or `all`", 0},
    {"without", 'w', "LIST", 0, "But not these faults", 0},
    {"bug", 'b', "NAME", 0, "Switch on a planted bug", 0},
    {"bugs", OPT_BUGS, 0, 0, "Every planted bug (or that of --bug) must be found within --total", 0},
    {"shrink", OPT_SHRINK, 0, 0, "Make a failing run small", 0},
    {"file", OPT_FILE, "FILE", 0, "Run every line of FILE: options as printed", 0},
    {"long", OPT_LONG, "FILE", 0, "Many seeds until --total, resumable by FILE", 0},
    {"or-long", OPT_OR_LONG, "FILE", 0, "With SHADOW_LONG in the environment: --long FILE, 10^8 steps", 0},
    {"policy", OPT_POLICY, 0, 0, "The laboratory: makespan against the lower bound", 0},
    {"trace", OPT_TRACE, 0, 0, "Print the running hash every 1,000 steps", 0},
    {"events", OPT_EVENTS, 0, 0, "Print every step", 0},
    {0},
};
// clang-format on

static uint64_t parse_faults(const char *list, struct argp_state *state)
{
    uint64_t faults = 0;
    char *copy = sw_copy_text(list, strlen(list)), *rest = copy, *name;
    while ((name = strsep(&rest, ","))) {
        uint32_t i = 0;
        while (i < FAULTS && strcmp(name, fault_names[i]) != 0)
            i++;
        if (i < FAULTS)
            faults |= UINT64_C(1) << i;
        else if (strcmp(name, "all") == 0)
            faults = (UINT64_C(1) << FAULTS) - 1;
        else if (strcmp(name, "none") != 0)
            argp_error(state, "no such fault: %s", name);
    }
    free(copy);
    return faults;
}

static int parse_bug(const char *name, struct argp_state *state)
{
    for (int i = 0; i < BUG_COUNT; i++)
        if (strcmp(name, sim_bug_names[i]) == 0)
            return i;
    argp_error(state, "no such bug: %s", name);
    return 0;
}

/* Options of the world itself. */
static error_t parse_world(int key, char *argument, struct argp_state *state)
{
    struct choice *c = state->input;
    uint64_t number = strtoull(argument, NULL, 0);
    switch (key) {
    case 's':
        c->options.seed = number;
        break;
    case 'n':
        c->options.steps = number;
        break;
    case 'a':
        c->options.agents = (uint32_t)number;
        c->has_agents = true;
        break;
    case 'j':
        c->options.jobs = (uint32_t)number;
        c->has_jobs = true;
        break;
    case 'c':
        c->options.chunks = (uint32_t)number;
        c->has_chunks = true;
        break;
    case 'f':
        c->options.faults = parse_faults(argument, state);
        c->has_faults = true;
        break;
    case 'w':
        c->without = parse_faults(argument, state);
        break;
    case 'b':
        c->options.bug = parse_bug(argument, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* Options of what is done with it. */
static error_t parse(int key, char *argument, struct argp_state *state)
{
    static char nothing[] = "";
    struct choice *c = state->input;
    argument = argument ? argument : nothing;
    switch (key) {
    case OPT_BUGS:
        c->bugs = true;
        break;
    case OPT_SHRINK:
        c->shrink = true;
        break;
    case OPT_FILE:
        c->file = argument;
        break;
    case OPT_OR_LONG:
        if (!getenv("SHADOW_LONG"))
            break;
        c->long_file = argument;
        c->total = 0;
        break;
    case OPT_LONG:
        c->long_file = argument;
        break;
    case OPT_POLICY:
        c->policy = true;
        break;
    case OPT_TRACE:
        c->options.trace = true;
        break;
    case OPT_EVENTS:
        c->options.events = true;
        break;
    case OPT_TOTAL:
        c->total = strtoull(argument, NULL, 0);
        break;
    case ARGP_KEY_ARG:
        argp_usage(state);
        break;
    default:
        return parse_world(key, argument, state);
    }
    return 0;
}

static const struct argp argp = {
    argp_options, parse, NULL, "A simulated ShadowWork around the real scheduler.",
    NULL,         NULL,  NULL};

/* What the seed says, overridden by what was given. */
static struct sim_options expand(const struct choice *c, uint64_t seed)
{
    struct sim_options o;
    sim_options_of_seed(&o, seed, c->options.steps, c->options.bug);
    o.trace = c->options.trace;
    o.events = c->options.events;
    if (c->has_agents)
        o.agents = c->options.agents;
    if (c->has_jobs)
        o.jobs = c->options.jobs;
    if (c->has_chunks)
        o.chunks = c->options.chunks;
    if (c->has_faults)
        o.faults = c->options.faults;
    o.faults &= ~c->without;
    return o;
}

static int run_many(const struct choice *c)
{
    uint64_t steps = 0, seed = c->options.seed;
    while (steps < c->total) {
        struct sim_options o = expand(c, seed++);
        steps += sim_one(&o);
    }
    printf("%lu steps, %lu seeds\n", (unsigned long)steps, (unsigned long)(seed - c->options.seed));
    return 0;
}

static bool run_line(char *line, int number)
{
    char name[] = "sim", *words[32] = {name};
    int n = 1;
    for (char *rest = line, *word; n < 31 && (word = strsep(&rest, " \n"));)
        if (*word)
            words[n++] = word;
    struct choice c = {.options = {.steps = 20000}};
    argp_parse(&argp, n, words, 0, NULL, &c);
    struct sim_options o = expand(&c, c.options.seed);
    struct sim_finding finding;
    bool found = sim_try(&o, &finding);
    printf("%s %d - seed %lu # %s\n", found ? "not ok" : "ok", number, (unsigned long)o.seed,
           finding.text);
    return found;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[2048];
    if (!file) {
        perror(path);
        return 1;
    }
    int number = 0, found = 0;
    while (fgets(line, sizeof line, file))
        if (line[0] != '#' && line[0] != '\n')
            found += run_line(line, ++number);
    fclose(file);
    printf("1..%d\n", number);
    return found != 0;
}

int main(int argc, char **argv)
{
    struct choice c = {.options = {.seed = 1, .steps = 20000}};
    argp_parse(&argp, argc, argv, 0, NULL, &c);
#ifndef CORE_BUGS
    if (c.bugs || c.options.bug) {
        fputs("this build has no bugs in it: use sim-bugs\n", stderr);
        return 2;
    }
#endif
    if (c.bugs)
        return sim_bugs(c.options.seed, c.options.steps, c.total ? c.total : 1000000,
                        c.options.bug) != 0;
    if (c.policy)
        return sim_policy(c.options.seed) ? 0 : 1;
    if (c.file)
        return run_file(c.file);
    if (c.long_file)
        return sim_long(c.long_file, c.options.steps, c.total ? c.total : 100000000);
    if (c.total)
        return run_many(&c);
    struct sim_options o = expand(&c, c.options.seed);
    if (c.shrink)
        sim_shrink(&o);
    else
        sim_one(&o);
    return 0;
}
