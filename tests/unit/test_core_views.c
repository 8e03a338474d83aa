/* What can be asked of the core without changing it, its limits, and its memory against the
 * formula. */
#include "base/own.h"
#include "broker/core/core.h"
#include "broker/core/view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct core *new_core(uint32_t attempts_max)
{
    return core_new(&(struct core_config){.epoch = 1, .attempts_max = attempts_max}, 1000000);
}

/* Feeds and returns the last reply's code; -1 when there was none. */
static int feed(struct core *core, struct core_event event)
{
    struct core_action a;
    int code = -1;
    core_feed(core, &event, 1000000);
    while (core_next(core, &a))
        if (a.type == ACT_REPLY)
            code = (int)a.code;
    return code;
}

static void add(struct core *core, uint64_t job, uint64_t key, uint32_t n, const uint64_t *sizes)
{
    struct core_event event = {.type = EV_ADD, .job = job};
    event.of.add.key = key;
    event.of.add.sizes = sizes;
    event.of.add.n_chunks = n;
    feed(core, event);
}

static void hello(struct core *core, uint32_t agent, uint32_t credit)
{
    struct core_event event = {.type = EV_HELLO, .agent = agent, .session = 1, .serial = 1};
    event.of.hello.instance = agent + 1;
    event.of.hello.kinds = 1;
    event.of.hello.slots = 1;
    event.of.hello.bytes_limit = 1000;
    feed(core, event);
    struct core_event grant = {.type = EV_CREDIT, .agent = agent, .session = 1, .serial = 2};
    grant.of.credit.chunks = credit;
    grant.of.credit.bytes = 100000;
    if (credit)
        feed(core, grant);
}

static void what_is_not_there(void **state)
{
    (void)state;
    struct core *core = new_core(0);
    struct core_chunk_view chunk;
    struct core_agent_view agent;
    struct core_job_view job;
    uint64_t size = 10;
    uint8_t key[16] = {1};
    assert_false(core_job(core, 1, &job));
    assert_false(core_chunk(core, 1, 0, &chunk));
    assert_false(core_agent(core, 0, &agent));
    assert_int_equal(core_slots_online(core), 0);
    feed(core, (struct core_event){.type = EV_SUBMIT});
    add(core, 1, 5, 1, &size);
    hello(core, 2, 0);
    assert_true(core_job(core, 1, &job));
    assert_false(core_chunk(core, 1, 1, &chunk));
    assert_true(core_chunk(core, 1, 0, &chunk));
    assert_int_equal(chunk.bytes, 10);
    assert_false(core_agent(core, 1, &agent)); /* room for it, but it was never seen */
    assert_true(core_agent(core, 2, &agent));
    assert_int_equal(core_why(core, 9, 2), WHY_NO_KERNEL);
    assert_int_equal(core_why(core, 1, 1), WHY_OFFLINE);
    assert_int_equal(core_key_job(core, key), 0);
    assert_true(core_knows_add(core, 1, 5));
    assert_false(core_knows_add(core, 1, 6));
    assert_false(core_knows_add(core, 1, 0));
    assert_false(core_knows_add(core, 2, 5));
    core_destroy(&core);
}

/* An agent that failed the only chunk is told so while another one may still take it. */
static void why_not_this_one(void **state)
{
    (void)state;
    struct core *core = new_core(0);
    uint64_t size = 10;
    feed(core, (struct core_event){.type = EV_SUBMIT});
    add(core, 1, 1, 1, &size);
    hello(core, 0, 2);
    hello(core, 1, 0);
    struct core_event fail = {.type = EV_FAIL, .agent = 0, .session = 1, .serial = 3};
    fail.of.result.lease =
        (struct core_lease_ref){.job = 1, .n = UINT64_C(1) << 32 | 1, .valid = true};
    feed(core, fail);
    assert_int_equal(core_why(core, 1, 0), WHY_FAILED_IT);
    assert_int_equal(core_why(core, 1, 1), WHY_NO_CREDIT);
    core_destroy(&core);
}

static void one_attempt_where_so_configured(void **state)
{
    (void)state;
    struct core *core = new_core(1);
    uint64_t size = 10;
    struct core_chunk_view chunk;
    feed(core, (struct core_event){.type = EV_SUBMIT});
    add(core, 1, 1, 1, &size);
    hello(core, 0, 2);
    struct core_event fail = {.type = EV_FAIL, .agent = 0, .session = 1, .serial = 3};
    fail.of.result.lease =
        (struct core_lease_ref){.job = 1, .n = UINT64_C(1) << 32 | 1, .valid = true};
    feed(core, fail);
    feed(core, (struct core_event){.type = EV_COMMITTED, .of.committed = core_seq(core)});
    assert_true(core_chunk(core, 1, 0, &chunk));
    assert_int_equal(chunk.state, CHUNK_FAILED);
    core_destroy(&core);
}

static void at_most_so_many_jobs(void **state)
{
    (void)state;
    struct core *core = new_core(0);
    for (uint32_t i = 0; i < CORE_JOBS_MAX; i++)
        feed(core, (struct core_event){.type = EV_SUBMIT});
    assert_int_equal(feed(core, (struct core_event){.type = EV_SUBMIT, .ref = 1}), CORE_BUSY);
    core_destroy(&core);
}

/* The limits on chunks and ADDs, and 64 bytes a chunk. */
static void at_most_so_many_chunks(void **state)
{
    (void)state;
    struct core *core = new_core(0);
    struct core_memory memory;
    uint64_t *sizes = sw_alloc(CORE_JOB_CHUNKS_MAX, sizeof *sizes);
    for (uint64_t job = 1; job <= CORE_CHUNKS_MAX / CORE_JOB_CHUNKS_MAX; job++) {
        feed(core, (struct core_event){.type = EV_SUBMIT});
        add(core, job, 1, CORE_JOB_CHUNKS_MAX, sizes);
    }
    core_memory(core, &memory);
    assert_int_equal(memory.chunks, CORE_CHUNKS_MAX);
    assert_true(memory.bytes <= memory.chunks * 64);
    struct core_event event = {.type = EV_ADD, .job = 1, .ref = 1};
    event.of.add.key = 2;
    event.of.add.sizes = sizes;
    event.of.add.n_chunks = 1;
    assert_int_equal(feed(core, event), CORE_BUSY);
    core_destroy(&core);
    sw_release(sizes);
}

static void at_most_so_many_adds(void **state)
{
    (void)state;
    struct core *core = new_core(0);
    feed(core, (struct core_event){.type = EV_SUBMIT});
    for (uint32_t i = 0; i < CORE_JOB_ADDS_MAX; i++)
        add(core, 1, 0, 0, NULL);
    struct core_event event = {.type = EV_ADD, .job = 1, .ref = 1};
    assert_int_equal(feed(core, event), CORE_TOO_MANY);
    core_destroy(&core);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(why_not_this_one),
        cmocka_unit_test(one_attempt_where_so_configured),
        cmocka_unit_test(at_most_so_many_jobs),
        cmocka_unit_test(at_most_so_many_chunks),
        cmocka_unit_test(at_most_so_many_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
