/* The arithmetic of credit.h. Called by session.c and work.c; never sends anything itself. */
#include "credit.h"

#include "base/own.h"

#include <assert.h>

void credit_init(struct credit *credit, uint32_t slots, uint64_t bytes_max)
{
    *credit = (struct credit){.slots = slots, .bytes_max = bytes_max};
}

void credit_restart(struct credit *credit)
{
    credit->given_chunks = credit->given_bytes = 0;
    credit->granted_chunks = credit->granted_bytes = 0;
}

void credit_assigned(struct credit *credit, uint64_t charge_bytes)
{
    credit->given_chunks++;
    credit->given_bytes += charge_bytes;
    credit->held_chunks++;
    credit->held_bytes += charge_bytes;
}

void credit_freed(struct credit *credit, uint64_t charge_bytes)
{
    assert(credit->held_chunks && credit->held_bytes >= charge_bytes);
    credit->held_chunks--;
    credit->held_bytes -= charge_bytes;
}

/* Forgets half in three chunks while they grow shorter or longer: the first result of a job of tiny
 * chunks already opens the gate. */
void credit_took(struct credit *credit, uint64_t wall_us)
{
    double us = (double)wall_us + 1;
    credit->chunk_us = credit->chunk_us > 0 ? credit->chunk_us * 0.8 + us * 0.2 : us;
}

uint64_t credit_target(const struct credit *credit)
{
    uint64_t least = SW_MIN((uint64_t)credit->slots * CREDIT_SLOT_MIN, (uint64_t)CREDIT_CHUNKS_MAX);
    if (credit->closed)
        return 0;
    if (credit->chunk_us <= 0)
        return least;
    double want = credit->slots * CREDIT_AHEAD_US / credit->chunk_us;
    return want >= CREDIT_CHUNKS_MAX ? CREDIT_CHUNKS_MAX : SW_MAX((uint64_t)want, least);
}

static uint64_t total(uint64_t given, uint64_t held, uint64_t target, uint64_t granted)
{
    uint64_t want = given + (target > held ? target - held : 0);
    return SW_MAX(want, granted); /* what was granted is not taken back */
}

static uint64_t total_chunks(const struct credit *credit)
{
    return total(credit->given_chunks, credit->held_chunks, credit_target(credit),
                 credit->granted_chunks);
}

static uint64_t total_bytes(const struct credit *credit)
{
    return total(credit->given_bytes, credit->held_bytes, credit->closed ? 0 : credit->bytes_max,
                 credit->granted_bytes);
}

int64_t credit_wake(const struct credit *credit, int64_t now_ms)
{
    uint64_t chunks = total_chunks(credit) - credit->granted_chunks;
    uint64_t bytes = total_bytes(credit) - credit->granted_bytes;
    if (chunks == 0 && bytes == 0)
        return INT64_MAX;
    if (chunks * 4 >= credit_target(credit) || bytes >= credit->bytes_max / 4)
        return now_ms;
    return credit->told_ms + CREDIT_QUIET_MS;
}

void credit_tell(struct credit *credit, int64_t now_ms, uint64_t *ret_chunks, uint64_t *ret_bytes)
{
    credit->granted_chunks = total_chunks(credit);
    credit->granted_bytes = total_bytes(credit);
    credit->told_ms = now_ms;
    *ret_chunks = credit->granted_chunks;
    *ret_bytes = credit->granted_bytes;
}
