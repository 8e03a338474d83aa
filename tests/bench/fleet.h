/* What the dispatch benches share: a broker process on a state folder of its own, peers with keys,
 * and agents without slots: they answer each chunk at once. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "proto/link.h"
#include "proto/message.h"

#include <sys/types.h>

struct fleet {
    const char *broker; /* path of shadow-broker */
    char state[64];
    int port;
    pid_t broker_pid;
};

int fleet_start(struct fleet *fleet);
void fleet_stop(struct fleet *fleet); /* and removes the state folder */
#define FLEET_PATH 128
/* A key of a new peer, in a file of the state folder. */
void fleet_key(struct fleet *fleet, const char *role, const char *name, char ret_file[FLEET_PATH]);
zsock_t *fleet_peer(struct fleet *fleet, const char *role, const char *name);
/* The same, of the broker that listens on `host`. */
zsock_t *fleet_peer_at(struct fleet *fleet, const char *host, const char *role, const char *name);
/* A child process that says HELLO and answers every chunk with `output_bytes`, until killed. */
pid_t fleet_agent(struct fleet *fleet, const char *name, uint32_t credit, size_t output_bytes);
/* A real agent with one slot; ends at SIGTERM. */
pid_t fleet_slot_agent(struct fleet *fleet, const char *program, const char *name);

#define FLEET_UPLOAD_ID 33
/* An upload of n files of `size` bytes (at most 4,096) in the state folder. */
void fleet_upload(struct fleet *fleet, uint32_t n, size_t size, char ret_id[FLEET_UPLOAD_ID]);
uint64_t fleet_submit(zsock_t *client,
                      const char *upload,
                      uint32_t chunks); /* a hash job of it; its number */
uint64_t fleet_completed(zsock_t *client, uint64_t job, bool *ret_final); /* chunks so far */
/* The broker process again, after it was killed. */
void fleet_start_broker(struct fleet *fleet);
/* A second one that waits for its place, on the same ports of another loopback address. */
#define FLEET_STANDBY_HOST "127.0.0.2"
pid_t fleet_start_standby(struct fleet *fleet);

double bench_now_s(void);
double bench_cpu_s(pid_t pid); /* user and system time of a process so far */
size_t bench_rss_bytes(pid_t pid);
uint64_t bench_store_bytes(const struct fleet *fleet); /* on disk, as far as it can be seen */
uint64_t bench_jobs_bytes(const struct fleet *fleet);  /* of the jobs' folders */

/* Sends and waits for the next message of a client. */
void client_say(zsock_t *socket,
                enum sw_message_type type,
                const void *message,
                const void *payload,
                size_t size);
/* The next message, waiting; owned by the static buffers of fleet.c until the next call. NULL after
 * limit_ms. */
const struct sw_message *client_hear(zsock_t *socket, int limit_ms);

#endif
