/* The agents of the restart storm: sessions as agent/session.c makes them (both sockets, HELLO once
 * the link stands, back-off with jitter, the next broker of the list), work as a list of leases
 * that take a while. Called by storm.c until all is steady; knows no brokers' processes. */
#include "tests/bench/storm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS     10
#define BEAT_S      2
#define SILENT_S    6
#define HELLO_S     1
#define LINK_S      2 /* no link for so long: the next broker, where there is one; more in later */
#define ROUNDS_MAX  5 /* rounds, up to so many times that */
#define DELAY_MIN_S 0.05
#define DELAY_MAX_S 5
#define SOON_MAX_S  0.3 /* with a standby */
#define RESULT      64  /* bytes */

static double chance(void)
{
    return (double)(sw_random_u64() >> 11) / (double)(UINT64_C(1) << 53);
}

static void close_sockets(struct storm_agent *agent)
{
    sw_link_close(&agent->control, &agent->watch, 0);
    zsock_destroy(&agent->data);
    agent->connected = agent->welcomed = false;
}

static void lost(struct storm *storm, struct storm_agent *agent, bool next)
{
    if (agent->welcomed)
        storm->sessions_lost++, agent->delay_s = 0, agent->tries = 0;
    if (next)
        agent->broker = (agent->broker + 1) % storm->n_brokers;
    double most = storm->n_brokers > 1 ? SOON_MAX_S : DELAY_MAX_S;
    agent->open_s = bench_now_s();
    if (++agent->tries % storm->n_brokers) {
        agent->open_s += chance() * DELAY_MIN_S;
    } else {
        agent->delay_s = SW_MIN(SW_MAX(agent->delay_s * 2, DELAY_MIN_S), most);
        agent->open_s += agent->delay_s * (0.5 + chance());
    }
    close_sockets(agent);
}

/* As agent/session.c: a broker that is slow to link may be busy with a thousand others. */
static double patience_s(const struct storm *storm, const struct storm_agent *agent)
{
    size_t rounds = 1 + agent->tries / storm->n_brokers;
    return LINK_S * (double)SW_MIN(rounds, (size_t)ROUNDS_MAX);
}

static void open_sockets(struct storm *storm, struct storm_agent *agent, double now)
{
    struct sw_err err;
    const char(*at)[40] = (const char(*)[40])storm->endpoints[agent->broker];
    agent->session = sw_random_u64();
    agent->opened_s = now;
    agent->control =
        sw_link_connect_watched(at[0], &agent->keys, SW_CONTROL_BYTES_MAX, &agent->watch, &err);
    agent->data =
        agent->control ? sw_link_connect(at[1], &agent->keys, SW_DATA_BYTES_MAX, &err) : 0;
    if (!agent->data) {
        fprintf(stderr, "storm: %s\n", err.text);
        exit(1);
    }
}

static void say(struct storm_agent *agent,
                enum sw_message_type type,
                const void *message,
                const void *payload,
                size_t size)
{
    agent->look = true;
    client_say(agent->control, type, message, payload, size);
}

static void say_hello(const struct storm *storm, struct storm_agent *agent, double now)
{
    struct sw_msg_kernel kernel = {.type = sw_str_of("hash"), .rev = 1};
    struct sw_msg_held held[STORM_HELD] = {0};
    for (size_t i = 0; i < agent->n_work; i++)
        held[i] = (struct sw_msg_held){.job = storm->job,
                                       .chunk = agent->work[i].chunk,
                                       .n = agent->work[i].n,
                                       .token = agent->work[i].token,
                                       .phase = agent->work[i].phase};
    agent->serial = 1;
    agent->hello_s = now;
    agent->granted = STORM_HELD - agent->n_work;
    struct sw_msg_hello hello = {.session = agent->session,
                                 .serial = 1,
                                 .instance = agent->instance,
                                 .slots = 1,
                                 .chunks = agent->granted,
                                 .bytes = 1 << 30,
                                 .bytes_limit = 1 << 20,
                                 .kernels = &kernel,
                                 .n_kernels = 1,
                                 .held = held,
                                 .n_held = agent->n_work};
    say(agent, SW_MSG_HELLO, &hello, NULL, 0);
}

static void say_done(struct storm *storm, struct storm_agent *agent, const struct storm_work *work)
{
    static const uint8_t output[RESULT];
    struct sw_msg_outcome piece = {.length = RESULT};
    struct sw_msg_result result = {.job = storm->job,
                                   .chunk = work->chunk,
                                   .n = work->n,
                                   .token = work->token,
                                   .bytes_out = RESULT,
                                   .inline_bytes = RESULT,
                                   .pieces = &piece,
                                   .n_pieces = 1};
    struct sw_msg_done done = {
        .session = agent->session, .serial = ++agent->serial, .results = &result, .n_results = 1};
    say(agent, SW_MSG_DONE, &done, output, sizeof output);
}

static void take_welcome(struct storm *storm, struct storm_agent *agent)
{
    agent->welcomed = true;
    agent->beat_s = 0;
    for (size_t i = 0; i < agent->n_work; i++)
        if (agent->work[i].phase == STORM_FINISHED)
            say_done(storm, agent, &agent->work[i]);
}

static void
take_assign(struct storm *storm, struct storm_agent *agent, const struct sw_msg_assign *assign)
{
    for (size_t i = 0; i < assign->n_leases && agent->n_work < STORM_HELD; i++) {
        const struct sw_msg_grant *grant = &assign->leases[i];
        agent->work[agent->n_work++] = (struct storm_work){
            .chunk = (uint32_t)grant->chunk, .n = grant->n, .token = grant->token};
        storm->given[grant->chunk]++;
        if (storm->held[grant->chunk])
            storm->again[storm->held[grant->chunk]]++;
    }
}

/* TAKEN or REVOKE: the lease is over, and its place free. */
static void forget(struct storm_agent *agent, const struct sw_msg_lease *leases, size_t n)
{
    uint64_t before = agent->granted;
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < agent->n_work; at++)
            if (agent->work[at].chunk == leases[i].chunk && agent->work[at].n == leases[i].n) {
                agent->n_work--;
                memmove(&agent->work[at], &agent->work[at + 1],
                        (agent->n_work - at) * sizeof *agent->work);
                agent->granted++;
                break;
            }
    struct sw_msg_credit credit = {.session = agent->session,
                                   .serial = agent->serial + 1,
                                   .chunks = agent->granted,
                                   .bytes = 1 << 30};
    if (agent->granted == before)
        return;
    agent->serial++;
    say(agent, SW_MSG_CREDIT, &credit, NULL, 0);
}

static void hear(struct storm *storm, struct storm_agent *agent, const struct sw_message *message)
{
    agent->heard_s = bench_now_s();
    if (message->type == SW_MSG_ERROR) {
        storm->errors++;
        fprintf(stderr, "storm: %.*s\n", (int)message->of.error.message.n,
                message->of.error.message.p);
        lost(storm, agent, false);
    } else if (message->of.welcome.session != agent->session) {
        return; /* all of these begin with the session */
    } else if (message->type == SW_MSG_WELCOME) {
        take_welcome(storm, agent);
    } else if (message->type == SW_MSG_ASSIGN) {
        take_assign(storm, agent, &message->of.assign);
    } else if (message->type == SW_MSG_TAKEN) {
        agent->taken = true;
        forget(agent, message->of.taken.leases, message->of.taken.n_leases);
    } else if (message->type == SW_MSG_REVOKE) {
        forget(agent, message->of.revoke.leases, message->of.revoke.n_leases);
    }
}

static void drain(struct storm *storm, struct storm_agent *agent)
{
    static struct sw_arena arena;
    static struct sw_message message;
    struct sw_frames frames;
    struct sw_err err;
    agent->look = false;
    while (agent->control &&
           sw_link_recv(agent->control, false, SW_CONTROL_BYTES_MAX, &frames) == 0) {
        if (sw_decode(sw_frame_data(&frames, 0), sw_frame_size(&frames, 0), &arena, &message,
                      &err) == 0)
            hear(storm, agent, &message);
        sw_frames_done(&frames);
    }
    for (enum sw_link_event event; agent->watch && (event = sw_link_event(agent->watch));) {
        if (event == SW_LINK_UP) {
            agent->connected = true;
            say_hello(storm, agent, bench_now_s());
        } else if (agent->connected || (event == SW_LINK_FAILED && storm->n_brokers > 1)) {
            lost(storm, agent, true);
        }
    }
}

static void work_on(struct storm *storm, struct storm_agent *agent, double now)
{
    size_t at = 0;
    while (at < agent->n_work && agent->work[at].phase == STORM_FINISHED)
        at++;
    struct storm_work *work = at < agent->n_work ? &agent->work[at] : NULL;
    if (work && work->phase == STORM_QUEUED) {
        work->phase = STORM_RUNNING;
        work->ends_s = now + storm->chunk_s * (0.5 + chance());
    } else if (work && (work->ends_s <= now || storm->chunk_s == 0)) {
        work->phase = STORM_FINISHED;
        if (agent->welcomed)
            say_done(storm, agent, work);
    }
}

static void due(struct storm *storm, struct storm_agent *agent, double now)
{
    work_on(storm, agent, now);
    if (!agent->control) {
        if (now >= agent->open_s)
            open_sockets(storm, agent, now);
    } else if (!agent->connected) {
        if (storm->n_brokers > 1 && now - agent->opened_s > patience_s(storm, agent))
            lost(storm, agent, true);
    } else if (!agent->welcomed) {
        if (now - agent->hello_s > HELLO_S)
            say_hello(storm, agent, now);
    } else if (now - agent->heard_s > SILENT_S) {
        lost(storm, agent, true);
    } else if (now - agent->beat_s > BEAT_S) {
        struct sw_msg_beat beat = {.session = agent->session, .serial = ++agent->serial};
        say(agent, SW_MSG_BEAT, &beat, NULL, 0);
        agent->beat_s = now;
    }
}

static void wait_for(struct pollfd *poll, zsock_t *socket)
{
    *poll = (struct pollfd){.fd = socket ? zsock_fd(socket) : -1, .events = POLLIN};
}

void storm_turn(struct storm *storm)
{
    for (size_t i = 0; i < storm->n_agents; i++) {
        wait_for(&storm->polls[2 * i], storm->agents[i].control);
        wait_for(&storm->polls[2 * i + 1], storm->agents[i].watch);
    }
    poll(storm->polls, 2 * storm->n_agents, TICK_MS);
    double now = bench_now_s();
    for (size_t i = 0; i < storm->n_agents; i++) {
        struct storm_agent *agent = &storm->agents[i];
        if (agent->look || storm->polls[2 * i].revents || storm->polls[2 * i + 1].revents)
            drain(storm, agent);
        due(storm, agent, now);
    }
}

void storm_mark(struct storm *storm)
{
    memset(storm->held, 0, storm->n_chunks);
    memset(storm->again, 0, sizeof storm->again);
    memset(storm->marked, 0, sizeof storm->marked);
    for (size_t i = 0; i < storm->n_agents; i++) {
        struct storm_agent *agent = &storm->agents[i];
        agent->taken = false;
        for (size_t at = 0; at < agent->n_work; at++) {
            uint8_t what = agent->work[at].phase == STORM_QUEUED ? 1 : 2;
            storm->held[agent->work[at].chunk] = what;
            storm->marked[what]++;
        }
    }
}
