/* Stores by the names that people give them, for what works on one while no broker does. */
#ifndef BROKER_PLACE_H
#define BROKER_PLACE_H

#include "store/store.h"

struct place {
    const struct sw_store_ops *ops;
    char *where;
    struct sw_store *store; /* while open */
    uint32_t epoch;         /* once claimed */
};

/* `sqlite` (in the state folder), a path, a URI, or @FILE, whose first line is one of these. */
int place_of(const char *state, const char *name, struct place *ret, struct sw_err *err);
void place_close(struct place *);
void place_done(struct place *); /* closes it, too */

/* Only what is there already is read. */
int place_read(struct place *, struct sw_err *err);
/* As its only writer, with an epoch of at least place->epoch. -EBUSY when a broker works on it. */
int place_claim(struct place *, struct sw_err *err);

/* Every job before `before` (0: every one), the newest first. Listed by pages and called between
 * them: a walk must not be under way while its job is changed. Non-zero stops it and is returned.
 */
int place_jobs(struct place *, uint64_t before, int (*fn)(void *arg, uint64_t job), void *arg);

/* A store is marked while it is filled: half a copy is never started on. */
int place_mark(struct place *, bool half);
int place_whole(const struct sw_store_ops *, struct sw_store *, struct sw_err *err);

#endif
