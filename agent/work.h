/* Leases, recipes and lanes: what the agent has to do, and where it is done. */
#ifndef WORK_H
#define WORK_H

#include "slot.h"

#include "proto/message.h"

#include <uthash.h>
#include <utlist.h>

#define INPUT_SPARES 16 /* memfds a recipe keeps: what two slots and the next second need */

struct work;

/* A kernel with its parameters: what a slot process is made for. Chunks of one recipe run in the
 * same process. Counted by its works; the last one takes it away (recipe.c). */
struct recipe {
    char type[32];
    struct sw_param_text params[SW_PARAMS_MAX];
    size_t n_params;
    struct sw_buf key; /* everything above as bytes: equal keys, equal recipes */
    size_t n_works;
    double us_per_byte; /* wall time, a moving average; 0 = nothing is known */
    struct work *ready; /* whole inputs, in the order of their ASSIGN */
    struct spare {
        int fd;
        uint64_t size;
    } spares[INPUT_SPARES]; /* memfds of inputs that are done with; input.c */
    size_t n_spares;
    int64_t passed_over; /* since when `ready` waits without a lane of its own; 0 = it does not */
    UT_hash_handle hh;
};

enum work_state {
    WORK_FETCHING, /* its input is on its way, or waits its turn */
    WORK_READY,    /* may run: in its recipe's queue */
    WORK_IN_SLOT,
    WORK_STORING, /* its output is on its way */
    WORK_DONE,    /* DONE is due or said; kept until TAKEN */
    WORK_FAILED,  /* FAIL is due, then it is forgotten */
    WORK_BACK,    /* RETURN is due, then it is forgotten */
};

struct work_part { /* of an output that does not fit in DONE */
    int fd;        /* -1: STORED and let go */
    uint64_t offset, size;
};

/* One lease: a chunk from its ASSIGN until it is TAKEN, REVOKEd, failed or handed back. */
struct work {
    struct slot_run run; /* first: the slot's callbacks give this */
    struct {
        uint64_t job, chunk, n;
    } key;
    uint64_t token, attempt;
    uint64_t bytes, charge_bytes;
    struct recipe *recipe;
    enum work_state state;
    struct lane *lane; /* IN_SLOT */
    double expect_us;  /* there */

    /* fetch.c */
    struct {
        bool active, piped;
        bool whole;         /* nothing is left to fetch */
        struct sw_buf head; /* bytes from the front until the stream's head is complete */
        bool head_known;    /* `owned` is exact */
        uint64_t owned;     /* bytes of the stream before its tail */
        uint64_t next, got; /* asked for, and here, up to this offset */
        uint32_t asks;      /* FETCHes not answered ... */
        uint64_t cost;      /* ... and what each takes of the window */
        int64_t asked_ms;
        int fd;            /* the memfd, or the pipe's writing end; -1 none */
        struct sw_buf out; /* piped: not yet in the pipe */
        size_t out_at;
        bool wants_tail; /* the kernel asked for bytes behind `owned` */
        bool tail_asked;
        uint64_t tail_at;
        uint8_t stale; /* refusals so far */
    } in;

    /* store.c */
    struct {
        bool active, whole;
        struct work_part *parts;
        size_t n_parts, room;
        uint64_t size;        /* of the parts so far */
        uint64_t next, acked; /* sent, and STORED, up to this offset */
        uint32_t asks;
        uint64_t cost;
        bool last_asked; /* `last` is under way */
        int64_t asked_ms;
    } out;

    /* the result */
    struct sw_msg_outcome *pieces; /* owned, with the texts behind them */
    size_t n_pieces;
    char *output; /* owned; at most SW_INLINE_BYTES_MAX */
    size_t output_size;
    uint64_t took_ms, bytes_out;
    char *error, *stderr_tail; /* owned; FAILED and BACK */

    struct work *prev, *next;             /* all works, in order */
    struct work *ready_prev, *ready_next; /* recipe->ready */
    struct work *lane_prev, *lane_next;   /* lane->first */
    struct work *fetch_prev, *fetch_next; /* agent->fetching */
    struct work *store_prev, *store_next; /* agent->storing */
    struct work *due_prev, *due_next;     /* agent->due */
    bool is_due;
    UT_hash_handle hh;
    uint8_t inline_input[];
};

/* A slot with what was given to it. */
struct lane {
    struct agent *agent;
    struct slot *slot;
    struct recipe *recipe;
    struct work *first; /* in the slot, in order; the first one runs */
    double expected_us; /* of what is in it */
    int64_t busy_since; /* with this recipe */
    bool touched;       /* slot_pump is due */
};

#endif
