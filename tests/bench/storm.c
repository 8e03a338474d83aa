/* The restart storm: a job on N agents, kill -9 of the broker, and how long until all is steady
 * again: every agent has a session, holds chunks and had a result taken. Once with the broker
 * started again at once, once with a standby that takes over. What ran then is not to be given out
 * again, where all came in time. Prints TAP with its figures. Usage: storm BROKER [AGENTS
 * [LIMIT_S]]. */
#include "tests/bench/storm.h"

#include "base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_S 60
#define END_S   60
#define CHUNK_S 2
#define AGENT_TASKS                                                                                \
    14 /* chunks of the job an agent, so that none lacks work before it is steady                  \
        */

static struct fleet fleet;

static void fail(const char *what)
{
    printf("Bail out! %s\n", what);
    fflush(stdout);
    fleet_stop(&fleet);
    _exit(1);
}

static size_t peak_rss(pid_t pid)
{
    char path[48], line[128];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

/* Lines of keys/peers at once, instead of a thousand times --add-peer. */
static void list_agents(struct storm *storm)
{
    char path[FLEET_PATH], line[128];
    AUTO_BUF struct sw_buf lines = {0};
    struct sw_keys listed;
    struct sw_err err;
    snprintf(path, sizeof path, "%s/storm.key", fleet.state);
    if (sw_keys_read(path, &listed, &err) < 0)
        fail(err.text);
    for (size_t i = 0; i < storm->n_agents; i++) {
        struct storm_agent *agent = &storm->agents[i];
        sw_keys_make(&agent->keys);
        memcpy(agent->keys.server_key, listed.server_key, sizeof listed.server_key);
        agent->instance = sw_random_u64();
        int n = snprintf(line, sizeof line, "%s agent storm-%zu\n", agent->keys.public_key, i);
        sw_buf_put(&lines, line, (size_t)n);
    }
    snprintf(path, sizeof path, "%s/keys/peers", fleet.state);
    AUTO_FD int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || sw_write_all(fd, lines.data, lines.size) < 0)
        fail(path);
}

struct count {
    size_t welcomed, holding, taken;
};

static struct count count(const struct storm *storm)
{
    struct count n = {0};
    for (size_t i = 0; i < storm->n_agents; i++) {
        const struct storm_agent *agent = &storm->agents[i];
        n.welcomed += agent->welcomed;
        n.holding += agent->welcomed && agent->n_work > 0;
        n.taken += agent->taken;
    }
    return n;
}

/* Until every agent is in session, holds work and had a result taken; false: not within limit_s. */
static bool steady(struct storm *storm, double limit_s, double *ret_welcomed_s, double *ret_s)
{
    double begin = bench_now_s();
    struct count n = {0};
    for (*ret_welcomed_s = *ret_s = 0; *ret_s < limit_s; *ret_s = bench_now_s() - begin) {
        storm_turn(storm);
        n = count(storm);
        if (n.welcomed == storm->n_agents && *ret_welcomed_s == 0)
            *ret_welcomed_s = bench_now_s() - begin;
        if (n.holding == storm->n_agents && n.taken == storm->n_agents)
            return true;
    }
    printf("# after %.1f s %zu of %zu agents in session, %zu hold work, %zu had a result taken\n",
           limit_s, n.welcomed, storm->n_agents, n.holding, n.taken);
    return false;
}

/* One storm. `next` is the process that is to work after `fleet.broker_pid`; 0: it is started. */
static bool blow(struct storm *storm, const char *what, pid_t next, double limit_s)
{
    double welcomed_s, s;
    storm_mark(storm);
    uint32_t lost = storm->sessions_lost;
    kill(fleet.broker_pid, SIGKILL);
    waitpid(fleet.broker_pid, NULL, 0);
    double idle = next ? bench_cpu_s(next) : 0;
    if (next)
        fleet.broker_pid = next;
    else
        fleet_start_broker(&fleet);
    bool ok = steady(storm, limit_s, &welcomed_s, &s);
    printf(
        "# covered: %zu agents, %s: all in session after %.1f s, steady after %.1f s (limit %.0f); "
        "broker %.2f CPU-s, %.0f MB at most; of %u chunks that ran %u were given out again, of %u "
        "that waited %u\n",
        storm->n_agents, what, welcomed_s, s, limit_s, bench_cpu_s(fleet.broker_pid) - idle,
        (double)peak_rss(fleet.broker_pid) / 1e6, storm->marked[2], storm->again[2],
        storm->marked[1], storm->again[1]);
    if (storm->sessions_lost - lost > storm->n_agents)
        printf("# %u sessions were lost\n", storm->sessions_lost - lost);
    /* a broker waits 1.5 s for them at least; who comes later finds its chunks given to others too,
     * which costs time and no result */
    return ok && (storm->again[2] == 0 || welcomed_s > 1.5) && storm->errors == 0;
}

/* The rest of the job, as fast as it goes: each chunk has one result. */
static bool finish(struct storm *storm, zsock_t *client)
{
    struct sw_msg_get_jobs get = {.ref = 2, .job = storm->job};
    storm->chunk_s = 0;
    memset(storm->held, 0, storm->n_chunks); /* near the end a chunk may run twice */
    const struct sw_message *answer = NULL;
    client_say(client, SW_MSG_GET_JOBS, &get, NULL, 0);
    for (double until = bench_now_s() + END_S; bench_now_s() < until;) {
        storm_turn(storm);
        answer = client_hear(client, 1);
        if (!answer || answer->type != SW_MSG_JOBS || answer->of.jobs.n_rows != 1)
            continue;
        const struct sw_msg_job *job = &answer->of.jobs.rows[0];
        if (!sw_str_is(job->status, "processing"))
            return sw_str_is(job->status, "completed") &&
                   job->completed_chunks == storm->n_chunks && job->total_chunks == storm->n_chunks;
        client_say(client, SW_MSG_GET_JOBS, &get, NULL, 0);
    }
    return false;
}

static int ok(int number, bool passed, const char *what)
{
    printf("%s %d - %s\n", passed ? "ok" : "not ok", number, what);
    fflush(stdout);
    return passed ? 0 : 1;
}

int main(int argc, char **argv)
{
    fleet.broker = argv[1];
    size_t n = argc > 2 ? (size_t)atoi(argv[2]) : getenv("SHADOW_LONG") ? 1000 : 300;
    struct storm storm = {.n_agents = n, .chunk_s = CHUNK_S};
    double limit_s = argc > 3 ? atof(argv[3]) : 30, welcomed_s, s;
    char id[FLEET_UPLOAD_ID], file[FLEET_PATH];
    if (argc < 2 || storm.n_agents == 0 || fleet_start(&fleet) < 0) {
        fprintf(stderr, "usage: storm BROKER [AGENTS [LIMIT_S]]\n");
        return 2;
    }
    sw_descriptors_raise();
    sw_link_start(1);
    printf("1..3\n");
    storm.agents = sw_alloc(storm.n_agents, sizeof *storm.agents);
    storm.polls = sw_alloc(2 * storm.n_agents, sizeof *storm.polls);
    storm.n_chunks = (uint32_t)storm.n_agents * AGENT_TASKS;
    storm.held = sw_alloc(storm.n_chunks, 1);
    storm.given = sw_alloc(storm.n_chunks, sizeof *storm.given);
    for (int i = 0; i < 2; i++)
        for (int data = 0; data < 2; data++)
            snprintf(storm.endpoints[i][data], sizeof storm.endpoints[i][data], "tcp://%s:%d",
                     i ? FLEET_STANDBY_HOST : "127.0.0.1", fleet.port + data);
    zsock_t *client = fleet_peer(&fleet, "gateway", "bench");
    fleet_key(&fleet, "agent", "storm", file);
    list_agents(&storm);
    fleet_upload(&fleet, storm.n_chunks, 64, id);
    storm.job = fleet_submit(client, id, storm.n_chunks);
    storm.n_brokers = 1;
    if (!steady(&storm, START_S, &welcomed_s, &s))
        fail("the agents did not begin");
    printf("# from nothing steady after %.1f s\n", s);
    int failed = ok(1, blow(&storm, "kill -9 and restart", 0, limit_s), "restart");
    storm.n_brokers = 2;
    pid_t standby = fleet_start_standby(&fleet);
    failed += ok(2, blow(&storm, "kill -9 and a standby", standby, limit_s), "take-over");
    zsock_destroy(&client);
    client = fleet_peer_at(&fleet, FLEET_STANDBY_HOST, "gateway", "bench-2");
    failed += ok(3, finish(&storm, client), "each chunk has one result");
    zsock_destroy(&client);
    for (size_t i = 0; i < storm.n_agents; i++) {
        sw_link_close(&storm.agents[i].control, &storm.agents[i].watch, 0);
        zsock_destroy(&storm.agents[i].data);
    }
    fleet_stop(&fleet);
    return failed ? 1 : 0;
}
