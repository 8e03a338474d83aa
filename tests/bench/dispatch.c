/* Dispatch: one job of N files of 64 bytes, each its own chunk, each result committed. (a): agents
 * without slots, and memory a queued chunk; beside it what bounds it, in the same run: batches of
 * 32 messages of the same bytes over bare CURVE DEALER -> ROUTER, one hop. (c), when the program of
 * the agent is given: through the slot processes of real agents. Usage: dispatch BROKER CHUNKS
 * [AGENT]. */
#include "tests/bench/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define AGENTS      2
#define INPUT_BYTES 64

static int allow(void *arg, const char *key, const char *domain)
{
    (void)arg, (void)key, (void)domain;
    return 200;
}

/* One hop: what two processes can pass at best, encrypted, 32 of these messages' bytes at a time.
 */
static void bare_hop(uint32_t n)
{
    struct sw_keys server, client;
    struct sw_err err;
    sw_keys_make(&server);
    sw_keys_make(&client);
    memcpy(client.server_key, server.public_key, sizeof client.server_key);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 24000 + (int)(getpid() % 500));
    double start = bench_now_s();
    pid_t child = fork();
    if (child == 0) {
        sw_link_start(1);
        zsock_t *out = sw_link_connect(endpoint, &client, SW_CONTROL_BYTES_MAX, &err);
        struct sw_buf bytes = {0};
        sw_buf_reserve(&bytes, (size_t)32 * 128);
        bytes.size = (size_t)32 * 128;
        for (uint32_t i = 0; i < n / 32; i++)
            while (sw_link_send(out, NULL, 0, &bytes, NULL, 0) < 0)
                zmq_poll(&(zmq_pollitem_t){.socket = zsock_resolve(out), .events = ZMQ_POLLOUT}, 1,
                         10);
        zsock_set_linger(out, 10000);
        zsock_destroy(&out);
        zsys_shutdown();
        _exit(0);
    }
    sw_link_start(1);
    zsock_t *zap = sw_zap_bind(&err),
            *in = sw_link_bind(endpoint, &server, "bench", 1, SW_CONTROL_BYTES_MAX, &err);
    for (uint32_t got = 0; in && got < n / 32;) {
        zmq_pollitem_t items[] = {{.socket = zsock_resolve(zap), .events = ZMQ_POLLIN},
                                  {.socket = zsock_resolve(in), .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, 100);
        sw_zap_serve(zap, allow, NULL);
        struct sw_frames message;
        for (; sw_link_recv(in, true, SW_CONTROL_BYTES_MAX, &message) == 0;
             got++, start = got == 0 ? bench_now_s() : start)
            sw_frames_done(&message);
    }
    double took = bench_now_s() - start;
    printf("  bare CURVE, batches of 32, one hop   %10.0f /s\n", n / took);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    zsock_destroy(&in);
    zsock_destroy(&zap);
}

static double children_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* From the first agent's start to the job's end. Agents are waited for, so that their CPU time and
 * that of their slots is known. */
static void run_job(struct fleet *fleet, zsock_t *client, uint64_t job, const char *program)
{
    pid_t agents[AGENTS];
    for (int i = 0; i < AGENTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "agent-%d", i);
        agents[i] = program ? fleet_slot_agent(fleet, program, name)
                            : fleet_agent(fleet, name, 4096, INPUT_BYTES);
    }
    struct timespec pause = {0, 20000000}; /* this is a bench: the job's end is not announced */
    double start = bench_now_s(), cpu = bench_cpu_s(fleet->broker_pid);
    uint64_t n, stored = bench_store_bytes(fleet);
    for (bool final = false; !final; n = fleet_completed(client, job, &final))
        nanosleep(&pause, NULL);
    double took = bench_now_s() - start, broker = bench_cpu_s(fleet->broker_pid) - cpu;
    cpu = children_cpu_s();
    for (int i = 0; i < AGENTS; i++) {
        kill(agents[i], SIGTERM);
        waitpid(agents[i], NULL, 0);
    }
    double all = broker + children_cpu_s() - cpu;
    printf("  dispatched, done and durable         %10.0f /s  (%s)\n", (double)n / took,
           program ? "to reach 60,000 in a later issue" : "to reach 60,000; later 200,000");
    stored = bench_store_bytes(fleet) - stored;
    if (stored > n) /* a server may write its files later */
        printf("  on the store's disk, a done chunk    %10.0f B\n", (double)stored / (double)n);
    printf("  CPU a chunk: broker %.2f us, all processes %.2f us%s\n", broker / (double)n * 1e6,
           all / (double)n * 1e6, program ? "" : " (later 7)");
}

int main(int argc, char **argv)
{
    const char *program = argc > 3 ? argv[3] : NULL;
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
    struct fleet fleet = {.broker = argv[1]};
    char id[FLEET_UPLOAD_ID];
    if (n == 0 || fleet_start(&fleet) < 0) {
        fprintf(stderr, "usage: dispatch BROKER CHUNKS [AGENT]\n");
        return 2;
    }
    sw_link_start(1);
    zsock_t *client = fleet_peer(&fleet, "gateway", "bench");
    struct sw_msg_get_stats stats = {.ref = 9};
    client_say(client, SW_MSG_GET_STATS, &stats, NULL, 0);
    client_hear(client, 30000); /* it is up */
    fleet_upload(&fleet, n, INPUT_BYTES, id);
    size_t before = bench_rss_bytes(fleet.broker_pid);
    uint64_t job = fleet_submit(client, id, n);
    size_t queued = bench_rss_bytes(fleet.broker_pid);
    printf("dispatch (%s): %u chunks of %d bytes, each committed, %d agents %s\n",
           program ? "c" : "a", n, INPUT_BYTES, AGENTS, program ? "of one slot" : "without slots");
    if (!program && n >= 100000) /* of fewer, the allocator's steps are what is seen */
        printf("  memory a queued chunk                %10.1f B   (limit 128)\n",
               (double)(queued - before) / n);
    run_job(&fleet, client, job, program);
    zsock_destroy(&client);
    fleet_stop(&fleet);
    if (!program)
        bare_hop(n);
    return 0;
}
