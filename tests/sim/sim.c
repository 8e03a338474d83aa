/* The command line of the simulator: seeds and options, the two phases of a run, what it prints.
 * The world does the rest; shrink.c, bugs.c and long.c are modes of their own. */
#include "sim.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

/* After healing: everything that can still take long is bounded by the ten minutes of an open job
 * and by work. */
static int64_t bound_ms(const struct world *w)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < w->n_clients; i++)
        for (uint32_t k = 0; k < w->clients[i].n_adds; k++)
            for (uint32_t c = 0; c < w->clients[i].adds[k].n_chunks; c++)
                bytes += w->clients[i].adds[k].sizes[c];
    return CORE_UNSEALED_MS + 300000 + (int64_t)(bytes / 1000) * 4;
}

static bool is_quiet(const struct world *w)
{
    if (!w->core || !clients_over(w) || w->store.n_queue)
        return false;
    for (uint32_t i = 0; i < w->options.agents; i++)
        if (w->processes[i].n_held)
            return false;
    struct core_memory m;
    core_memory(w->core, &m);
    return m.jobs == 0 && m.pending == 0;
}

static void sim_run(struct world *w, const struct sim_options *options)
{
    world_init(w, options);
    while (w->step < options->steps && !clients_over(w) && world_step(w))
        ;
    world_heal(w);
    int64_t until = w->now_ms + bound_ms(w);
    while (!is_quiet(w) && w->now_ms < until && world_step(w))
        ;
    oracle_finish(w);
}

void sim_print_options(FILE *file, const struct sim_options *o)
{
    fprintf(file, "--seed %lu --steps %lu --agents %u --jobs %u --chunks %u --faults ",
            (unsigned long)o->seed, (unsigned long)o->steps, o->agents, o->jobs, o->chunks);
    const char *comma = "";
    for (uint32_t i = 0; i < FAULTS; i++) {
        if (!(o->faults >> i & 1))
            continue;
        fprintf(file, "%s%s", comma, fault_names[i]);
        comma = ",";
    }
    if (!*comma)
        fputs("none", file);
    if (o->bug)
        fprintf(file, " --bug %s", sim_bug_names[o->bug]);
    fputc('\n', file);
}

/* Swarm: each seed allows about half of the faults, and has its own size. */
void sim_options_of_seed(struct sim_options *o, uint64_t seed, uint64_t steps, int bug)
{
    struct rng r;
    rng_seed(&r, rng_mix(seed, UINT64_C(0x5eed)));
    *o = (struct sim_options){.seed = seed, .steps = steps, .bug = bug};
    o->agents = (uint32_t)rng_between(&r, 1, rng_chance(&r, 200) ? 20 : 8);
    o->jobs = (uint32_t)rng_between(&r, 1, 30);
    o->chunks = (uint32_t)rng_between(&r, 1, 40);
    uint32_t often = (uint32_t)rng_between(&r, 100, 700);
    for (uint32_t i = 0; i < FAULTS; i++)
        o->faults |= (uint64_t)rng_chance(&r, often) << i;
}

static void print_result(const struct world *w)
{
    printf("ok: steps %lu, %ld s, jobs %lu, assigned %lu, done %lu, twins %lu, sessions %lu, lost "
           "%lu, "
           "starts %lu, checks %lu, lies %lu, caught %lu, wrong %lu, trace %016lx\n",
           (unsigned long)w->step, (long)(w->now_ms / 1000), (unsigned long)w->counts[COUNT_JOBS],
           (unsigned long)w->counts[COUNT_ASSIGNED], (unsigned long)w->counts[COUNT_DONE],
           (unsigned long)w->counts[COUNT_TWINS], (unsigned long)w->counts[COUNT_SESSIONS],
           (unsigned long)w->counts[COUNT_LOST], (unsigned long)w->counts[COUNT_STARTS],
           (unsigned long)w->counts[COUNT_CHECKS], (unsigned long)w->counts[COUNT_LIES],
           (unsigned long)w->counts[COUNT_CAUGHT], (unsigned long)w->counts[COUNT_WRONG],
           (unsigned long)w->trace);
}

uint64_t sim_one(const struct sim_options *options)
{
    sim_print_options(stdout, options);
    fflush(stdout);
    struct world *w = sw_alloc(1, sizeof *w);
    sim_run(w, options);
    print_result(w);
    uint64_t steps = w->step;
    world_done(w);
    free(w);
    return steps;
}
