/* Dispatch (b): each task is its own job of one small input; IN_FLIGHT of them at a time, each
 * durable when acknowledged and its result durable when it counts. Then the latency of one such
 * task on an idle system, beside what bounds it in the same run: three hops over bare CURVE cost
 * about what two fdatasync cost, so both are printed. Usage: tasks BROKER [TASKS]. */
#include "tests/bench/fleet.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_FLIGHT 1000
#define LATENCIES 300

static void say_submit(zsock_t *client, uint64_t ref)
{
    char bytes[64];
    memset(bytes, (int)ref, sizeof bytes);
    struct sw_msg_input input = {.name = sw_str_of("input"), .size = sizeof bytes};
    struct sw_msg_submit submit = {
        .ref = ref, .type = sw_str_of("hash"), .inputs = &input, .n_inputs = 1};
    client_say(client, SW_MSG_SUBMIT, &submit, bytes, sizeof bytes);
}

/* Jobs that have not ended among the newest IN_FLIGHT. */
static uint64_t unfinished(zsock_t *client)
{
    struct sw_msg_get_jobs get = {.ref = 1, .limit = IN_FLIGHT, .status_mask = 3};
    client_say(client, SW_MSG_GET_JOBS, &get, NULL, 0);
    const struct sw_message *answer = client_hear(client, 60000);
    if (!answer || answer->type != SW_MSG_JOBS)
        exit(1);
    return answer->of.jobs.n_rows;
}

static void throughput(struct fleet *fleet, zsock_t *client, const pid_t *agents, uint32_t tasks)
{
    double start = bench_now_s(), cpu = bench_cpu_s(fleet->broker_pid);
    double agents_cpu = bench_cpu_s(agents[0]) + bench_cpu_s(agents[1]);
    uint32_t sent = 0, acknowledged = 0;
    while (acknowledged < tasks) {
        for (; sent < tasks && sent - acknowledged < IN_FLIGHT; sent++)
            say_submit(client, 100 + sent);
        const struct sw_message *answer = client_hear(client, 60000);
        if (!answer || answer->type != SW_MSG_OK)
            exit(1);
        acknowledged++;
    }
    while (unfinished(client) > 0)
        ;
    double took = bench_now_s() - start;
    double all = bench_cpu_s(fleet->broker_pid) - cpu + bench_cpu_s(agents[0]) +
                 bench_cpu_s(agents[1]) - agents_cpu;
    printf("dispatch (b): %u tasks, each its own durable job, %d in flight\n", tasks, IN_FLIGHT);
    printf("  submitted, done and durable          %10.0f /s  (to reach 70,000 in a later issue)\n",
           tasks / took);
    printf("  CPU a task, broker and agents        %10.1f us  (later 20)\n", all / tasks * 1e6);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double fdatasync_p50(const struct fleet *fleet)
{
    char path[96], bytes[512] = {0};
    double took[LATENCIES];
    snprintf(path, sizeof path, "%s/probe", fleet->state);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < LATENCIES; i++) /* the store's log is overwritten too, it does not grow */
        if (write(fd, bytes, sizeof bytes) < 0)
            exit(1);
    if (fsync(fd) < 0)
        exit(1);
    for (int i = 0; i < LATENCIES; i++) {
        double start = bench_now_s();
        if (pwrite(fd, bytes, sizeof bytes, (off_t)sizeof bytes * i) < 0 || fdatasync(fd) < 0)
            exit(1);
        took[i] = bench_now_s() - start;
    }
    close(fd);
    qsort(took, LATENCIES, sizeof *took, by_value);
    return took[LATENCIES / 2];
}

static void latency(struct fleet *fleet, zsock_t *client)
{
    double took[LATENCIES];
    for (int i = 0; i < LATENCIES; i++) {
        double start = bench_now_s();
        say_submit(client, 7);
        const struct sw_message *answer = client_hear(client, 10000);
        uint64_t job = answer && answer->type == SW_MSG_OK ? answer->of.ok.job : 0;
        for (bool final = false; !final;) {
            struct sw_msg_get_jobs get = {.ref = 8, .job = job};
            client_say(client, SW_MSG_GET_JOBS, &get, NULL, 0);
            answer = client_hear(client, 10000);
            if (!answer || answer->type != SW_MSG_JOBS)
                exit(1);
            final = sw_str_is(answer->of.jobs.rows[0].status, "completed");
        }
        took[i] = bench_now_s() - start;
    }
    qsort(took, LATENCIES, sizeof *took, by_value);
    double sync = fdatasync_p50(fleet);
    printf("latency of one durable task, idle system, asked for until it is done\n");
    printf("  p50                                  %10.0f us\n", took[LATENCIES / 2] * 1e6);
    printf("  two fdatasync in the same folder     %10.0f us\n", 2 * sync * 1e6);
}

int main(int argc, char **argv)
{
    uint32_t tasks = argc > 2 ? (uint32_t)atoi(argv[2]) : 50000;
    struct fleet fleet = {.broker = argv[1]};
    if (argc < 2 || fleet_start(&fleet) < 0) {
        fprintf(stderr, "usage: tasks BROKER [TASKS]\n");
        return 2;
    }
    pid_t agents[2] = {fleet_agent(&fleet, "agent-0", 4096, 64),
                       fleet_agent(&fleet, "agent-1", 4096, 64)};
    sw_link_start(1);
    zsock_t *client = fleet_peer(&fleet, "gateway", "bench");
    say_submit(client, 1); /* it is up, and so are the agents when it is done */
    client_hear(client, 30000);
    while (unfinished(client) > 0)
        ;
    latency(&fleet, client);
    throughput(&fleet, client, agents, tasks);
    for (int i = 0; i < 2; i++) {
        kill(agents[i], SIGKILL);
        waitpid(agents[i], NULL, 0);
    }
    zsock_destroy(&client);
    fleet_stop(&fleet);
    return 0;
}
