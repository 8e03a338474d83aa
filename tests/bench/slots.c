/* How many tiny chunks a second go through two slot processes, beside what bounds it, measured in
 * the same run: the same kernel called in this process, and a bare socketpair whose other end
 * echoes packets of the same bytes, one chunk each and in batches. Usage: slots [SECONDS-A-LINE].
 * Its own slot process. */
#include "agent/slot.h"

#include "base/clock.h"
#include "base/pack.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS       2
#define INPUT_BYTES 64
#define OUTSTANDING 512 /* chunks queued to a slot, as by an agent's credit */
#define ECHO_WINDOW 64

struct bench_slot {
    struct slot *slot;
    struct slot_run runs[OUTSTANDING];
    struct slot_run *ended[OUTSTANDING];
    size_t n_ended;
};

static uint64_t n_done, n_bad;

static double now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void make_stream(struct sw_buf *stream)
{
    static const uint64_t numbers[] = {0644, 0, INPUT_BYTES, 0, INPUT_BYTES, 0, 0};
    sw_pack_array(stream, 1);
    sw_pack_array(stream, 8);
    sw_pack_text(stream, "a-file", 6);
    for (size_t i = 0; i < SW_COUNT(numbers); i++)
        sw_pack_u64(stream, numbers[i]);
    for (int i = 0; i < INPUT_BYTES; i++)
        sw_buf_put(stream, "x", 1);
}

static void on_done(void *arg, struct slot *slot, struct slot_run *run, struct slot_result *result)
{
    struct bench_slot *bench = arg;
    (void)slot;
    n_done++;
    n_bad += result->end != SLOT_DONE;
    bench->ended[bench->n_ended++] = run;
}

static const struct slot_calls calls = {.done = on_done};

static void turn(struct bench_slot *bench, struct pollfd *fds)
{
    poll(fds, SLOTS, 500);
    for (size_t i = 0; i < SLOTS; i++) {
        if (fds[i].revents)
            slot_pump(bench[i].slot, sw_boot_ms());
        while (bench[i].n_ended)
            slot_add(bench[i].slot, bench[i].ended[--bench[i].n_ended]);
        if (fds[i].revents)
            slot_pump(bench[i].slot, sw_boot_ms());
    }
}

static void slots_rate(const struct sw_buf *stream, double seconds)
{
    static struct bench_slot bench[SLOTS];
    struct pollfd fds[SLOTS];
    struct slot_setup setup = {.kernel = "hash", .memory_bytes = (uint64_t)256 << 20};
    for (size_t i = 0; i < SLOTS; i++) {
        bench[i].slot = slot_new(&calls, &bench[i]);
        if (!bench[i].slot || slot_prepare(bench[i].slot, &setup) < 0)
            exit(1);
        for (size_t k = 0; k < OUTSTANDING; k++) {
            bench[i].runs[k] = (struct slot_run){
                .input = stream->data, .input_size = stream->size, .input_fd = -1};
            slot_add(bench[i].slot, &bench[i].runs[k]);
        }
        slot_pump(bench[i].slot, sw_boot_ms());
        fds[i] = (struct pollfd){.fd = slot_fd(bench[i].slot), .events = POLLIN};
    }
    while (n_done < 1000)
        turn(bench, fds); /* both are warm */
    n_done = 0;
    double cpu = cpu_s(RUSAGE_SELF), start = now_s(CLOCK_MONOTONIC), end = start;
    for (; end - start < seconds; end = now_s(CLOCK_MONOTONIC))
        turn(bench, fds);
    cpu = cpu_s(RUSAGE_SELF) - cpu;
    for (size_t i = 0; i < SLOTS; i++)
        slot_destroy(&bench[i].slot);
    /* the processes have had their whole life's CPU time reaped; that is the measured time, nearly
     */
    printf("slots: %.0f chunks/s through %d slots, agent's side %.2f CPU-us each, both sides %.2f; "
           "%ju failed\n",
           (double)n_done / (end - start), SLOTS, cpu * 1e6 / (double)n_done,
           (cpu + cpu_s(RUSAGE_CHILDREN)) * 1e6 / (double)n_done, (uintmax_t)n_bad);
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

/* One chunk at a time: there, through the kernel and back. */
static void slot_latency(const struct sw_buf *stream)
{
    enum { N = 5000 };
    static double took_us[N];
    static struct bench_slot bench;
    struct slot_setup setup = {.kernel = "hash", .memory_bytes = (uint64_t)256 << 20};
    bench.slot = slot_new(&calls, &bench);
    if (!bench.slot || slot_prepare(bench.slot, &setup) < 0)
        exit(1);
    bench.runs[0] =
        (struct slot_run){.input = stream->data, .input_size = stream->size, .input_fd = -1};
    for (size_t i = 0; i < N; i++) {
        double start = now_s(CLOCK_MONOTONIC);
        struct pollfd fd = {.fd = slot_fd(bench.slot), .events = POLLIN};
        bench.n_ended = 0;
        slot_add(bench.slot, &bench.runs[0]);
        slot_pump(bench.slot, sw_boot_ms());
        while (!bench.n_ended) {
            poll(&fd, 1, 500);
            slot_pump(bench.slot, sw_boot_ms());
        }
        took_us[i] = (now_s(CLOCK_MONOTONIC) - start) * 1e6;
    }
    slot_destroy(&bench.slot);
    qsort(took_us, N, sizeof *took_us, compare);
    printf("one at a time: p50 %.0f us, p99 %.0f us\n", took_us[N / 2], took_us[N * 99 / 100]);
}

/* ---- what bounds it ---- */

struct memory_reader {
    struct sw_reader reader;
    const uint8_t *p;
    size_t left;
};

static ssize_t memory_read(struct sw_reader *reader, void *p, size_t n)
{
    struct memory_reader *memory = (struct memory_reader *)reader;
    n = SW_MIN(n, memory->left);
    memcpy(p, memory->p, n);
    memory->p += n;
    memory->left -= n;
    return (ssize_t)n;
}

static int drop_write(struct sw_writer *writer, const void *p, size_t n)
{
    (void)writer;
    (void)p;
    (void)n;
    return 0;
}

static void kernel_rate(double seconds)
{
    const struct sw_kernel *kernel = sw_kernel_find("hash");
    struct sw_values values;
    struct sw_err err;
    struct sw_writer writer = {.write = drop_write};
    struct sw_segment segment = {
        .name = "a-file", .name_size = 6, .file_size = INPUT_BYTES, .size = INPUT_BYTES};
    static const uint8_t bytes[INPUT_BYTES];
    void *state = NULL;
    uint64_t n = 0;
    if (sw_params_parse(kernel, NULL, 0, &values, &err) < 0 ||
        kernel->open(&values, &state, &err) < 0)
        exit(1);
    double start = now_s(CLOCK_MONOTONIC), end = start;
    for (; end - start < seconds; end = now_s(CLOCK_MONOTONIC))
        for (int i = 0; i < 100; i++, n++) {
            struct memory_reader reader = {{memory_read}, bytes, sizeof bytes};
            kernel->run(state, &segment, &reader.reader, &writer, &err);
        }
    kernel->close(state);
    printf("in process: %.0f chunks/s, the hash kernel alone, one core\n",
           (double)n / (end - start));
}

static void echo(int sock)
{
    static char packet[65536];
    ssize_t got;
    while ((got = recv(sock, packet, sizeof packet, 0)) > 0)
        if (send(sock, packet, (size_t)got, 0) < 0)
            break;
    _exit(0);
}

static void echo_rate(size_t chunk_bytes, size_t batch, double seconds)
{
    static char packet[65536];
    struct pollfd fds[SLOTS];
    pid_t pids[SLOTS];
    size_t window = batch == 1 ? ECHO_WINDOW : 4;
    uint64_t n = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
            exit(1);
        fflush(stdout);
        pids[i] = fork();
        if (pids[i] == 0) {
            close(pair[0]);
            echo(pair[1]);
        }
        close(pair[1]);
        fds[i] = (struct pollfd){.fd = pair[0], .events = POLLIN};
        for (size_t k = 0; k < window; k++)
            send(pair[0], packet, chunk_bytes * batch, 0);
    }
    double start = now_s(CLOCK_MONOTONIC), end = start;
    for (; end - start < seconds; end = now_s(CLOCK_MONOTONIC)) {
        poll(fds, SLOTS, 500);
        for (size_t i = 0; i < SLOTS; i++)
            while (recv(fds[i].fd, packet, sizeof packet, MSG_DONTWAIT) > 0) {
                send(fds[i].fd, packet, chunk_bytes * batch, 0);
                n += batch;
            }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        close(fds[i].fd);
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    printf("bare echo: %.0f chunks/s of %zu bytes, %zu a packet, %d processes\n",
           (double)n / (end - start), chunk_bytes, batch, SLOTS);
}

int main(int argc, char **argv)
{
    AUTO_BUF struct sw_buf stream = {0};
    if (argc > 1 && strcmp(argv[1], "--slot") == 0)
        return slot_main(sw_kernels);
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    make_stream(&stream);
    slots_rate(&stream, seconds);
    slot_latency(&stream);
    kernel_rate(seconds);
    echo_rate(stream.size, 1, seconds);
    echo_rate(stream.size, 64, seconds);
    return 0;
}
