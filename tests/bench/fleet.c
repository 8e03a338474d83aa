/* Broker processes and hand-made peers for the dispatch benches. */
#include "tests/bench/fleet.h"

#include "files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static uint64_t disk_bytes;

static int add_disk(const char *path, const struct stat *about, int kind, struct FTW *ftw)
{
    (void)path, (void)kind, (void)ftw;
    disk_bytes += (uint64_t)about->st_blocks * 512;
    return 0;
}

static uint64_t bytes_below(const char *path)
{
    disk_bytes = 0;
    nftw(path, add_disk, 16, FTW_PHYS);
    return disk_bytes;
}

uint64_t bench_store_bytes(const struct fleet *fleet)
{
    static const char *const names[] = {"store.sqlite", "store.sqlite-wal"};
    const char *folder = getenv("SHADOW_BENCH_STORE_FOLDER"); /* of a server of the bench's own */
    uint64_t sum = folder ? bytes_below(folder) : 0;
    for (size_t i = 0; !folder && i < SW_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", fleet->state, names[i]);
        sum += bytes_below(path);
    }
    return sum;
}

uint64_t bench_jobs_bytes(const struct fleet *fleet)
{
    char path[128];
    snprintf(path, sizeof path, "%s/jobs", fleet->state);
    return bytes_below(path);
}

/* Exactly one of its ways: --add-peer alone, or two flags with values and, for a standby, a last
 * one. */
static void run_broker(struct fleet *fleet,
                       const char *flag,
                       const char *value,
                       const char *flag2,
                       const char *value2,
                       const char *last)
{
    const char *store = getenv("SHADOW_BENCH_STORE"); /* tests/bench/run --store */
    execl(fleet->broker, fleet->broker, "--store", store ? store : "sqlite", "--state",
          fleet->state, flag, value, flag2, value2, last, (char *)NULL);
    perror(fleet->broker);
    _exit(127);
}

void fleet_key(struct fleet *fleet, const char *role, const char *name, char ret_file[FLEET_PATH])
{
    char request[FLEET_PATH + 64];
    snprintf(ret_file, FLEET_PATH, "%s/%s.key", fleet->state, name);
    snprintf(request, sizeof request, "%s:%s:%s", role, name, ret_file);
    pid_t child = fork();
    if (child == 0)
        run_broker(fleet, "--add-peer", request, NULL, NULL, NULL);
    waitpid(child, NULL, 0);
}

zsock_t *fleet_peer_at(struct fleet *fleet, const char *host, const char *role, const char *name)
{
    char file[FLEET_PATH], endpoint[64];
    struct sw_keys keys;
    struct sw_err err;
    fleet_key(fleet, role, name, file);
    if (sw_keys_read(file, &keys, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    snprintf(endpoint, sizeof endpoint, "tcp://%s:%d", host, fleet->port);
    zsock_t *socket = sw_link_connect(endpoint, &keys, SW_CONTROL_BYTES_MAX, &err);
    if (!socket)
        fprintf(stderr, "%s\n", err.text);
    return socket;
}

zsock_t *fleet_peer(struct fleet *fleet, const char *role, const char *name)
{
    return fleet_peer_at(fleet, "127.0.0.1", role, name);
}

pid_t fleet_slot_agent(struct fleet *fleet, const char *program, const char *name)
{
    char file[FLEET_PATH], address[64];
    fleet_key(fleet, "agent", name, file);
    snprintf(address, sizeof address, "127.0.0.1:%d", fleet->port);
    pid_t child = fork();
    if (child != 0)
        return child;
    execl(program, program, "--broker", address, "--name", name, "--key", file, "--slots", "1",
          (char *)NULL);
    perror(program);
    _exit(127);
}

static pid_t start_broker(struct fleet *fleet, const char *host, const char *last)
{
    char port[16];
    snprintf(port, sizeof port, "%d", fleet->port);
    pid_t child = fork();
    if (child == 0)
        run_broker(fleet, "--port", port, "--listen", host, last);
    return child;
}

void fleet_start_broker(struct fleet *fleet)
{
    fleet->broker_pid = start_broker(fleet, "127.0.0.1", NULL);
}

pid_t fleet_start_standby(struct fleet *fleet)
{
    return start_broker(fleet, FLEET_STANDBY_HOST, "--standby");
}

int fleet_start(struct fleet *fleet)
{
    snprintf(fleet->state, sizeof fleet->state, "/var/tmp/shadow-bench-XXXXXX");
    if (!mkdtemp(fleet->state))
        return -errno;
    fleet->port = 21000 + (int)(getpid() % 1500) * 2;
    fleet_start_broker(fleet);
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

void fleet_upload(struct fleet *fleet, uint32_t n, size_t size, char ret_id[FLEET_UPLOAD_ID])
{
    char path[96], bytes[4096];
    struct sw_upload *upload = NULL;
    struct sw_err err = {0};
    snprintf(path, sizeof path, "%s/uploads", fleet->state);
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    struct sw_upload_info info = {.length = (uint64_t)n * size};
    if (sw_upload_create(folder, &info, &upload) < 0)
        exit(1);
    for (uint32_t i = 0; i < n; i++) {
        char name[24];
        struct sw_entry entry = {.name = name,
                                 .name_size = (size_t)snprintf(name, sizeof name, "%u", i),
                                 .size = size,
                                 .reason = ""};
        memset(bytes, (int)i, size);
        if (sw_upload_entry(upload, &entry) < 0 || sw_upload_append(upload, bytes, size) < 0)
            exit(1);
    }
    if (sw_upload_finish(upload, 0, &err) < 0) {
        fprintf(stderr, "upload: %s\n", err.text);
        exit(1);
    }
    memcpy(ret_id, sw_upload_info(upload)->id, SW_UPLOAD_ID_SIZE + 1);
    sw_upload_close(&upload);
    close(folder);
}

uint64_t fleet_submit(zsock_t *client, const char *id, uint32_t n)
{
    struct sw_msg_upload upload = {sw_str_of(id)};
    struct sw_msg_submit submit = {
        .ref = 1, .type = sw_str_of("hash"), .chunk_count = n, .uploads = &upload, .n_uploads = 1};
    client_say(client, SW_MSG_SUBMIT, &submit, NULL, 0);
    const struct sw_message *answer = client_hear(client, 120000);
    if (!answer || answer->type != SW_MSG_OK) {
        fprintf(stderr, "submit: %.*s\n", answer ? (int)answer->of.error.message.n : 9,
                answer ? answer->of.error.message.p : "no answer");
        exit(1);
    }
    return answer->of.ok.job;
}

uint64_t fleet_completed(zsock_t *client, uint64_t job, bool *ret_final)
{
    struct sw_msg_get_jobs get = {.ref = 2, .job = job};
    client_say(client, SW_MSG_GET_JOBS, &get, NULL, 0);
    const struct sw_message *answer = client_hear(client, 60000);
    if (!answer || answer->type != SW_MSG_JOBS || answer->of.jobs.n_rows != 1)
        exit(1);
    *ret_final = sw_str_is(answer->of.jobs.rows[0].status, "completed");
    return answer->of.jobs.rows[0].completed_chunks;
}
