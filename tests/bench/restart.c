/* From kill -9 of a broker with N pending chunks to the first ASSIGN of the next one, what that
 * broker weighs, and what a chunk weighs on disk. DONE chunks of the same jobs, first, are done
 * before: only those have rows. Usage: restart BROKER [CHUNKS [DONE]]. */
#include "tests/bench/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define INPUT_BYTES 16
#define JOB_CHUNKS  1000000u /* what a job may have */

/* Asks for something, so that it is up when this returns. */
static void await_broker(zsock_t *client)
{
    struct sw_msg_get_stats stats = {.ref = 9};
    client_say(client, SW_MSG_GET_STATS, &stats, NULL, 0);
    client_hear(client, 30000);
}

/* The first job; the others follow it. */
static uint64_t submit_all(struct fleet *fleet, zsock_t *client, uint32_t chunks)
{
    char id[FLEET_UPLOAD_ID];
    uint64_t first = 0;
    for (uint32_t left = chunks, part; left > 0; left -= part) {
        part = SW_MIN(left, JOB_CHUNKS);
        fleet_upload(fleet, part, INPUT_BYTES, id);
        uint64_t job = fleet_submit(client, id, part);
        first = first ? first : job;
    }
    return first;
}

static uint64_t completed_all(zsock_t *client, uint64_t first, uint32_t chunks)
{
    bool final;
    uint64_t n = 0;
    for (uint32_t i = 0; i <= (chunks - 1) / JOB_CHUNKS; i++)
        n += fleet_completed(client, first + i, &final);
    return n;
}

static bool anybody_online(zsock_t *client)
{
    struct sw_msg_get_agents get = {.ref = 3};
    client_say(client, SW_MSG_GET_AGENTS, &get, NULL, 0);
    const struct sw_message *answer = client_hear(client, 30000);
    for (size_t i = 0; answer && i < answer->of.agents.n_rows; i++)
        if (!sw_str_is(answer->of.agents.rows[i].status, "offline"))
            return true;
    return false;
}

/* An agent works until at least `done` chunks are durable; how many it were. */
static uint64_t
work(struct fleet *fleet, zsock_t *client, uint64_t first, uint32_t chunks, uint32_t done)
{
    uint64_t n = 0;
    struct timespec pause = {0, 5000000}; /* this is a bench: progress is not announced */
    pid_t agent = fleet_agent(fleet, "worker", 1024, INPUT_BYTES);
    for (; n < done; n = completed_all(client, first, chunks))
        nanosleep(&pause, NULL);
    kill(agent, SIGTERM); /* it says BYE: a broker waits 1.5 s for agents that it expects back */
    waitpid(agent, NULL, 0);
    while (anybody_online(client))
        nanosleep(&pause, NULL);
    return completed_all(client, first, chunks);
}

/* Says HELLO again until it is heard. Seconds since the broker was started, or -1. */
static double first_assign_s(struct fleet *fleet, zsock_t *agent)
{
    struct sw_msg_kernel kernel = {.type = sw_str_of("hash"), .rev = 1};
    struct sw_msg_hello hello = {.session = 1,
                                 .serial = 1,
                                 .instance = 1,
                                 .slots = 1,
                                 .chunks = 1,
                                 .bytes = 4096,
                                 .bytes_limit = 4096,
                                 .kernels = &kernel,
                                 .n_kernels = 1};
    const struct sw_message *message = NULL;
    double start = bench_now_s();
    fleet_start_broker(fleet);
    while (!message || message->type != SW_MSG_ASSIGN) {
        if (!message)
            client_say(agent, SW_MSG_HELLO, &hello, NULL, 0);
        message = client_hear(agent, 100);
        if (bench_now_s() - start > 120)
            return -1;
    }
    return bench_now_s() - start;
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000000;
    uint32_t done = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
    struct fleet fleet = {.broker = argv[1]};
    if (argc < 2 || fleet_start(&fleet) < 0) {
        fprintf(stderr, "usage: restart BROKER [CHUNKS [DONE]]\n");
        return 2;
    }
    sw_link_start(1);
    zsock_t *client = fleet_peer(&fleet, "gateway", "bench");
    zsock_t *agent = fleet_peer(&fleet, "agent", "bare");
    await_broker(client);
    uint64_t stored = bench_store_bytes(&fleet);
    uint64_t first = submit_all(&fleet, client, n + done);
    uint64_t folders = bench_jobs_bytes(&fleet), rows = 0;
    if (done)
        rows = work(&fleet, client, first, n + done, done);
    kill(fleet.broker_pid, SIGKILL);
    waitpid(fleet.broker_pid, NULL, 0);
    double took = first_assign_s(&fleet, agent);
    if (took < 0)
        return 1;
    bool bound = n + done <= 1000000;
    printf("restart with %ju pending chunks, %ju done\n", (uintmax_t)(n + done - rows),
           (uintmax_t)rows);
    printf("  kill -9 to the first ASSIGN          %10.2f s%s\n", took,
           bound ? "   (limit 2)" : "");
    printf("  the broker weighs                    %10.0f MB%s\n",
           (double)bench_rss_bytes(fleet.broker_pid) / 1e6, bound ? "  (limit 200)" : "");
    printf("  on disk, a chunk: folder             %10.1f B   (its input of %d among them)\n",
           (double)folders / (n + done), INPUT_BYTES);
    stored = SW_MAX(bench_store_bytes(&fleet), stored) - stored; /* opened, so checkpointed */
    printf("  on disk, a %s chunk: store     %10.1f B\n", rows ? "done" : "pending",
           (double)stored / (double)(rows ? rows : n));
    zsock_destroy(&client);
    zsock_destroy(&agent);
    fleet_stop(&fleet);
    return 0;
}
