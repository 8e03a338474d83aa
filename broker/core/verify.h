/* Results that are held until a check decides: verify.c and checks.c. Part of state.h. */
#ifndef CORE_VERIFY_H
#define CORE_VERIFY_H

/* What a DONE said. */
struct result {
    uint32_t agent;
    uint64_t n, bytes_out, hash;
    uint32_t failed_files;
    bool held;           /* by the loop; else payload is this event's */
    const void *payload; /* NULL when held */
};

/* The result of a VERIFYING chunk and what was said against it. */
struct candidate {
    struct job *job; /* NULL: free */
    uint32_t chunk;
    struct result result;
    bool checked;           /* the agent was, when it gave it */
    uint32_t owner, engine; /* ... and whose, with what */
    bool against;           /* one check disagrees: a third decides */
    bool against_repeats;   /* it is a device that gave another output: against_hash, of lease n */
    uint32_t against_agent, against_owner;
    uint64_t against_hash, against_n;
    bool waiting;        /* for an agent that checks it: in the list */
    uint32_t next, prev; /* of the list, oldest first; next also links free ones */
};

struct job;
struct core;
struct chunk;
struct agent;

/* verify.c */
struct candidate *verify_of(const struct core *core, const struct chunk *chunk); /* NULL */
bool verify_wanted(const struct core *core, const struct core_event *event, const struct job *job);
void verify_hold(struct core *core, struct job *job, const struct core_event *event);
/* DONE of a chunk that is VERIFYING already. */
void verify_done(struct core *core,
                 struct job *job,
                 struct lease *lease,
                 const struct core_event *event);
void verify_event(struct core *core, const struct core_event *event); /* EV_CHECKED */
/* The agent has to keep this result: it is in question. */
bool verify_keeps(const struct core *core, const struct chunk *chunk, uint32_t agent, uint64_t n);
/* The check is over without an answer. */
void verify_unchecked(struct core *core, struct job *job, uint32_t chunk);
/* The candidate is not wanted any more; the chunk keeps its state, its check is revoked. */
void verify_forget(struct core *core, struct job *job, uint32_t chunk);
/* ... and the chunk is done again; the payload says what went wrong, if anything. */
void verify_reject(
    struct core *core, struct job *job, uint32_t chunk, const void *payload, uint32_t failed_files);
/* The agent is in quarantine: nothing that it gave or said counts, unless it was decided. */
void verify_distrust(struct core *core, uint32_t agent);
void verify_tick(struct core *core); /* decides what nobody is left to decide */

/* checks.c: who may check what, and gets it */
bool checks_possible(const struct core *core, const struct candidate *candidate);
/* Agents that wait for each other with all their credit (after a restart, or when it shrank): the
 * giver of this could check another that waits, were it not for this. */
bool checks_blocked(const struct core *core, const struct candidate *candidate);
/* A native agent besides these two is active. */
bool checks_native(const struct core *core, const struct job *job, uint32_t a, uint32_t b);
void checks_wait(struct core *core, struct candidate *candidate, bool waiting);
bool checks_wanted(const struct core *core, const struct job *job);
void checks_run(struct core *core, int64_t now_ms);

#endif
