/* The one source of chance of the simulator. Every module draws from a generator of its own, so
 * that leaving out one fault does not reshuffle the rest of the world. Called by all of tests/sim;
 * never seeded from outside. */
#include "rng.h"

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* splitmix64: spreads seeds that differ in one bit */
static uint64_t split(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = split(&seed);
}

uint64_t rng_next(struct rng *r)
{
    uint64_t result = rotate(r->s[1] * 5, 7) * 9;
    uint64_t t = r->s[1] << 17;
    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = rotate(r->s[3], 45);
    return result;
}

/* the bias of the remainder is far below what any check here could see */
uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

int64_t rng_between(struct rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(r, (uint64_t)(high - low) + 1);
}

bool rng_chance(struct rng *r, uint32_t permille)
{
    return rng_below(r, 1000) < permille;
}

uint64_t rng_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ rotate(b, 32) ^ (b * UINT64_C(0xd6e8feb86659fd93));
    return split(&x);
}
