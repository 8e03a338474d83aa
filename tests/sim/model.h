/* What the simulated world is made of: options, the clients' plans, messages, agent processes, the
 * broker's shell, the store. Each module owns one of these in struct world (world.h) and may read
 * the others. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "broker/core/core.h"
#include "broker/core/view.h"

enum fault {
#define X(name, period, what) FAULT_##name,
#include "faults.def"
#undef X
    FAULTS,
};

struct sim_options {
    uint64_t seed;
    uint64_t steps;                /* of the safety phase */
    uint32_t agents, jobs, chunks; /* chunks of one ADD, at most */
    uint64_t faults;               /* bit per enum fault */
    int bug;
    bool trace;     /* print the running hash */
    bool events;    /* print every step */
    bool check_all; /* look at everything at every step, however large the world is */
};

/* ---- chunks and jobs as the clients made them: the reference ---- */

enum trait { TRAIT_GOOD, TRAIT_BAD_FILE, TRAIT_HOPELESS, TRAIT_POISON };

struct add {
    uint64_t key;
    uint32_t n_chunks;
    uint64_t *sizes;
    uint8_t *traits; /* enum trait */
    uint64_t files, failed_files;
};

/* How one client job is to go; see clients.c. */
struct client {
    uint32_t index;
    uint32_t kind;
    int32_t priority;
    bool has_key;
    uint8_t key[16];
    uint64_t body_hash;
    uint64_t nonce; /* contents and tokens hang on it */
    uint32_t n_adds;
    struct add *adds;
    uint32_t in_submit; /* ADDs that travel in SUBMIT: 0 or 1 */
    bool seal_in_submit;
    bool abandon; /* never sealed */
    bool verify_all;

    int stage;    /* enum stage of clients.c */
    uint64_t job; /* 0 = not known */
    uint32_t next_add;
    bool submit_acked, seal_acked, cancel_asked, forget_asked, given_up;
    bool *add_acked;
    uint32_t retries;
    int64_t cancel_at_ms, forget_at_ms, set_at_ms;
    uint64_t generation;
};

uint64_t
world_content(uint64_t nonce, const struct add *add, uint32_t index); /* of a chunk's input */

/* ---- messages between agents and the broker ---- */

enum message_type {
    MESSAGE_HELLO,
    MESSAGE_CREDIT,
    MESSAGE_BEAT,
    MESSAGE_DONE,
    MESSAGE_FAIL,
    MESSAGE_RETURN,
    MESSAGE_BYE,
    MESSAGE_WELCOME,
    MESSAGE_ASSIGN,
    MESSAGE_REVOKE,
    MESSAGE_TAKEN,
    MESSAGE_ANSWER,
    MESSAGE_AGAIN,
    MESSAGE_DUPLICATE,
    MESSAGE_CHECKED,
};

struct item {
    uint64_t job, n, token;
    uint32_t chunk;
    uint8_t phase;
    uint16_t permille;
    uint8_t trait;    /* ASSIGN */
    bool isolate;     /* ASSIGN */
    uint64_t content; /* ASSIGN: what the agent would fetch */
    uint64_t bytes;   /* ASSIGN: size of it; DONE: of the result */
    uint64_t result;  /* DONE; ASSIGN to check: the one in question, with its failed_files */
    uint32_t took_ms, failed_files;
    bool check;  /* ASSIGN: CHECK_VERIFY */
    bool agrees; /* CHECKED */
};

struct message {
    enum message_type type;
    uint32_t process; /* sender or receiver */
    uint64_t connection;
    uint64_t session, serial;
    uint64_t instance, kinds, bytes_limit; /* HELLO */
    uint32_t slots;
    uint64_t chunks, bytes; /* CREDIT */
    uint32_t n;
    struct item items[];
};

/* ---- agents ---- */

struct lease {
    struct item item;
    bool fetched, sent;
    int64_t started_ms, ends_ms;
};

struct process {
    uint32_t index, key;
    bool alive, copy, leaving;
    int64_t frozen_until_ms, paused_until_ms;
    uint64_t instance, session, serial_out, serial_in, connection;
    int64_t silent_until_ms; /* the broker does not notice before this that an older connection is
                                broken */
    bool welcomed;
    uint64_t life;       /* generation of its timers: one a process start */
    uint64_t generation; /* of its session */

    uint32_t slots, fail_permille, skew_permille;
    uint64_t speed, link; /* bytes a ms: one slot; the network */
    uint64_t kinds;
    bool liar;
    bool browser, cheat, broken; /* broken: a native agent that gives wrong results */
    uint32_t owner, engine;      /* of a browser */

    uint64_t granted_chunks, granted_bytes, released_chunks, released_bytes;
    uint64_t adopted_chunks, adopted_bytes; /* held at HELLO */
    int64_t answered_ms, beat_ms, link_free_ms;
    uint64_t took_ms; /* learned: of one chunk, moving average x 16 */
    bool flush_armed;
    struct lease *held;
    size_t n_held, held_room;
    struct item old[16]; /* what liars bring up again */
    uint32_t n_old;
};

/* ---- the broker's process around the core ---- */

struct link { /* one an agent's key */
    uint64_t session, connection, serial_out;
    uint32_t process;
    uint64_t hello_session, hello_connection; /* of the newest HELLO, until it is answered */
    uint32_t hello_process;
    bool unreachable, probed; /* found while the actions of one event were carried out */
};

struct folder { /* what is on disk and in memory for a job: enough to make ASSIGN */
    struct client *client;
    uint32_t *adds; /* index into client->adds, in the order of the job */
    uint32_t n_adds;
};

struct kept { /* a result that waits for its check */
    uint64_t job, n, bytes_out;
    uint32_t chunk;
    struct item item;
};

struct waiter {
    uint64_t ref;
    uint32_t client;
    enum core_event_type what;
    uint32_t number;
};

struct shell {
    struct link *links;
    struct folder *folders; /* by job */
    size_t n_folders;
    struct kept *kept;
    size_t n_kept, kept_room;
    struct waiter *waiters;
    size_t n_waiters, waiters_room;
    uint64_t ref;
    uint64_t generation; /* one a life of the broker */
    int64_t tick_ms;     /* when the next tick is planned; INT64_MAX = none */
    int64_t stalled_until_ms;
    bool drop_while_stalled;
    uint64_t replied_ref, saved_job; /* of the event that was fed last */
    enum core_code replied_code;
};

struct reply {
    enum core_event_type what;
    uint32_t number;
    enum core_code code;
    uint64_t job;
};

/* ---- the store ---- */

struct stored_chunk {
    bool exists;
    struct core_load_chunk row;
    uint64_t result;
};

struct stored_key {
    uint64_t job, body_hash;
};

struct stored_job {
    bool exists, forgetting;
    struct core_load_job row;
    struct client *client;
    uint32_t *adds; /* as in folder */
    uint32_t n_adds;
    struct stored_chunk *chunks;
    uint32_t n_chunks;
};

struct row {
    uint64_t seq;
    enum core_row kind;
    struct core_load_job job;
    struct client *client;
    uint32_t add, index; /* its number in the job; which of the client's it is */
    struct core_load_chunk chunk;
    uint64_t result;
    uint32_t agent; /* CHUNK: whose result */
};

struct store {
    uint32_t epoch;
    uint64_t last_job;
    struct stored_job *jobs; /* by number */
    size_t n_jobs;
    struct row *queue;
    size_t n_queue, queue_room;
    size_t in_flight; /* the first rows of the queue, being committed */
    uint64_t committed;
    bool failing;
    uint64_t commits;
};

#endif
