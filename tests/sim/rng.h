/* Random numbers of one seed: xoshiro256**, so that a run can be had again anywhere. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);                 /* 0 to n - 1; n > 0 */
int64_t rng_between(struct rng *r, int64_t low, int64_t high); /* both included */
bool rng_chance(struct rng *r, uint32_t permille);

/* A hash of two numbers: contents, tokens, results, traces. */
uint64_t rng_mix(uint64_t a, uint64_t b);

#endif
