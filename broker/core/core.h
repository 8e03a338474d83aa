/* The scheduler as a pure function: everything that happens is an event, everything to be done is
 * an action.
 *
 * No sockets, disks, clocks, random numbers or threads in here: time is an argument, what must be
 * durable is asked for (SAVE) and what depends on it is released by COMMITTED. The production
 * broker and tests/sim are two thin loops around this same object file.
 *
 * The loop's duty: feed one event, then take every action before feeding the next. Pointers in an
 * event are borrowed until its actions are taken; a SAVE action hands `payload` of its event back,
 * so the loop copies it into the row it writes. */
#ifndef CORE_H
#define CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- limits, each with its reason ---- */

#define CORE_AGENTS_MAX      4096 /* devices of one system; an index fits 16 bits in a lease count */
#define CORE_JOBS_MAX        65536   /* live jobs; beyond that SUBMIT is `busy` */
#define CORE_CHUNKS_MAX      6000000 /* live chunks in all: 64 bytes each */
#define CORE_JOB_CHUNKS_MAX  1000000 /* of one job (interface.md: chunkCount) */
#define CORE_JOB_ADDS_MAX    65536   /* ADDs of one job: 4 TB in parts of 64 MiB */
#define CORE_ATTEMPTS_MAX    3 /* counted failures, on different agents where there are that many */
#define CORE_LOSSES_MAX      5 /* agents vanished with it running ... */
#define CORE_LOSS_AGENTS_MIN 3 /* ... on at least this many agents: the chunk kills machines */
#define CORE_LEASES_MAX      2 /* one and its twin */
#define CORE_HELD_MAX        4096 /* chunks an agent may hold: what one HELLO can list */
#define CORE_BEAT_MS         2000
#define CORE_GONE_MS         6000 /* three missed heartbeats */
#define CORE_PROBE_MS        1000 /* the old holder of a key has this long to answer */
#define CORE_TICK_MS         250  /* core_wake is never later than this while anything is alive */
#define CORE_SETTLE_MS       1500 /* after a restart known agents are awaited: the next one so long, */
#define CORE_SETTLE_MAX_MS   10000 /* all of them so long (a thousand take their time) */
#define CORE_UNSEALED_MS     600000 /* an open job without an ADD or SET for this long is cancelled */
#define CORE_KEY_GRACE_MS                                                                          \
    60000 /* an ended job's idempotency key stays here this long, longer than any                  \
             look-up in the store may be under way */
#define CORE_PRIORITY_MIN  (-100)
#define CORE_PRIORITY_MAX  100
#define CORE_KINDS_MAX     64 /* (type, rev) pairs: a bit each in an agent's mask */
#define CORE_SPOT_PERMILLE 10 /* of the results of native agents that are checked, by default */

/* ---- states; numbers are stored and sent, never reuse one ---- */

enum core_chunk_state {
    CHUNK_READY = 0,
    CHUNK_LEASED = 1,
    CHUNK_COMMITTING =
        2, /* accepted, its row is on the way to the disk: never assigned, not yet shown */
    CHUNK_DONE = 3,
    CHUNK_FAILED = 4,
    CHUNK_CANCELLED = 5,
    CHUNK_VERIFYING = 6, /* a result is held until a check decides; never saved, never shown */
};
#define CHUNK_STATES 7

enum core_job_status {
    JOB_PENDING = 0,
    JOB_PROCESSING = 1, /* from its first lease */
    JOB_COMPLETED = 2,
    JOB_FAILED = 3, /* a FAILED chunk or a file with an error */
    JOB_CANCELLED = 4,
};

/* Where an agent has a lease, as HELLO lists it. */
enum core_phase { PHASE_QUEUED = 0, PHASE_RUNNING = 1, PHASE_FINISHED = 2 };

/* ---- events ---- */

enum core_event_type {
    EV_TICK,      /* at core_wake or earlier */
    EV_COMMITTED, /* committed: every SAVE with seq <= this is durable */
    EV_HELLO,     /* an agent opens a session */
    EV_BEAT,      /* heartbeat with progress of running chunks */
    EV_CREDIT,    /* cumulative grant within the session */
    EV_DONE,      /* one lease each: */
    EV_FAIL,
    EV_RETURN,
    EV_CHECKED,     /* the answer to an ASSIGN with CHECK_VERIFY */
    EV_GONE,        /* BYE, or its key was revoked */
    EV_UNREACHABLE, /* the transport says the session's peer is not there */
    EV_DRAIN,       /* gets nothing new until RESUME */
    EV_RESUME,
    EV_QUARANTINE, /* gets nothing; what it holds is taken away */
    EV_SUBMIT,
    EV_ADD,
    EV_SEAL,
    EV_CANCEL,
    EV_RETRY,
    EV_SET,
    EV_FORGET,
};

struct core_lease_ref {
    uint64_t job;
    uint32_t chunk;
    uint64_t n;
    uint8_t phase; /* HELLO only: enum core_phase */
    bool valid; /* the token was checked by the loop and fits job, chunk, n and this agent's key */
    uint16_t permille; /* BEAT only: progress 0 to 1000 */
    bool check;        /* HELLO only: of an ASSIGN with CHECK_VERIFY */
};

/* What an ASSIGN is for. Only CHECK_VERIFY looks different to the agent: a device that repeats must
 * not know that it does. */
enum core_check {
    CHECK_NONE,
    CHECK_VERIFY, /* does the output of `candidate_n` pass the kernel's verify? EV_CHECKED says */
    CHECK_REPEAT, /* runs the chunk itself; the hashes of both outputs are compared */
};

struct core_event {
    enum core_event_type type;

    /* Who: agent events carry the agent's index (given by the loop, one a key, < CORE_AGENTS_MAX)
     * and the session and serial of the message. Serials count the agent's messages of a session
     * from 1 (HELLO); a gap means one was lost and is answered AGAIN. */
    uint32_t agent;
    uint64_t session;
    uint64_t serial;

    /* Client events: `ref` comes back in the REPLY. 0 = nobody waits. */
    uint64_t ref;
    uint64_t job; /* for SUBMIT: 0 */

    const void *payload; /* comes back in the SAVE it causes; never looked at */

    union {
        uint64_t committed;
        struct {
            uint64_t instance; /* the process: another one with the same key is another instance */
            uint64_t kinds;    /* bit per (type, rev) it can run */
            uint32_t slots;
            uint64_t bytes_limit;    /* a chunk is charged at most this */
            bool checked;            /* role browser: its results count when a check agrees */
            uint32_t owner;          /* two of one owner never check each other; 0 = not known */
            const uint32_t *engines; /* checked: by kind, a number for each text; 0 = none */
            const struct core_lease_ref *held;
            size_t n_held;
        } hello;
        struct {
            const struct core_lease_ref *running;
            size_t n_running;
        } beat;
        struct {
            uint64_t chunks, bytes; /* cumulative within the session; never fall */
        } credit;
        struct {
            struct core_lease_ref lease;
            uint32_t took_ms;      /* DONE: in the slot */
            uint64_t bytes_out;    /* DONE */
            uint32_t failed_files; /* DONE: files with an input error */
            uint64_t hash;         /* DONE of a checked agent: of output, lengths and errors */
            uint16_t draw;         /* DONE: 0 to 999 by a keyed hash that no agent can foretell */
            bool agrees;           /* CHECKED */
            bool checked; /* DONE: by role; it may come from one that has not said HELLO yet */
        } result;         /* DONE, FAIL, RETURN, CHECKED */
        struct {
            uint32_t kind; /* index into the loop's (type, rev) table */
            int32_t priority;
            bool has_key;
            uint8_t key[16];    /* hash of owner and idempotency key */
            uint64_t body_hash; /* same key with another body is a conflict */
            bool more;          /* an ADD follows in the same message: no reply yet */
            bool verify_all;    /* results of native agents are checked too, all of them */
        } submit;
        struct {
            uint64_t key;          /* random, one an ADD: a repeat changes nothing */
            const uint64_t *sizes; /* bytes of each chunk */
            uint32_t n_chunks;
            uint64_t files;        /* how many inputs */
            uint64_t failed_files; /* inputs that already have an error (manifest) */
            bool more;             /* a SEAL follows in the same message: no reply yet */
        } add;
        struct {
            int32_t priority;
            bool has_priority;
        } set;
    } of;
};

/* ---- actions ---- */

enum core_action_type {
    ACT_WELCOME,   /* agent, session: answer to HELLO */
    ACT_PROBE,     /* agent, session (the old one): send it a BEAT; not deliverable -> feed
                      EV_UNREACHABLE, then     the HELLO once more */
    ACT_DUPLICATE, /* agent, session: the key is in use by another live instance */
    ACT_AGAIN,     /* agent, session of the message: "say HELLO" */
    ACT_BEAT,      /* agent, session: heartbeat's answer */
    ACT_ASSIGN,    /* agent: job, chunk, n, attempt, isolate; check and candidate_n */
    ACT_REVOKE,    /* agent: job, chunk, n */
    ACT_TAKEN,     /* agent: job, chunk, n: forget the result and its bytes */
    ACT_SAVE,      /* row: write it; seq counts up by one a SAVE */
    ACT_REPLY,     /* ref: code, job */
    ACT_NOTE,      /* something a subscriber may want to see changed */
    ACT_DROP,      /* agent, session: it is gone; tell nobody but the log */
    ACT_ENDED,     /* job: final and durable, out of core's memory; forgotten = its folder may go */
    ACT_HOLD,   /* agent, job, chunk, n, payload of its DONE: keep a copy, and the output. It ends
                   with a SAVE that says `held` and this n, or with LET_GO */
    ACT_LET_GO, /* job, chunk, n: what was held for it is not wanted */
    ACT_CAUGHT, /* agent: gave a wrong result and is in quarantine now; feed EV_QUARANTINE after a
                   restart. DONE chunks of a native one stay and have to be listed */
};

enum core_row {
    ROW_JOB,   /* job: status, counters in the view; payload: of EV_SUBMIT or EV_SET, NULL otherwise
                */
    ROW_ADD,   /* job, add, payload: of EV_ADD */
    ROW_CHUNK, /* job, chunk: state, attempts, losses, payload: of EV_DONE or EV_FAIL, NULL
                  otherwise */
    ROW_FORGET, /* job */
};

enum core_note { NOTE_JOB, NOTE_CHUNK, NOTE_AGENT };

/* Why a request was refused; the loop has the words. */
enum core_code {
    CORE_OK = 0,
    CORE_EXISTS,       /* SUBMIT with a known key: job is the first one */
    CORE_CONFLICT_KEY, /* the same key with another body */
    CORE_NOT_FOUND,
    CORE_BUSY,     /* a limit on live jobs or chunks */
    CORE_TOO_MANY, /* a limit on one job: chunks, ADDs */
    CORE_SEALED,   /* ADD after SEAL */
    CORE_FINAL,    /* CANCEL, SET of a job that already ended */
    CORE_WAS_CANCELLED,
    CORE_NOTHING_FAILED, /* RETRY */
    CORE_NOT_FINISHED,   /* RETRY of a running job */
};

struct core_action {
    enum core_action_type type;
    uint32_t agent;
    uint64_t session;
    uint64_t job;
    uint32_t chunk;
    uint64_t n;
    uint64_t ref;
    enum core_code code;         /* REPLY */
    enum core_row row;           /* SAVE */
    enum core_note note;         /* NOTE */
    uint64_t seq;                /* SAVE */
    uint32_t add;                /* SAVE of ROW_ADD; REPLY to ADD: its number */
    enum core_chunk_state state; /* SAVE of ROW_CHUNK */
    uint32_t attempts, losses;   /* SAVE of ROW_CHUNK; ASSIGN: attempts so far */
    bool isolate;                /* ASSIGN: the last attempt: one slot run for each of its files */
    bool forgotten;              /* ENDED */
    bool held;                   /* SAVE of ROW_CHUNK: its payload is what was held for n */
    enum core_check check;       /* ASSIGN */
    uint64_t candidate_n;        /* ASSIGN with a check: whose output is in question */
    const void *payload;         /* SAVE */
};

/* ---- the machine ---- */

struct core_config {
    uint32_t epoch;         /* store_epoch: n of a lease = epoch << 32 | counter */
    uint64_t last_job;      /* highest job id ever given */
    uint32_t attempts_max;  /* 0 = CORE_ATTEMPTS_MAX */
    uint32_t spot_permille; /* results of native agents that are checked; 0 = none */
};

struct core;
struct core *core_new(const struct core_config *config, int64_t now_ms);
void core_destroy(struct core **core);

void core_feed(struct core *core, const struct core_event *event, int64_t now_ms);
bool core_next(struct core *core, struct core_action *ret_action);
int64_t core_wake(const struct core *core); /* next deadline */

#include "broker/core/load.h"
#include "broker/core/view.h"

#endif
