/* The laboratory: one job on a fleet of which nothing fails, and its makespan against the lower
 * bound, the largest of work / total speed, the longest chunk on the fastest agent, and bytes /
 * links. Shows what the policy of broker/core/pick.c and tail.c costs; called by main.c. */
#include "sim.h"

#include "base/own.h"

#include <math.h>
#include <stdlib.h>

enum { FLEET = 20, GRAINS = 100 /* for the slowest */ };
#define TARGET 1.10

struct experiment {
    const char *name;
    double spread;  /* fastest / slowest */
    uint64_t grain; /* bytes */
    uint64_t link;  /* bytes a ms of each agent */
    double target;  /* 0 = only printed */
    uint32_t slots; /* of an agent */
    bool uneven;    /* sizes from a half to one and a half */
};

// clang-format off
static const struct experiment experiments[] = {
    {"equal agents, equal chunks", 1, 1 << 20, 125000, TARGET, 1, false},
    {"spread 10, equal chunks", 10, 1 << 20, 125000, TARGET, 1, false},
    {"spread 10, uneven chunks", 10, 1 << 20, 125000, TARGET, 1, true},
    {"spread 10, four slots", 10, 1 << 20, 125000, TARGET, 4, false},
    {"spread 10, small chunks", 10, 64 << 10, 125000, TARGET, 1, true},
    {"spread 10, link twice as fast as the slowest", 10, 1 << 20, 2000, 0, 1, false},
};
// clang-format on

struct bound {
    double work_ms, chunk_ms, link_ms;
};

static double set_up(struct world *w, const struct experiment *x)
{
    double all = 0;
    for (uint32_t i = 0; i < FLEET; i++) {
        struct process *p = &w->processes[i];
        double speed = 1000 * pow(x->spread, i / (double)(FLEET - 1));
        p->slots = x->slots;
        p->speed = (uint64_t)speed;
        p->link = x->link;
        p->kinds = 1;
        all += (double)(p->speed * p->slots);
        world_later(w, 0, ENTRY_PROCESS, i, TIMER_START, 0);
    }
    return all;
}

static struct bound plan(struct world *w, const struct experiment *x, double speed)
{
    struct client *c = &w->clients[0];
    double slowest = (double)(w->processes[0].speed * w->processes[0].slots);
    uint32_t n = (uint32_t)(GRAINS * speed / slowest);
    c->nonce = rng_next(&w->client_rng);
    c->n_adds = c->in_submit = 1;
    c->seal_in_submit = true;
    c->adds = sw_alloc(1, sizeof *c->adds);
    *c->adds = (struct add){.key = 1, .n_chunks = n, .files = n};
    c->adds->sizes = sw_alloc(n, sizeof *c->adds->sizes);
    c->adds->traits = sw_alloc(n, sizeof *c->adds->traits);
    uint64_t bytes = 0, longest = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t size = x->uneven ? x->grain / 2 + rng_below(&w->client_rng, x->grain) : x->grain;
        c->adds->sizes[i] = size;
        bytes += size;
        longest = SW_MAX(longest, size);
    }
    return (struct bound){.work_ms = (double)bytes / speed,
                          .chunk_ms = (double)longest / (double)w->processes[FLEET - 1].speed,
                          .link_ms = (double)bytes / (double)(x->link * FLEET)};
}

static bool run(const struct experiment *x, uint64_t seed)
{
    struct world *w = sw_alloc(1, sizeof *w);
    w->laboratory = true;
    world_init(w, &(struct sim_options){.seed = seed, .agents = FLEET, .jobs = 1});
    struct bound b = plan(w, x, set_up(w, x));
    int64_t start_ms = 0;
    enum core_job_status status = JOB_PENDING;
    while (status < JOB_COMPLETED && world_step(w)) {
        bool known;
        status = world_job_status(w, 1, &known);
        if (known && start_ms == 0)
            start_ms = w->now_ms;
    }
    double took = (double)(w->now_ms - start_ms);
    double bound = fmax(b.work_ms, fmax(b.chunk_ms, b.link_ms));
    bool good = status == JOB_COMPLETED && (x->target == 0 || took <= bound * x->target);
    printf("%s - %s: makespan %.1f s, %.3f of the lower bound (work %.1f s, longest chunk %.1f s, "
           "links %.1f s), twins %lu, surplus %lu of %u\n",
           good ? "ok" : "not ok", x->name, took / 1000, took / bound, b.work_ms / 1000,
           b.chunk_ms / 1000, b.link_ms / 1000, (unsigned long)w->counts[COUNT_TWINS],
           (unsigned long)(w->counts[COUNT_ASSIGNED] - w->counts[COUNT_DONE]),
           w->clients[0].adds->n_chunks);
    world_done(w);
    free(w);
    return good;
}

bool sim_policy(uint64_t seed)
{
    bool good = true;
    printf("1..%zu\n", SW_COUNT(experiments));
    for (size_t i = 0; i < SW_COUNT(experiments); i++)
        good &= run(&experiments[i], seed);
    return good;
}
