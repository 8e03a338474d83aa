/* A store to which memory is refused, at every call for it and from every call on, in a process of
 * its own: open, claim, commits, walks, a FORGET, close. It ends with words or by abort; what it
 * acknowledged is there afterwards and nothing else is, no batch of SQLite's is torn, nothing
 * leaks. Without an argument SQLite in a scratch folder, else the store that $SHADOW_TEST_STORE
 * names. Within a budget of seconds evenly spread points; with SHADOW_LONG all. */
#include "refuse.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define BATCH    8 /* rows */
#define BATCHES  4 /* of one life */
#define BUDGET_S 8
#define GOLDEN   0.6180339887498949

enum end { END_WELL, END_WORDS, END_SILENT = 10, END_LEAK, END_WRONG }; /* exit statuses */

static char place[4096];
static const struct sw_store_ops *ops;

static bool is_sqlite(void)
{
    return ops == &sw_store_sqlite;
}

/* Not what is tested here, and slow. */
int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- one life of the store ---- */

static struct sw_row row_of(uint32_t k)
{
    static uint8_t bodies[BATCH][64];
    uint8_t *body = bodies[k % BATCH];
    for (size_t i = 0; i < sizeof *bodies; i += sizeof k)
        memcpy(body + i, &k, sizeof k);
    return (struct sw_row){.kind = SW_ROW_CHUNK,
                           .of.chunk = {.job = 1, .chunk = k, .body = body, .body_size = 64}};
}

static int check_row(void *arg, const struct sw_row *row)
{
    uint32_t *next = arg;
    struct sw_row want = row_of(*next);
    if (row->of.chunk.chunk != *next || row->of.chunk.body_size != 64 ||
        memcmp(row->of.chunk.body, want.of.chunk.body, 64) != 0)
        return END_WRONG;
    ++*next;
    return 0;
}

static int other_row(void *arg, const struct sw_row *row)
{
    (void)arg;
    if (row->kind == SW_ROW_DEVICE)
        return row->of.device.device && !strcmp(row->of.device.device, "d") ? 0 : END_WRONG;
    const struct sw_job_row *job = &row->of.job;
    bool is_whole = job->type && !strcmp(job->type, "hash") && job->owner &&
                    !strcmp(job->owner, "o") && job->key && !strcmp(job->key, "o:k");
    return is_whole ? 0 : END_WRONG;
}

static int commit_all(struct sw_store *store, uint32_t k, struct sw_err *err)
{
    int r = 0;
    for (unsigned batch = 0; r == 0 && batch < BATCHES; batch++) {
        struct sw_row rows[BATCH + 2];
        for (uint32_t i = 0; i < BATCH; i++)
            rows[i] = row_of(k + i);
        rows[BATCH] = (struct sw_row){
            .kind = batch % 2 ? SW_ROW_FORGET : SW_ROW_JOB,
            .of.job = {.job = 2, .type = "hash", .owner = "o", .key = "o:k", .body = ""}};
        rows[BATCH + 1] =
            (struct sw_row){.kind = SW_ROW_DEVICE, .of.device = {.device = "d", .body = ""}};
        r = ops->commit(store, rows, BATCH + 2, err);
        k += BATCH;
        if (r == 0 && write(STDOUT_FILENO, &k, sizeof k) != sizeof k)
            r = -EPIPE;
    }
    return r;
}

static int read_all(struct sw_store *store, uint32_t from, struct sw_err *err)
{
    uint64_t last;
    uint32_t next = from;
    AUTO_BUF struct sw_buf secret = {0};
    int r = ops->meta_get(store, "secret", &secret);
    if (r == 0 && secret.size != 6)
        return END_WRONG;
    if (r == 0)
        r = ops->job(store, 2, other_row, NULL);
    if (r == 0)
        r = ops->job_by_key(store, "o:k", other_row, NULL);
    if (r == 0)
        r = ops->jobs(store, &(struct sw_job_query){.unfinished = true}, other_row, NULL);
    if (r == 0)
        r = ops->adds(store, 1, other_row, NULL);
    if (r == 0)
        r = ops->devices(store, other_row, NULL);
    if (r == 0)
        r = ops->last_job(store, &last);
    if (r == 0)
        r = ops->chunks(store, 1, from, 0, check_row, &next);
    if (r == 0 && next != from + BATCHES * BATCH)
        return END_WRONG; /* a walk that lost rows and said nothing */
    if (r < 0)
        sw_fail(err, -r, "walk"); /* a walk has no words of its own */
    return r;
}

/* `child AT LASTS FROM`: its exit status; each commit's count is told on standard output. */
static int child(char **argv)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    bool more = true;
    uint32_t epoch = 0, from = (uint32_t)strtoul(argv[2], NULL, 10);
    sqlite3_initialize();
    int64_t before = refuse_blocks();
    refuse_from(strtoull(argv[0], NULL, 10), argv[1][0] == '1');
    int r = ops->open(place, true, &store, &err);
    if (r == 0)
        r = ops->claim(store, &epoch, &err);
    if (r == 0) {
        r = ops->meta_put(store, "secret", "secret", 6);
        if (r < 0)
            sw_fail(&err, -r, "meta");
    }
    uint64_t calls[2] = {refuse_calls()}; /* to be the writer, and in all */
    if (r == 0)
        r = commit_all(store, from, &err);
    if (r == 0)
        r = read_all(store, from, &err);
    while (r == 0 && more && ops->tidy)
        more = ops->tidy(store, &more, NULL) == 0 && more;
    if (store)
        ops->close(store);
    calls[1] = refuse_end();
    if (write(STDERR_FILENO, calls, sizeof calls) != sizeof calls)
        return END_WRONG;
    if (is_sqlite() && refuse_blocks() != before)
        return END_LEAK;
    return r > 0 ? r : r == 0 ? END_WELL : *err.text ? END_WORDS : END_SILENT;
}

/* ---- the points ---- */

struct life {
    int status;        /* as of waitpid */
    uint32_t told;     /* rows acknowledged, from the beginning of all */
    uint64_t calls[2]; /* for memory, if it came to its end: up to its claim, and in all */
};

static struct life live(uint64_t at, bool lasts, uint32_t from)
{
    struct life life = {.told = from};
    int to_out[2], to_err[2];
    char at_text[24], from_text[24];
    snprintf(at_text, sizeof at_text, "%ju", (uintmax_t)at);
    snprintf(from_text, sizeof from_text, "%u", from);
    if (pipe2(to_out, O_CLOEXEC) < 0 || pipe2(to_err, O_CLOEXEC) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(to_out[1], STDOUT_FILENO);
        dup2(to_err[1], STDERR_FILENO);
        execl("/proc/self/exe", "test_oom_store", "child", place, at_text, lasts ? "1" : "0",
              from_text, (char *)NULL);
        _exit(127);
    }
    close(to_out[1]);
    close(to_err[1]);
    uint32_t told;
    while (read(to_out[0], &told, sizeof told) == sizeof told)
        life.told = told;
    if (read(to_err[0], life.calls, sizeof life.calls) != sizeof life.calls)
        life.calls[1] = 0;
    close(to_out[0]);
    close(to_err[0]);
    waitpid(pid, &life.status, 0);
    return life;
}

/* What is in the store, read as anybody does; from row `from` on. */
static uint32_t count(uint32_t from)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    int r = ops->open(place, false, &store, &err);
    if (r == 0)
        r = ops->chunks(store, 1, from, 0, check_row, &from);
    if (r != 0) {
        printf("# %d %s\n", r, err.text);
        exit(1);
    }
    ops->close(store);
    return from;
}

/* One point; how many rows there are then. */
static uint32_t visit(uint64_t at, bool lasts, uint32_t from, unsigned *aborts)
{
    struct life life = live(at, lasts, from);
    uint32_t found = count(from);
    bool is_abort = WIFSIGNALED(life.status) && WTERMSIG(life.status) == SIGABRT;
    bool ends_well = is_abort || (WIFEXITED(life.status) && WEXITSTATUS(life.status) < END_SILENT);
    if (ends_well && found >= life.told && found <= from + BATCHES * BATCH &&
        (!is_sqlite() || found % BATCH == 0)) {
        *aborts += is_abort;
        return found;
    }
    printf("not ok 1 - memory refused %s call %ju: status %x, %u rows, %u acknowledged, %u there\n",
           lasts ? "from" : "at", (uintmax_t)at, (unsigned)life.status, from, life.told, found);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int sweep(void)
{
    struct life whole = live(0, false, 0);
    if (whole.status != 0 || count(0) != BATCHES * BATCH) {
        printf("not ok 1 - status %x, %u rows\n", (unsigned)whole.status, count(0));
        return 1;
    }
    whole = live(0, false, whole.told); /* an opening that makes nothing */
    uint32_t rows = whole.told;
    uint64_t opening = whole.calls[0], late = whole.calls[1] - opening, done = 0;
    uint64_t points = 2 * (opening + late);
    bool is_long = getenv("SHADOW_LONG");
    unsigned aborts = 0;
    double at = 0, until = now_s() + (is_long ? 1e9 : BUDGET_S);
    for (; done < points && now_s() < until; done++) {
        /* most calls are of opening it: commits and walks get every second point all the same */
        uint64_t first = done % 2 ? 0 : opening, n = done % 2 ? opening : late;
        at += GOLDEN - (at + GOLDEN >= 1);
        uint64_t point = is_long ? done : 2 * first + (uint64_t)(at * 2 * (double)n);
        rows = visit(1 + point / 2, point % 2, rows, &aborts);
    }
    struct life last = live(0, false, rows);
    bool whole_again = last.status == 0 && count(0) == rows + BATCHES * BATCH;
    printf("# covered: %s, memory refused at %ju of %ju points, %u aborts, %u rows\n", ops->scheme,
           (uintmax_t)done, (uintmax_t)points, aborts, rows);
    printf("%s 1 - memory refused at every call\n", whole_again ? "ok" : "not ok");
    return !whole_again;
}

int main(int argc, char **argv)
{
    struct sw_err err = {""};
    const char *uri = argc > 1 ? argv[2] : getenv("SHADOW_TEST_STORE");
    char folder[] = "/tmp/sw-oom.XXXXXX";
    ops = sw_store_for(uri ? uri : "sqlite", &err);
    if (!ops)
        return 2;
    if (argc == 6) {
        snprintf(place, sizeof place, "%s", uri);
        return child(argv + 3);
    }
    snprintf(place, sizeof place, "%s", uri ? uri : mkdtemp(folder));
    printf("1..1\n");
    fflush(stdout);
    int status = sweep();
    static const char *const names[] = {"", "-wal", "-shm", "-reserve"};
    for (size_t i = 0; !uri && i < SW_COUNT(names); i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/store.sqlite%s", place, names[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s/store.lock", place);
        unlink(path);
    }
    if (!uri)
        rmdir(place);
    return status;
}
