/* Reads the store for control. `run` has the reading handle and answers requests one by one; both
 * change hands through the pipe. Never writes, never looks at a request's ref. */
#include "broker/history.h"

#include "broker/actor.h"
#include "broker/batch.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct history {
    const struct sw_store_ops *ops;
    struct sw_store *store; /* the actor's */
    zactor_t *actor;
    unsigned asked;  /* and not yet taken */
    int64_t took_ms; /* the last read */
};

/* A request under way; its texts lie behind it. */
struct question {
    struct history_request request;
    char texts[];
};

/* A reply being filled. */
struct answer {
    struct history_reply *reply;
    struct batch *batch;
    uint32_t from;
};

#define STOP 1
/* A page of chunks is a few KB; what is larger gets blocks of its own. */
#define BLOCK_BYTES ((size_t)8 << 10)

static bool skipped(struct answer *answer, const struct sw_row *row)
{
    if (row->kind == SW_ROW_ADD)
        return row->of.add.add < answer->from;
    if (row->kind == SW_ROW_DEVICE && answer->from > 0) {
        answer->from--;
        return true;
    }
    return false;
}

static int add_row(void *arg, const struct sw_row *row)
{
    struct answer *answer = arg;
    if (skipped(answer, row))
        return 0;
    if (!batch_fits(answer->batch, row)) {
        answer->reply->more = true;
        return STOP;
    }
    batch_put(answer->batch, row);
    return 0;
}

static int
look_up(struct history *history, const struct history_request *request, struct answer *answer)
{
    const struct sw_store_ops *ops = history->ops;
    struct sw_store *store = history->store;
    struct sw_job_query query = request->jobs;
    switch (request->kind) {
    case HISTORY_JOB:
        return ops->job(store, request->job, add_row, answer);
    case HISTORY_KEY:
        return ops->job_by_key(store, request->key, add_row, answer);
    case HISTORY_JOBS:
        query.limit =
            (uint32_t)answer->batch->rows_max + 1; /* one more tells whether there is more */
        return ops->jobs(store, &query, add_row, answer);
    case HISTORY_ADDS:
        return ops->adds(store, request->job, add_row, answer);
    case HISTORY_CHUNKS:
        return ops->chunks(store, request->job, request->from,
                           (uint32_t)answer->batch->rows_max + 1, add_row, answer);
    case HISTORY_DEVICES:
        return ops->devices(store, add_row, answer);
    }
    return -EINVAL;
}

static struct history_reply *answer_to(struct history *history,
                                       const struct history_request *request)
{
    struct history_reply *reply = sw_alloc(1, sizeof *reply);
    uint32_t limit = request->kind == HISTORY_JOBS ? request->jobs.limit : request->limit;
    if (request->kind == HISTORY_JOB || request->kind == HISTORY_KEY)
        limit = 1;
    else if (limit == 0 || limit > HISTORY_ROWS_MAX)
        limit = HISTORY_ROWS_MAX;
    reply->batch = batch_new(limit, HISTORY_BYTES_MAX, BLOCK_BYTES);
    reply->kind = request->kind;
    reply->ref = request->ref;
    struct answer answer = {.reply = reply, .batch = reply->batch, .from = request->from};
    int64_t now_ms = sw_boot_ms();
    int r = -ETIME;
    if (!request->until_ms || now_ms < request->until_ms)
        r = look_up(history, request, &answer);
    reply->took_ms = sw_boot_ms() - now_ms;
    reply->rows = reply->batch->rows;
    reply->status = r < 0 ? r : 0;
    reply->n = r < 0 ? 0 : reply->batch->n;
    return reply;
}

static void run(zsock_t *pipe, void *arg)
{
    struct history *history = arg;
    struct question *question;
    actor_begin(pipe);
    while ((question = actor_wait(pipe))) {
        struct history_reply *reply = answer_to(history, &question->request);
        sw_release(question);
        actor_give(pipe, reply);
    }
}

/* ---- control's side ---- */

int history_open(const struct sw_store_ops *ops,
                 const char *where,
                 struct history **ret_history,
                 struct sw_err *err)
{
    struct sw_store *store = NULL;
    int r = ops->open(where, false, &store, err);
    if (r < 0)
        return r;
    struct history *history = sw_alloc(1, sizeof *history);
    history->ops = ops;
    history->store = store;
    history->actor = zactor_new(run, history);
    assert(history->actor);
    *ret_history = history;
    return 0;
}

int history_ask(struct history *history, const struct history_request *request)
{
    if (history->asked == HISTORY_REQUESTS_MAX)
        return -EBUSY;
    const char *key = request->key ? request->key : "";
    const char *type = request->jobs.type ? request->jobs.type : "";
    size_t key_size = strlen(key) + 1, type_size = strlen(type) + 1;
    struct question *question = sw_alloc(1, sizeof *question + key_size + type_size);
    question->request = *request;
    question->request.key = memcpy(question->texts, key, key_size);
    if (request->jobs.type)
        question->request.jobs.type = memcpy(question->texts + key_size, type, type_size);
    actor_give(zactor_sock(history->actor), question);
    history->asked++;
    return 0;
}

int64_t history_wait_ms(const struct history *history)
{
    return history->asked * history->took_ms;
}

zsock_t *history_socket(struct history *history)
{
    return zactor_sock(history->actor);
}

struct history_reply *history_next(struct history *history)
{
    struct history_reply *reply = actor_take(zactor_sock(history->actor));
    if (!reply)
        return NULL;
    history->asked--;
    if (reply->status != -ETIME)
        history->took_ms = reply->took_ms;
    return reply;
}

void history_reply_destroy(struct history_reply **p)
{
    struct history_reply *reply = TAKE(*p);
    if (!reply)
        return;
    batch_destroy(&reply->batch);
    sw_release(reply);
}

void history_close(struct history **p)
{
    struct history *history = TAKE(*p);
    if (!history)
        return;
    for (; history->asked > 0; history->asked--) {
        struct history_reply *reply = actor_wait(zactor_sock(history->actor));
        assert(reply);
        history_reply_destroy(&reply);
    }
    zactor_destroy(&history->actor);
    history->ops->close(history->store);
    sw_release(history);
}
