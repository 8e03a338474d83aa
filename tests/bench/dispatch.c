/* Dispatch (a) and memory a queued chunk: one job of N files of 64 bytes, each its own chunk, each
 * result committed; agents without slots. Beside it what bounds it, in the same run: batches of 32
 * messages of the same bytes over bare CURVE DEALER -> ROUTER, one hop. Usage: dispatch BROKER
 * [CHUNKS]. */
#include "tests/bench/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
        sw_buf_reserve(&bytes, 32 * 128);
        bytes.size = 32 * 128;
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

static uint64_t completed(zsock_t *client, uint64_t job, bool *ret_final)
{
    struct sw_msg_get_jobs get = {.ref = 2, .job = job};
    client_say(client, SW_MSG_GET_JOBS, &get, NULL, 0);
    const struct sw_message *answer = client_hear(client, 60000);
    if (!answer || answer->type != SW_MSG_JOBS || answer->of.jobs.n_rows != 1)
        exit(1);
    *ret_final = sw_str_is(answer->of.jobs.rows[0].status, "completed");
    return answer->of.jobs.rows[0].completed_chunks;
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 200000;
    struct fleet fleet = {.broker = argv[1]};
    char id[FLEET_UPLOAD_ID];
    if (argc < 2 || fleet_start(&fleet) < 0) {
        fprintf(stderr, "usage: dispatch BROKER [CHUNKS]\n");
        return 2;
    }
    pid_t agents[AGENTS];
    sw_link_start(1);
    zsock_t *client = fleet_peer(&fleet, "gateway", "bench");
    struct sw_msg_get_stats stats = {.ref = 9};
    client_say(client, SW_MSG_GET_STATS, &stats, NULL, 0);
    client_hear(client, 30000); /* it is up */
    fleet_upload(&fleet, n, INPUT_BYTES, id);
    size_t before = bench_rss_bytes(fleet.broker_pid);
    uint64_t job = fleet_submit(client, id, n);
    size_t queued = bench_rss_bytes(fleet.broker_pid);
    printf("dispatch (a): %u chunks of %d bytes, each committed, %d agents without slots\n", n,
           INPUT_BYTES, AGENTS);
    printf("  memory a queued chunk                %10.1f B   (limit 128)\n",
           (double)(queued - before) / n);
    double start = bench_now_s(), cpu = bench_cpu_s(fleet.broker_pid);
    for (int i = 0; i < AGENTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "agent-%d", i);
        agents[i] = fleet_agent(&fleet, name, 4096, INPUT_BYTES);
    }
    bool final = false;
    while (!final) {
        struct timespec pause = {
            0, 20000000}; /* between looks: this is a bench, the jobs' end is not announced */
        nanosleep(&pause, NULL);
        completed(client, job, &final);
    }
    double took = bench_now_s() - start, all = bench_cpu_s(fleet.broker_pid) - cpu;
    double broker_cpu = all;
    for (int i = 0; i < AGENTS; i++)
        all += bench_cpu_s(agents[i]);
    printf("  dispatched, done and durable         %10.0f /s  (to reach 60,000; later 200,000)\n",
           n / took);
    printf("  CPU a chunk: broker %.2f us, all processes %.2f us (later 7)\n", broker_cpu / n * 1e6,
           all / n * 1e6);
    for (int i = 0; i < AGENTS; i++) {
        kill(agents[i], SIGKILL);
        waitpid(agents[i], NULL, 0);
    }
    zsock_destroy(&client);
    fleet_stop(&fleet);
    bare_hop(n);
    return 0;
}
