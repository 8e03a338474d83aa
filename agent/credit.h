/* How much work the agent takes on ahead: the grants that it tells the broker. Pure: no sockets, no
 * clock; the events go in, totals come out.
 *
 * Grants are cumulative within a session (a repeated message changes nothing). A chunk occupies
 * credit from its ASSIGN until it is TAKEN, REVOKEd, failed or handed back; what is held when a
 * session begins is not counted in its totals but takes room all the same. */
#ifndef CREDIT_H
#define CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#define CREDIT_CHUNKS_MAX 4096 /* what one HELLO can list */
#define CREDIT_SLOT_MIN   2    /* chunks a slot: one at work, one ready behind it */
#define CREDIT_AHEAD_US   2e6  /* how far ahead an agent takes work */
/* One CREDIT message at most in this time, unless a quarter of the target is free at once. */
#define CREDIT_QUIET_MS 20

struct credit {
    uint32_t slots;
    uint64_t bytes_max;
    bool closed;     /* nothing more is granted: stopping, or out of something */
    double chunk_us; /* what a chunk takes in a slot, a moving average; 0 = nothing is known */
    uint64_t held_chunks, held_bytes;
    uint64_t given_chunks, given_bytes;     /* assigned in this session */
    uint64_t granted_chunks, granted_bytes; /* as told last */
    int64_t told_ms;
};

void credit_init(struct credit *, uint32_t slots, uint64_t bytes_max);
/* A session begins: its totals count from zero; credit_tell gives what HELLO carries. */
void credit_restart(struct credit *);
void credit_assigned(struct credit *, uint64_t charge_bytes);
void credit_freed(struct credit *, uint64_t charge_bytes);
void credit_took(struct credit *, uint64_t wall_us); /* a chunk ran that long */

uint64_t credit_target(const struct credit *); /* chunks it wants to hold */
/* When a CREDIT message is due, INT64_MAX = there is nothing to tell. */
int64_t credit_wake(const struct credit *, int64_t now_ms);
/* The totals to tell now; they count as told. */
void credit_tell(struct credit *, int64_t now_ms, uint64_t *ret_chunks, uint64_t *ret_bytes);

#endif
