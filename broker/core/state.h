/* What the core remembers. Private to broker/core; everything outside sees core.h. */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "broker/core/bug.h"
#include "broker/core/core.h"

#include <assert.h>
#include <uthash.h>

#define NONE 0U /* index 0 of every pool is never used */

/* 32 bytes, so that a doubling array stays within 64 a chunk. */
struct chunk {
    uint64_t bytes;
    uint32_t lease[CORE_LEASES_MAX]; /* into leases; NONE */
    uint32_t trouble;                /* into troubles: only chunks that ever failed or were lost */
    uint32_t retry_next;             /* next in the job's retry queue */
    uint8_t state;                   /* enum core_chunk_state; only chunk_move writes it */
    bool queued;                     /* stands in the retry queue, whatever its state by now */
    bool saving;                     /* FAILED, and the row that says so is not durable yet */
};

/* What went wrong with a chunk so far. */
struct trouble {
    uint8_t attempts, losses;
    uint16_t n_failed_by, n_lost_by;
    uint32_t failed_by[CORE_ATTEMPTS_MAX];
    uint32_t lost_by[CORE_LOSSES_MAX]; /* distinct agents */
    uint64_t failed_seq;               /* FAILED: of the row that says so */
    uint32_t failed_files;             /* counted in the job because the chunk is FAILED */
    uint32_t candidate;                /* into candidates: VERIFYING */
};

struct lease {
    struct job *job;
    uint32_t chunk;
    uint32_t agent;
    uint64_t n;
    int64_t start_ms;
    int64_t expect_ms; /* when it should end; 0 = not known */
    uint32_t next,
        prev;       /* the agent's list, in the order it was given; next also links free ones */
    uint32_t stamp; /* of the last HELLO that listed it */
    uint16_t permille;
    bool running;
    uint8_t check; /* enum core_check: the chunk is VERIFYING */
};

#include "broker/core/verify.h"

struct add {
    uint64_t key;
    uint32_t first;
};

struct job {
    uint64_t id;
    uint32_t kind;
    int32_t priority, shown_priority; /* the one that picking goes by; durable */
    enum core_job_status status;      /* shown */
    enum core_job_status row_status;  /* what the newest row says */
    bool sealed, verify_all;
    bool forgotten; /* its FORGET is on the way: no client finds it, no row may follow */
    bool ending;    /* its final row is on the way: nothing is dispatched, nothing more accepted */
    bool has_key;
    uint8_t key[16];
    uint64_t body_hash;

    struct chunk *chunks;
    uint32_t n_chunks;
    size_t chunk_room;
    struct add *adds;
    uint32_t n_adds;
    size_t add_room;

    uint32_t cursor;                 /* all from here on were never looked at */
    uint32_t retry_head, retry_tail; /* chunk index + 1; NONE */
    uint32_t count[CHUNK_STATES];
    uint32_t n_saving; /* of the FAILED ones: the row is not durable yet, so they are not shown */
    uint64_t files, failed_files, bytes_in, bytes_out, bytes_done;
    uint16_t *held; /* per agent: its leases of this job; NULL while it has one chunk */
    size_t held_room;

    int64_t touched_ms; /* last SUBMIT, ADD, SET or SEAL, less core.late_ms */
    int64_t first_lease_ms;
    struct job *ring_next,
        *ring_prev; /* jobs of its priority with something READY; NULL = not in it */
    UT_hash_handle hh;
};

struct agent {
    bool known, online, draining, quarantined, waited_for, checked;
    uint32_t owner, *engines; /* engines: CORE_KINDS_MAX; NULL */
    uint64_t session, serial, instance, kinds;
    uint32_t slots;
    uint64_t bytes_limit;
    uint64_t granted_chunks, granted_bytes, spent_chunks, spent_bytes;
    uint32_t first, last, held; /* leases */
    uint32_t unchecked;         /* results of it that a check has to decide */
    double speed;               /* bytes a second, all slots */
    int64_t busy_until_ms;
    int64_t gone_ms; /* deadline of the next heartbeat */
    int64_t seen_ms;
    int64_t probe_ms;    /* not 0: another instance asked; the session must answer until then */
    int64_t answered_ms; /* it did: the other is a duplicate until then */
    uint64_t done;
};

/* Something that waits for a commit. */
enum effect_kind {
    FX_DONE,
    FX_FAILED,
    FX_TAKEN,
    FX_REPLY,
    FX_FINAL,
    FX_FORGOTTEN,
    FX_REOPENED,
    FX_SET
};
struct effect {
    enum effect_kind kind;
    enum core_code code;
    uint64_t seq, job, n, ref;
    uint32_t chunk, agent, add;
    int32_t priority;
};

struct known_key { /* idempotency keys of live and just ended jobs */
    uint8_t key[16];
    uint64_t job, body_hash;
    struct known_key *prev,
        *next;         /* of ended jobs, by forget_ms; prev is NULL while the job lives */
    int64_t forget_ms; /* less core.late_ms */
    UT_hash_handle hh;
};

struct effects { /* first in, first out: seq never falls */
    struct effect *items;
    size_t room, head, n;
};
struct actions {
    struct core_action *items;
    size_t room, head, n;
};

#define PRIORITIES (CORE_PRIORITY_MAX - CORE_PRIORITY_MIN + 1)

struct core {
    uint32_t epoch, counter, attempts_max, spot_permille;
    uint64_t last_job, seq, committed;
    struct job *jobs; /* by id */
    struct known_key *keys, *ended_keys;
    size_t n_chunks;
    struct agent *agents;
    uint32_t n_agents;
    size_t agent_room;
    uint32_t *rank; /* online agents, fastest first */
    uint32_t n_rank;
    size_t rank_room;
    double weight_by_kind[CORE_KINDS_MAX];
    struct lease *leases;
    uint32_t n_leases, free_lease, live_leases;
    size_t lease_room;
    struct trouble *troubles;
    uint32_t n_troubles, free_trouble;
    size_t trouble_room;
    struct candidate *candidates;
    uint32_t n_candidates, free_candidate, first_waiting, last_waiting;
    size_t candidate_room;
    struct job *ring[PRIORITIES]; /* the next one to be served of each priority */
    uint64_t ring_used[4];        /* bit per priority */
    struct effects effects;
    struct actions actions;
    int64_t late_ms; /* by which all ticks were late: nobody could be heard then */
    int64_t tick_ms; /* when the next tick is due */
    int64_t settle_ms, settle_max_ms;
    bool settled, loading;
    bool started; /* an event was fed: what is loaded from now on is for a RETRY */
    bool dirty;   /* something changed that picking may use */
    bool ranked;
    uint32_t stamp;
};

/* chunk.c: the only writer of chunk.state, by the state table */
void chunk_move(struct core *core, struct job *job, uint32_t chunk, enum core_chunk_state to);
bool chunk_final(const struct chunk *chunk);
bool chunk_is_over(const struct core *core, const struct chunk *chunk); /* a limit is reached */
void chunk_saving(struct job *job, struct chunk *chunk, bool saving);   /* FAILED, not yet shown */
struct trouble *chunk_trouble(struct core *core, struct chunk *chunk);  /* makes one */
void chunk_forget_trouble(struct core *core, struct chunk *chunk);
const struct trouble *chunk_trouble_view(const struct core *core,
                                         const struct chunk *chunk); /* zeroes */
void chunk_requeue(struct job *job, uint32_t chunk);

/* lease.c */
void lease_count_first(struct core *core, struct job *job); /* its only chunk has company now */
struct lease *
lease_give(struct core *core, struct job *job, uint32_t chunk, uint32_t agent, int64_t now_ms);
struct lease *lease_adopt(
    struct core *core, struct job *job, uint32_t chunk, uint32_t agent, uint64_t n, int64_t now_ms);
struct lease *
lease_find(struct core *core, const struct job *job, uint32_t chunk, uint32_t agent, uint64_t n);
void lease_free(struct core *core,
                struct lease *lease); /* out of chunk, agent and pool; chunk keeps its state */
void lease_revoke_others(struct core *core,
                         struct job *job,
                         uint32_t chunk,
                         const struct lease *keep);
/* The lease is over without a result: chunk back to READY, or FAILED at a limit, if it was the last
 * one. */
void lease_drop(struct core *core, struct lease *lease, bool lost);
bool lease_is_running(const struct core *core, const struct lease *lease);
bool lease_other_agent(const struct core *core, const struct chunk *chunk, uint32_t agent);

/* agent.c */
struct agent *agent_of(struct core *core, uint32_t agent); /* makes room */
void agent_event(struct core *core, const struct core_event *event, int64_t now_ms);
void agent_gone(struct core *core, uint32_t agent, bool lost);
void agent_tick(struct core *core, int64_t lateness_ms, int64_t now_ms);
void agent_settle(struct core *core, int64_t now_ms);
void agent_quarantine(struct core *core, uint32_t agent);
void agent_revoke(struct core *core, uint32_t agent, uint64_t job, uint32_t chunk, uint64_t n);

/* hello.c */
void hello_event(struct core *core, const struct core_event *event, int64_t now_ms);

/* result.c */
void result_event(struct core *core, const struct core_event *event, bool current, int64_t now_ms);
void result_count_attempt(struct core *core, struct chunk *chunk, uint32_t agent);
void result_accept(struct core *core, struct job *job, uint32_t chunk, const struct result *result);
void result_count_failure(
    struct core *core,
    struct job *job,
    uint32_t chunk,
    const void *payload,
    uint32_t failed_files); /* LEASED with no lease left -> READY or FAILED, row saved */

/* job.c */
struct job *job_of(const struct core *core, uint64_t id); /* NULL */
struct job *job_new(struct core *core, uint64_t id, int64_t now_ms);
void job_free(struct core *core, struct job *job);
void job_event(struct core *core, const struct core_event *event, int64_t now_ms);
int job_append(
    struct core *core, struct job *job, uint64_t key, const uint64_t *sizes, uint32_t n_chunks);
void job_settle(struct core *core, struct job *job); /* ends it when nothing is left to do */
void job_cancel(struct core *core, struct job *job, enum core_job_status status);
void job_tick(struct core *core, int64_t now_ms);
void job_ring(struct core *core, struct job *job); /* in or out of the ring, as its state says */

/* keys.c */
struct known_key *key_find(const struct core *core, const uint8_t key[16]);
void key_put(struct core *core, const struct job *job);
void key_ended(struct core *core, const struct job *job, int64_t now_ms);
void key_forget(struct core *core, const struct job *job, uint64_t id);
void key_tick(struct core *core, int64_t now_ms);
void key_drop_all(struct core *core);

/* retry.c */
void retry_event(struct core *core,
                 struct job *job,
                 const struct core_event *event,
                 int64_t now_ms);
void retry_drop(struct core *core, struct job *job, int64_t now_ms); /* it stays ended */

/* pick.c, tail.c */
void pick_run(struct core *core, int64_t now_ms);
void pick_rank(struct core *core);
bool pick_fits(const struct core *core,
               const struct job *job,
               const struct chunk *chunk,
               uint32_t agent);
bool pick_credit(const struct agent *agent, uint64_t bytes);
uint32_t pick_share(const struct core *core, const struct job *job, uint32_t agent);
uint32_t pick_held(const struct job *job, uint32_t agent);
/* Of results that have to be checked nobody takes on so many that no credit is left for a check:
 * two agents that wait for each other's would wait for ever. */
bool pick_leaves_one(const struct agent *agent, const struct job *job);
bool pick_can_run(const struct agent *agent, const struct job *job);
bool pick_allowed(const struct agent *agent); /* online, not draining, not quarantined */
void pick_assign(
    struct core *core, struct job *job, uint32_t chunk, uint32_t agent, int64_t now_ms);
void tail_run(struct core *core, int64_t now_ms);

/* commit.c: what goes out, now or after a commit */
void act(struct core *core, struct core_action action);
uint64_t save(struct core *core, struct core_action row); /* returns its seq */
uint64_t save_job(struct core *core, struct job *job, enum core_job_status row_status);
void save_chunk(struct core *core, const struct job *job, uint32_t chunk, const void *payload);
void after(struct core *core, struct effect effect); /* its seq: the newest */
void reply(
    struct core *core, uint64_t ref, enum core_code code, uint64_t job, uint32_t add); /* at once */
void reply_after(struct core *core, uint64_t ref, enum core_code code, uint64_t job, uint32_t add);
void taken_after(struct core *core, uint32_t agent, const struct core_lease_ref *ref);
void note(struct core *core, enum core_note kind, uint64_t job, uint32_t chunk, uint32_t agent);
void committed(struct core *core, uint64_t seq, int64_t now_ms);

#endif
