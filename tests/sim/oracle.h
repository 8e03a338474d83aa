/* What the oracle saw at the end of the last step. Private to oracle.c, moves.c, durable.c, idle.c,
 * verdict.c. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "world.h"

/* What the oracle remembers of a chunk besides the core's own view; kept over restarts of the
 * broker. */
struct mark {
    uint64_t failed_by, lost_by_since_start; /* agents, a bit each; a restart forgets them */
    uint64_t lost_by;                        /* of all times */
    uint64_t
        born_n; /* the newest lease when it was made: older ones are of a chunk never committed */
    uint64_t running[CORE_LEASES_MAX]; /* n of leases that a BEAT or HELLO said to run */
    uint32_t candidate;                /* VERIFYING: whose result is in question */
};

struct sight { /* one a job number */
    bool live;
    struct core_job_view job;
    struct core_chunk_view *chunks;
    struct mark *marks;
    uint32_t n, room;
    uint32_t passed_over; /* chunks given to other jobs of its priority while it had one ready */
};

struct watch { /* one an agent's key */
    bool online, awaited;
    uint64_t session, serial, instance, kinds, bytes_limit;
    uint64_t granted_chunks, granted_bytes, spent_chunks, spent_bytes;
    uint32_t held, assigned;         /* counted: leases at the end of the step; ASSIGNs in it */
    uint32_t lies;                   /* held since it was caught last */
    int64_t heard_ms, heard_late_ms; /* last current message; oracle.late_ms at that time */
};

struct oracle {
    struct sight *sights;
    size_t n_sights;
    struct watch *agents;
    struct core_action *actions; /* of the event at hand */
    size_t n_actions, actions_room;
    uint64_t last_n;
    uint64_t *checks; /* n of every lease that was a check by verify; rising */
    size_t n_checks, checks_room;
    uint32_t last_epoch;
    int64_t start_ms, late_ms; /* late_ms: all lateness of ticks so far */
    bool fresh;                /* the event's session and serial are right */
    bool same_instance;        /* HELLO of the process that has the session */
    struct {
        size_t chunks, jobs, leases, pending, adds, verifying;
    } most; /* since the start */
    size_t most_actions;
    size_t chunks; /* live ones */
    size_t verifying;
};

struct sight *oracle_sight(struct world *w, uint64_t job);
/* The action of this kind for this lease among those of the event at hand. */
bool oracle_did(const struct world *w,
                enum core_action_type type,
                uint32_t agent,
                uint64_t job,
                uint32_t chunk,
                uint64_t n);
bool oracle_dropped(const struct world *w, uint32_t agent);
bool oracle_caught(const struct world *w); /* somebody, in the event at hand */

/* look.c */
void look_at_all(struct world *w, const struct core_event *event);
void look_make_room(struct sight *sight, uint32_t n); /* of chunks */
void look_grow(struct sight *sight, uint32_t n);
/* moves.c: what became of one chunk */
void moves_check(struct world *w,
                 const struct core_event *event,
                 uint64_t job,
                 uint32_t chunk,
                 const struct core_chunk_view *now);
/* assign.c: an ASSIGN at the time it is made */
void assign_check(struct world *w, const struct core_event *event, const struct core_action *a);
/* checks.c: results that wait for a check, and who checks them */
void checks_held(struct world *w, const struct core_event *event, const struct core_action *a);
void checks_assigned(struct world *w, const struct core_action *a);
void checks_caught(struct world *w, uint32_t agent);
/* Its last credit is for checks. */
bool checks_reserved(const struct world *w, uint32_t agent, const struct core_job_view *job);
bool checks_was_one(const struct world *w, uint64_t n);
const char *checks_moved(struct world *w,
                         const struct core_event *event,
                         uint64_t job,
                         uint32_t chunk,
                         const struct core_chunk_view *was,
                         const struct core_chunk_view *now); /* what is wrong with it; NULL */
bool checks_undecided(const struct world *w,
                      const struct core_event *event,
                      const struct core_chunk_view *was,
                      const struct mark *mark);
/* durable.c: what may be told only after the commit */
void durable_reply(struct world *w, const struct core_action *a);
void durable_taken(struct world *w, const struct core_action *a);
void durable_shown(struct world *w, uint64_t job, const struct core_job_view *view);
/* idle.c: after every step */
void idle_check(struct world *w, const struct core_event *event);
void idle_memory(struct world *w);
void idle_passed_over(struct world *w, const struct core_action *a);

#endif
