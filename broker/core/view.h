/* What may be shown of the core's state (nothing before its commit): for rendering, for `why`, for
 * tests. Included by core.h. */
#ifndef CORE_VIEW_H
#define CORE_VIEW_H

struct core_job_view {
    uint64_t job;
    uint32_t kind;
    int32_t priority, shown_priority; /* newest; as far as it is durable */
    enum core_job_status status;
    enum core_job_status row_status; /* for ROW_JOB: what the row being saved says */
    bool sealed;
    bool verify_all;
    bool has_key;
    uint8_t key[16];
    uint64_t body_hash;
    uint32_t adds, chunks, ready, leased, committing, done, failed, cancelled, verifying;
    uint32_t row_done, row_failed; /* for ROW_JOB: with what is being committed before it */
    uint64_t files, failed_files;
    uint64_t bytes_in, bytes_out;
    uint64_t bytes_done;    /* of the inputs of DONE chunks: progress = bytes_done / bytes_in */
    int64_t first_lease_ms; /* core's clock; 0 = none yet */
};
bool core_job(const struct core *core, uint64_t job, struct core_job_view *ret);

struct core_chunk_view {
    enum core_chunk_state state;
    bool running; /* a lease of it is known to run */
    uint32_t attempts, losses;
    uint64_t bytes;
    uint32_t n_leases;
    uint32_t agents[CORE_LEASES_MAX];
    uint64_t n[CORE_LEASES_MAX];
    int64_t assigned_ms[CORE_LEASES_MAX];
    uint16_t permille[CORE_LEASES_MAX];
};
bool core_chunk(const struct core *core, uint64_t job, uint32_t chunk, struct core_chunk_view *ret);

struct core_agent_view {
    bool online, draining, quarantined, checked;
    uint32_t slots, held, running;
    uint32_t unchecked; /* results of it that wait for a check */
    uint64_t kinds;
    uint64_t session, instance;
    uint64_t granted_chunks, granted_bytes, spent_chunks, spent_bytes;
    uint64_t bytes_limit;
    uint64_t done; /* chunks accepted from it since start */
    double speed;  /* bytes a second over all slots; 0 = not known yet */
    int64_t seen_ms;
};
bool core_agent(const struct core *core, uint32_t agent, struct core_agent_view *ret);

/* Why one agent does not run more of a job's READY chunks. */
enum core_why {
    WHY_OFFLINE,
    WHY_DRAINING,
    WHY_QUARANTINED,
    WHY_NO_KERNEL,
    WHY_SETTLING,
    WHY_NO_CREDIT,
    WHY_SHARE,
    WHY_PRIORITY,  /* busy with jobs of higher or equal priority */
    WHY_FAILED_IT, /* failed these chunks; they wait for another agent */
    WHY_NOTHING_READY,
    WHY_RUNNING,
    WHY_UNCHECKED, /* results have to be checked by another agent first */
};
enum core_why core_why(const struct core *core, uint64_t job, uint32_t agent);

/* An idempotency key, or an ADD's key, that is known here: its request is a repeat. */
uint64_t core_key_job(const struct core *core, const uint8_t key[16]); /* 0: not known here */
bool core_knows_add(const struct core *core, uint64_t job, uint64_t key);

uint32_t core_slots_online(const struct core *core);
uint64_t core_seq(const struct core *core); /* of the newest SAVE */

struct core_memory {
    size_t jobs, chunks, leases, agents, pending, actions;
    size_t bytes;
};
void core_memory(const struct core *core,
                 struct core_memory *ret); /* measured against its formula in tests */

/* Asserts the invariants that can be seen from inside (design.md section 3: 1, 3, 6, 7, 10, 12,
 * 18); for tests and the simulator. O(everything). */
void core_check(const struct core *core);

#endif
