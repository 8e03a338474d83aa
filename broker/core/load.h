/* Loading after a restart: before the first event, jobs first, each job's ADDs, then its chunks.
 * Included by core.h. */
#ifndef CORE_LOAD_H
#define CORE_LOAD_H

struct core_load_job {
    uint64_t job;
    uint32_t kind;
    int32_t priority;
    bool sealed;
    bool has_key;
    uint8_t key[16];
    uint64_t body_hash;
    bool verify_all;
    enum core_job_status
        status; /* a final one is loaded only for RETRY (then core_feed of EV_RETRY follows) */
};
void core_load_job(struct core *core, const struct core_load_job *job, int64_t now_ms);
int core_load_add(struct core *core,
                  uint64_t job,
                  uint64_t key,
                  const uint64_t *sizes,
                  uint32_t n_chunks,
                  uint64_t files,
                  uint64_t failed_files); /* -E2BIG beyond the limits */
struct core_load_chunk {
    uint32_t chunk;
    enum core_chunk_state state;
    uint32_t attempts, losses;
    uint64_t bytes_out;
    uint32_t failed_files;
};
int core_load_chunk(struct core *core, uint64_t job, const struct core_load_chunk *chunk);
/* An ended job that is loaded is not whole before its EV_RETRY: until then the loop feeds it
 * nothing and shows nobody what the views say of it. When its rows cannot be read it goes again, by
 * this: ENDED follows. */
void core_unload(struct core *core, uint64_t job, int64_t now_ms);
/* Loading is over. `agents` were online: nothing is assigned until each has said HELLO, or none
 * more come (CORE_SETTLE_MS). Jobs whose last chunk was already durable are ended now. */
void core_loaded(struct core *core, const uint32_t *agents, size_t n, int64_t now_ms);
/* Before core_loaded: what was loaded of a job goes again, since its other rows cannot be read. */
void core_load_drop(struct core *core, uint64_t job);

#endif
