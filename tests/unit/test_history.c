/* The history actor against the real SQLite store, and against a false one that waits at a gate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/history.h"

#include <errno.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char place[64];
static struct sw_store *writer;
static struct history *history;

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *ftw)
{
    (void)about;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int open_both(void **state)
{
    (void)state;
    uint32_t epoch = 0;
    strcpy(place, "/tmp/sw-history.XXXXXX");
    return !mkdtemp(place) || sw_store_sqlite.open(place, true, &writer, NULL) < 0 ||
           sw_store_sqlite.claim(writer, &epoch, NULL) < 0 ||
           history_open(&sw_store_sqlite, place, &history, NULL) < 0;
}

static int close_both(void **state)
{
    (void)state;
    history_close(&history);
    sw_store_sqlite.close(writer);
    nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void write_row(struct sw_row row)
{
    assert_int_equal(sw_store_sqlite.commit(writer, &row, 1, NULL), 0);
}

static struct history_reply *next_reply(void)
{
    zmq_pollitem_t item = {zsock_resolve(history_socket(history)), 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, 20000), 1);
    struct history_reply *reply = history_next(history);
    assert_non_null(reply);
    return reply;
}

static struct history_reply *ask(struct history_request request)
{
    request.ref = UINT64_MAX - 7;
    assert_int_equal(history_ask(history, &request), 0);
    struct history_reply *reply = next_reply();
    assert_int_equal(reply->status, 0);
    assert_int_equal(reply->kind, request.kind);
    assert_true(reply->ref == request.ref);
    return reply;
}

static void write_jobs(void)
{
    static const char *const types[] = {"hash", "filter"};
    for (uint64_t id = 1; id <= 20; id++) {
        char key[16];
        snprintf(key, sizeof key, "o:%d", (int)id);
        write_row((struct sw_row){.kind = SW_ROW_JOB,
                                  .of.job = {.job = id,
                                             .status = (uint32_t)(id % 4),
                                             .type = types[id % 2],
                                             .owner = "o",
                                             .key = key,
                                             .final_ms = 5,
                                             .body = "body",
                                             .body_size = 4}});
    }
}

static void test_jobs_by_pages(void **state)
{
    (void)state;
    write_jobs();
    char type[8] = "hash";
    struct history_request request = {.kind = HISTORY_JOBS,
                                      .jobs = {.type = type, .limit = 4, .before = 19}};
    assert_int_equal(history_ask(history, &request), 0);
    strcpy(type, "xxxx"); /* copied */
    struct history_reply *reply = next_reply();
    assert_int_equal(reply->n, 4);
    assert_true(reply->more);
    for (size_t i = 0; i < 4; i++) {
        const struct sw_job_row *job = &reply->rows[i].of.job;
        assert_int_equal(job->job, 18 - 2 * i);
        assert_string_equal(job->type, "hash");
        assert_string_equal(job->owner, "o");
        assert_memory_equal(job->body, "body", 4);
    }
    history_reply_destroy(&reply);
    reply = ask((struct history_request){.kind = HISTORY_JOBS, .jobs = {.limit = 20}});
    assert_int_equal(reply->n, 20);
    assert_false(reply->more);
    history_reply_destroy(&reply);
}

static void test_one_job_by_id_and_by_key(void **state)
{
    (void)state;
    write_jobs();
    struct history_reply *reply = ask((struct history_request){.kind = HISTORY_JOB, .job = 7});
    assert_int_equal(reply->n, 1);
    assert_string_equal(reply->rows[0].of.job.key, "o:7");
    history_reply_destroy(&reply);
    reply = ask((struct history_request){.kind = HISTORY_KEY, .key = "o:9"});
    assert_int_equal(reply->n, 1);
    assert_int_equal(reply->rows[0].of.job.job, 9);
    history_reply_destroy(&reply);
    reply = ask((struct history_request){.kind = HISTORY_JOB, .job = 99});
    assert_int_equal(reply->n, 0);
    assert_false(reply->more);
    history_reply_destroy(&reply);
    reply = ask((struct history_request){.kind = HISTORY_KEY});
    assert_int_equal(reply->n, 0);
    history_reply_destroy(&reply);
}

static void test_chunks_and_adds_by_pages(void **state)
{
    (void)state;
    static uint8_t large[300 << 10];
    for (uint32_t i = 0; i < 10; i++) {
        large[0] = (uint8_t)i;
        write_row((struct sw_row){
            .kind = SW_ROW_CHUNK,
            .of.chunk = {.job = 1, .chunk = i, .attempts = i, .body = large, .body_size = 9}});
        write_row((struct sw_row){
            .kind = SW_ROW_ADD,
            .of.add = {.job = 1, .add = i, .body = large, .body_size = sizeof large}});
    }
    struct history_reply *reply =
        ask((struct history_request){.kind = HISTORY_CHUNKS, .job = 1, .from = 4, .limit = 3});
    assert_int_equal(reply->n, 3);
    assert_true(reply->more);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(reply->rows[i].of.chunk.chunk, 4 + i);
        assert_int_equal(((const uint8_t *)reply->rows[i].of.chunk.body)[0], 4 + i);
    }
    history_reply_destroy(&reply);
    uint32_t from = 0;
    for (bool more = true; more; history_reply_destroy(&reply)) { /* three large ones a reply */
        reply = ask((struct history_request){.kind = HISTORY_ADDS, .job = 1, .from = from});
        assert_int_equal(reply->n, from == 9 ? 1 : 3);
        for (size_t i = 0; i < reply->n; i++, from++) {
            assert_int_equal(reply->rows[i].of.add.add, from);
            assert_int_equal(((const uint8_t *)reply->rows[i].of.add.body)[0], from);
        }
        more = reply->more;
    }
    assert_int_equal(from, 10);
}

static void test_devices_by_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "d%d", i);
        write_row((struct sw_row){.kind = SW_ROW_DEVICE,
                                  .of.device = {.device = name, .body = "b", .body_size = 1}});
    }
    struct history_reply *reply =
        ask((struct history_request){.kind = HISTORY_DEVICES, .from = 1, .limit = 3});
    assert_int_equal(reply->n, 3);
    assert_true(reply->more);
    assert_string_equal(reply->rows[0].of.device.device, "d1");
    assert_string_equal(reply->rows[2].of.device.device, "d3");
    history_reply_destroy(&reply);
}

static void test_a_store_that_is_not_there(void **state)
{
    (void)state;
    struct history *none = NULL;
    struct sw_err err = {""};
    assert_int_equal(history_open(&sw_store_sqlite, "/nowhere", &none, &err), -ENOENT);
    assert_true(*err.text);
    assert_null(none);
    history_close(&none);
}

/* ---- the false store ---- */

static sem_t gate;

static int false_open(const char *where, bool write, struct sw_store **ret, struct sw_err *err)
{
    (void)where;
    (void)err;
    assert_false(write);
    *ret = (struct sw_store *)&gate;
    return 0;
}

static void false_close(struct sw_store *store)
{
    (void)store;
}

static int false_job(struct sw_store *store, uint64_t job, sw_row_fn *fn, void *arg)
{
    (void)store;
    while (sem_wait(&gate) < 0)
        ;
    struct sw_row row = {.kind = SW_ROW_JOB,
                         .of.job = {.job = job, .type = "", .owner = "", .key = ""}};
    int r = fn(arg, &row);
    return job % 10 == 3 ? -EIO : r;
}

static const struct sw_store_ops false_ops = {
    .open = false_open, .close = false_close, .job = false_job};

static void test_requests_are_bounded_and_answered_in_order(void **state)
{
    (void)state;
    struct history_request request = {.kind = HISTORY_JOB};
    sem_init(&gate, 0, 0);
    assert_int_equal(history_open(&false_ops, "", &history, NULL), 0);
    for (unsigned i = 0; i < HISTORY_REQUESTS_MAX; i++) {
        request.job = i;
        request.ref = i + 5;
        assert_int_equal(history_ask(history, &request), 0);
    }
    assert_int_equal(history_ask(history, &request), -EBUSY);
    assert_null(history_next(history)); /* nobody waits */
    for (unsigned i = 0; i < HISTORY_REQUESTS_MAX; i++) {
        sem_post(&gate);
        struct history_reply *reply = next_reply();
        assert_true(reply->ref == i + 5);
        assert_int_equal(reply->status, i % 10 == 3 ? -EIO : 0);
        assert_int_equal(reply->n, i % 10 == 3 ? 0 : 1);
        if (reply->n)
            assert_int_equal(reply->rows[0].of.job.job, i);
        history_reply_destroy(&reply);
        request.job = HISTORY_REQUESTS_MAX;
        if (i < 5)
            assert_int_equal(history_ask(history, &request), 0);
    }
    for (unsigned i = 0; i < 5; i++)
        sem_post(&gate);
    history_close(&history); /* five were never taken */
    assert_null(history);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_both, close_both)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_jobs_by_pages),
        CASE(test_one_job_by_id_and_by_key),
        CASE(test_chunks_and_adds_by_pages),
        CASE(test_devices_by_pages),
        cmocka_unit_test(test_a_store_that_is_not_there),
        cmocka_unit_test(test_requests_are_bounded_and_answered_in_order),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
