/* An agent without slots, as a child process: answers every chunk at once, says BYE at
 * SIGTERM. For the dispatch and restart benches. */
#include "tests/bench/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1024

static volatile sig_atomic_t ended;

static void end(int number)
{
    ended = number;
}

struct bare_agent {
    zsock_t *socket;
    uint64_t session, serial, granted_chunks, granted_bytes;
    uint32_t credit, taken; /* TAKEN since the last CREDIT */
    size_t output_bytes;
    struct sw_msg_result results[BATCH];
    struct sw_msg_outcome piece;
    uint8_t *output;
};

static void answer_chunks(struct bare_agent *agent, const struct sw_msg_assign *assign)
{
    for (size_t done = 0; done < assign->n_leases;) {
        size_t n = SW_MIN(assign->n_leases - done, (size_t)BATCH);
        struct sw_msg_done message = {.session = agent->session,
                                      .serial = ++agent->serial,
                                      .results = agent->results,
                                      .n_results = n};
        for (size_t i = 0; i < n; i++) {
            const struct sw_msg_grant *grant = &assign->leases[done + i];
            agent->results[i] = (struct sw_msg_result){.job = assign->job,
                                                       .chunk = grant->chunk,
                                                       .n = grant->n,
                                                       .token = grant->token,
                                                       .took_ms = 0,
                                                       .bytes_out = agent->output_bytes,
                                                       .inline_bytes = agent->output_bytes,
                                                       .pieces = &agent->piece,
                                                       .n_pieces = 1};
        }
        client_say(agent->socket, SW_MSG_DONE, &message, agent->output, n * agent->output_bytes);
        done += n;
    }
}

static void release_credit(struct bare_agent *agent, size_t n)
{
    agent->taken += (uint32_t)n;
    if (agent->taken < agent->credit / 4)
        return;
    agent->granted_chunks += agent->taken;
    agent->granted_bytes += (uint64_t)agent->taken * 4096;
    agent->taken = 0;
    struct sw_msg_credit credit = {.session = agent->session,
                                   .serial = ++agent->serial,
                                   .chunks = agent->granted_chunks,
                                   .bytes = agent->granted_bytes};
    client_say(agent->socket, SW_MSG_CREDIT, &credit, NULL, 0);
}

static void run_agent(struct bare_agent *agent)
{
    struct sw_msg_kernel kernel = {.type = sw_str_of("hash"), .rev = 1};
    agent->session = sw_random_u64() >> 1;
    agent->serial = 1;
    agent->granted_chunks = agent->credit;
    agent->granted_bytes = (uint64_t)1 << 40;
    agent->piece.length = agent->output_bytes;
    agent->output = sw_alloc(BATCH, agent->output_bytes);
    struct sw_msg_hello hello = {.session = agent->session,
                                 .serial = 1,
                                 .instance = agent->session,
                                 .slots = 2,
                                 .chunks = agent->granted_chunks,
                                 .bytes = agent->granted_bytes,
                                 .bytes_limit = 1 << 20,
                                 .kernels = &kernel,
                                 .n_kernels = 1};
    client_say(agent->socket, SW_MSG_HELLO, &hello, NULL, 0);
    double beat_s = bench_now_s();
    while (!ended) {
        const struct sw_message *message = client_hear(agent->socket, 500);
        if (message && message->type == SW_MSG_ASSIGN)
            answer_chunks(agent, &message->of.assign);
        else if (message && message->type == SW_MSG_TAKEN)
            release_credit(agent, message->of.taken.n_leases);
        else if (message && message->type == SW_MSG_ERROR)
            fprintf(stderr, "agent: %.*s\n", (int)message->of.error.message.n,
                    message->of.error.message.p);
        if (bench_now_s() - beat_s > 1) {
            struct sw_msg_beat beat = {.session = agent->session, .serial = ++agent->serial};
            client_say(agent->socket, SW_MSG_BEAT, &beat, NULL, 0);
            beat_s = bench_now_s();
        }
    }
    struct sw_msg_bye bye = {.session = agent->session, .serial = ++agent->serial};
    client_say(agent->socket, SW_MSG_BYE, &bye, NULL, 0);
    nanosleep(&(struct timespec){0, 200000000}, NULL); /* the library's thread sends it */
}

pid_t fleet_agent(struct fleet *fleet, const char *name, uint32_t credit, size_t output_bytes)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    signal(SIGTERM, end);
    sw_link_start(1);
    struct bare_agent agent = {
        .socket = fleet_peer(fleet, "agent", name), .credit = credit, .output_bytes = output_bytes};
    run_agent(&agent);
    _exit(0);
}
