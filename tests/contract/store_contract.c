/* The one contract that every store must pass. `store_contract [URI]`: without one, SQLite in
 * scratch folders; any other URI gets a fresh suffix for each test. This file holds the harness and
 * what all tests share. */
#include "store_contract.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct sw_store_ops *ops;
char place[4096];
static const char *uri = "sqlite";

bool is_sqlite(void)
{
    return ops == &sw_store_sqlite;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *ftw)
{
    (void)about;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int place_make(void **state)
{
    static unsigned count;
    (void)state;
    if (!is_sqlite()) {
        snprintf(place, sizeof place, "%s_%d_%u", uri, (int)getpid(), count++);
        return 0;
    }
    const char *tmp = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/sw-store.XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(place) ? 0 : -1;
}

int place_remove(void **state)
{
    (void)state;
    if (is_sqlite())
        remove_tree(place);
#ifdef SW_WITH_MONGODB
    else
        mongodb_drop();
#endif
    return 0;
}

struct sw_store *open_writer(uint32_t *ret_epoch)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    uint32_t epoch = 0;
    if (ops->open(place, true, &store, &err) < 0)
        fail_msg("open: %s", err.text);
    if (ops->claim(store, &epoch, &err) < 0)
        fail_msg("claim: %s", err.text);
    assert_true(epoch > 0);
    if (ret_epoch)
        *ret_epoch = epoch;
    return store;
}

struct sw_store *open_reader(void)
{
    struct sw_store *store = NULL;
    struct sw_err err = {""};
    if (ops->open(place, false, &store, &err) < 0)
        fail_msg("open to read: %s", err.text);
    return store;
}

void commit_ok(struct sw_store *store, const struct sw_row *rows, size_t n)
{
    struct sw_err err = {""};
    if (ops->commit(store, rows, n, &err) < 0)
        fail_msg("commit: %s", err.text);
}

struct sw_row numbered(uint32_t k, uint8_t *body, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof k)
        memcpy(body + i, &k, SW_MIN(sizeof k, size - i));
    return (struct sw_row){
        .kind = SW_ROW_CHUNK,
        .of.chunk = {.job = 1, .chunk = k, .state = 3, .body = body, .body_size = size}};
}

const uint8_t row_bytes[5] = {0x93, 0x00, 0xff, 0x27, 0x00};

struct sw_row job_row(uint64_t id, uint32_t status, const char *type, int64_t final_ms)
{
    return (struct sw_row){.kind = SW_ROW_JOB,
                           .of.job = {.job = id,
                                      .status = status,
                                      .type = type,
                                      .owner = "",
                                      .key = "",
                                      .final_ms = final_ms}};
}

struct sw_row add_row(uint64_t id, uint32_t n)
{
    return (struct sw_row){.kind = SW_ROW_ADD,
                           .of.add = {.job = id, .add = n, .body = row_bytes, .body_size = 5}};
}

struct sw_row chunk_row(uint64_t id, uint32_t index)
{
    return (struct sw_row){.kind = SW_ROW_CHUNK, .of.chunk = {.job = id, .chunk = index}};
}

struct sw_row device_row(const char *name, const char *body)
{
    return (struct sw_row){.kind = SW_ROW_DEVICE,
                           .of.device = {.device = name, .body = body, .body_size = strlen(body)}};
}

void assert_ids(const struct seen *seen, size_t n, const uint64_t *ids)
{
    assert_int_equal(seen->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(seen->ids[i], ids[i]);
}
static const char *keep_text(struct seen *seen, int i, const char *text)
{
    snprintf(seen->text[i], sizeof seen->text[i], "%s", text);
    return seen->text[i];
}

static void keep_body(struct seen *seen, const void *body, size_t size)
{
    seen->body_size = size;
    memcpy(seen->body, body, SW_MIN(size, sizeof seen->body));
}

int see(void *arg, const struct sw_row *row)
{
    struct seen *seen = arg;
    uint64_t id = 0;
    seen->last = *row;
    switch (row->kind) {
    case SW_ROW_JOB:
        id = row->of.job.job;
        seen->last.of.job.type = keep_text(seen, 0, row->of.job.type);
        seen->last.of.job.owner = keep_text(seen, 1, row->of.job.owner);
        seen->last.of.job.key = keep_text(seen, 2, row->of.job.key);
        keep_body(seen, row->of.job.body, row->of.job.body_size);
        break;
    case SW_ROW_ADD:
        id = row->of.add.add;
        keep_body(seen, row->of.add.body, row->of.add.body_size);
        break;
    case SW_ROW_CHUNK:
        id = row->of.chunk.chunk;
        keep_body(seen, row->of.chunk.body, row->of.chunk.body_size);
        break;
    case SW_ROW_DEVICE:
        seen->last.of.device.device = keep_text(seen, 0, row->of.device.device);
        keep_body(seen, row->of.device.body, row->of.device.body_size);
        break;
    case SW_ROW_FORGET:
        fail_msg("a walk handed on a FORGET");
        break;
    }
    assert_true(seen->n < SW_COUNT(seen->ids));
    seen->ids[seen->n++] = id;
    return seen->stop_at && seen->n >= seen->stop_at ? 77 : 0;
}

/* A disk to fill is a tmpfs, which takes root: a test of its own, so that its skip is seen. */
static int full_disk(void)
{
    int why_not = full_why_not();
    if (why_not) {
        printf("1..0 # SKIP no small disk to fill: mount: %s\n", strerror(why_not));
        return 0;
    }
    ops = &sw_store_sqlite;
    return _cmocka_run_group_tests("store-full-disk", full_tests, n_full_tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    struct sw_err err;
    if (argc == 3 && !strcmp(argv[1], "--crash-child")) {
        ops = sw_store_for(argv[2], &err);
        return ops ? crash_child(argv[2]) : 2;
    }
    if (argc == 2 && !strcmp(argv[1], "--full-disk"))
        return full_disk();
    if (argc > 1)
        uri = argv[1];
    else if (getenv("SHADOW_TEST_STORE"))
        uri = getenv("SHADOW_TEST_STORE");
    ops = sw_store_for(uri, &err);
    if (!ops) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    static struct CMUnitTest tests[64];
    size_t n = 0;
    memcpy(tests + n, row_tests, n_row_tests * sizeof *tests);
    n += n_row_tests;
    memcpy(tests + n, list_tests, n_list_tests * sizeof *tests);
    n += n_list_tests;
    memcpy(tests + n, crash_tests, n_crash_tests * sizeof *tests);
    n += n_crash_tests;
    memcpy(tests + n, forget_tests, n_forget_tests * sizeof *tests);
    n += n_forget_tests;
    if (is_sqlite()) {
        memcpy(tests + n, sqlite_tests, n_sqlite_tests * sizeof *tests);
        n += n_sqlite_tests;
        memcpy(tests + n, schema_tests, n_schema_tests * sizeof *tests);
        n += n_schema_tests;
    }
#ifdef SW_WITH_MONGODB
    if (!is_sqlite()) {
        memcpy(tests + n, mongodb_tests, n_mongodb_tests * sizeof *tests);
        n += n_mongodb_tests;
        memcpy(tests + n, fence_tests, n_fence_tests * sizeof *tests);
        n += n_fence_tests;
    }
#endif
    return _cmocka_run_group_tests("store", tests, n, NULL, NULL);
}
