/* Broker processes and hand-made peers for the dispatch benches. */
#include "tests/bench/fleet.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1024

double bench_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_cpu_s(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

size_t bench_rss_bytes(pid_t pid)
{
    char path[64];
    unsigned long size = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void run_broker(
    struct fleet *fleet, const char *flag, const char *value, const char *flag2, const char *value2)
{
    execl(fleet->broker, fleet->broker, "--state", fleet->state, flag, value, flag2, value2,
          (char *)NULL);
    perror(fleet->broker);
    _exit(127);
}

zsock_t *fleet_peer(struct fleet *fleet, const char *role, const char *name)
{
    char request[192], file[128], endpoint[64];
    struct sw_keys keys;
    struct sw_err err;
    snprintf(file, sizeof file, "%s/%s.key", fleet->state, name);
    snprintf(request, sizeof request, "%s:%s:%s", role, name, file);
    pid_t child = fork();
    if (child == 0)
        run_broker(fleet, "--add-peer", request, NULL, NULL);
    waitpid(child, NULL, 0);
    if (sw_keys_read(file, &keys, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", fleet->port);
    zsock_t *socket = sw_link_connect(endpoint, &keys, SW_CONTROL_BYTES_MAX, &err);
    if (!socket)
        fprintf(stderr, "%s\n", err.text);
    return socket;
}

int fleet_start(struct fleet *fleet)
{
    char port[16];
    snprintf(fleet->state, sizeof fleet->state, "/var/tmp/shadow-bench-XXXXXX");
    if (!mkdtemp(fleet->state))
        return -errno;
    fleet->port = 21000 + (int)(getpid() % 1500) * 2;
    snprintf(port, sizeof port, "%d", fleet->port);
    fleet->broker_pid = fork();
    if (fleet->broker_pid == 0)
        run_broker(fleet, "--port", port, "--listen", "127.0.0.1");
    return 0;
}

void fleet_stop(struct fleet *fleet)
{
    char command[128];
    kill(fleet->broker_pid, SIGTERM);
    waitpid(fleet->broker_pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", fleet->state);
    if (system(command) != 0)
        fprintf(stderr, "left behind: %s\n", fleet->state);
}

void client_say(zsock_t *socket,
                enum sw_message_type type,
                const void *message,
                const void *payload,
                size_t size)
{
    static struct sw_buf bytes;
    sw_buf_clear(&bytes);
    sw_encode(type, message, &bytes);
    while (sw_link_send(socket, NULL, 0, &bytes, payload, size) == -EAGAIN)
        zmq_poll(&(zmq_pollitem_t){.socket = zsock_resolve(socket), .events = ZMQ_POLLOUT}, 1, 100);
}

const struct sw_message *client_hear(zsock_t *socket, int limit_ms)
{
    static struct sw_frames frames;
    static struct sw_arena arena;
    static struct sw_message message;
    struct sw_err err;
    static bool held;
    if (held)
        sw_frames_done(&frames);
    held = false;
    for (;;) {
        int r = sw_link_recv(socket, false, SW_CONTROL_BYTES_MAX, &frames);
        if (r == 0)
            break;
        if (r != -EAGAIN)
            continue;
        if (zmq_poll(&(zmq_pollitem_t){.socket = zsock_resolve(socket), .events = ZMQ_POLLIN}, 1,
                     limit_ms) <= 0)
            return NULL;
    }
    held = true;
    return sw_decode(sw_frame_data(&frames, 0), sw_frame_size(&frames, 0), &arena, &message, &err) <
                   0
               ? NULL
               : &message;
}

/* ---- an agent without slots ---- */

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
    for (;;) {
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
}

pid_t fleet_agent(struct fleet *fleet, const char *name, uint32_t credit, size_t output_bytes)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    sw_link_start(1);
    struct bare_agent agent = {
        .socket = fleet_peer(fleet, "agent", name), .credit = credit, .output_bytes = output_bytes};
    run_agent(&agent);
    _exit(0);
}
