/* A thousand agents in one process, played by hand: real sockets, keys and messages, no slots. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include "tests/bench/fleet.h"

#include <poll.h>

#define STORM_HELD 3 /* chunks that an agent wants to hold: one runs, two wait */

enum storm_phase { STORM_QUEUED, STORM_RUNNING, STORM_FINISHED }; /* as HELLO lists them */

struct storm_work {
    uint32_t chunk;
    uint64_t n, token;
    enum storm_phase phase;
    double ends_s;
};

struct storm_agent {
    struct sw_keys keys;
    zsock_t *control, *watch, *data;
    uint64_t session, serial, instance;
    bool connected, welcomed;
    size_t tries;  /* since its last session */
    size_t broker; /* of the list: the one it tries or has */
    double open_s, opened_s, hello_s, beat_s, heard_s, delay_s;
    uint64_t granted; /* chunks, cumulative in the session */
    struct storm_work work[STORM_HELD];
    size_t n_work;
    bool look;  /* something was sent: what came meanwhile gives no sign on the descriptor */
    bool taken; /* a result of it since the last storm_mark */
};

struct storm {
    struct storm_agent *agents;
    size_t n_agents;
    struct pollfd *polls;     /* two an agent: control and its monitor */
    char endpoints[2][2][40]; /* control and data of each broker */
    size_t n_brokers;
    uint64_t job;
    uint32_t n_chunks;
    double chunk_s;     /* a chunk takes half of this to one and a half of it */
    uint8_t *held;      /* a chunk: 1 waited, 2 ran or was finished, at storm_mark */
    uint32_t *given;    /* a chunk: how often since the beginning */
    uint32_t again[3];  /* chunks given out though they were held at storm_mark, by `held` */
    uint32_t marked[3]; /* and how many were */
    uint32_t sessions_lost, errors;
};

/* Waits for what comes, at most a tick; then what came and what is due of every agent. */
void storm_turn(struct storm *storm);
/* What each of them holds now is to stay theirs. */
void storm_mark(struct storm *storm);

#endif
