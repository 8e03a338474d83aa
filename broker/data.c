/* The data actor's thread and its pipe. Control tells it about jobs and asks it to take uploads in;
 * agents FETCH and STORE through its own ROUTER (transfer.c). */
#include "broker/data.h"

#include "base/log.h"
#include "broker/actor.h"
#include "broker/data_actor.h"
#include "broker/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum order_kind {
    ORDER_JOB,
    ORDER_ADD,
    ORDER_FORGET,
    ORDER_RESULT,
    ORDER_RESULTS_TOLD,
    ORDER_PREPARE,
    ORDER_KEY
};

struct order { /* what goes down the pipe; the actor frees it */
    enum order_kind kind;
    uint64_t job, number;                /* JOB: nonce; RESULT: n */
    uint32_t add, first_chunk, n_chunks; /* RESULT: first_chunk = chunk */
    bool remove, recovered;
    struct sw_growth growth;
    char key[SW_KEY_TEXT];
    struct data_prepare *prepare;
};

struct data {
    zactor_t *actor;
    struct data_actor
        *inside; /* the thread's; control touches it before the thread runs and after it ended */
};

/* ---- the thread ---- */

static void take_result(struct data_actor *actor, const struct order *order)
{
    struct data_job *job = data_job_of(actor, order->job);
    if (job && order->kind == ORDER_RESULTS_TOLD)
        job->untold = false;
    else if (job)
        data_outputs_result(actor, job, order->first_chunk, order->number);
}

static void free_prepare(struct data_prepare *request)
{
    sw_release(request->params);
    sw_release(request->uploads);
    sw_buf_done(&request->texts);
    sw_buf_done(&request->inlines);
    sw_release(request);
}

static void prepare_and_answer(struct data_actor *actor, struct data_prepare *request)
{
    struct data_prepared *answer = sw_alloc(1, sizeof *answer);
    answer->ref = request->ref;
    answer->job = request->job;
    answer->add = request->add;
    answer->status = prepare(request, actor->names, actor->jobs_fd, actor->uploads_fd,
                             &answer->plan, &answer->err);
    if (answer->status == 0)
        source_add(actor->source, request->job, request->add, answer->plan.head.first_chunk,
                   answer->plan.head.n_chunks);
    free_prepare(request);
    actor_give(actor->pipe, answer);
}

static void obey(struct data_actor *actor, struct order *order)
{
    switch (order->kind) {
    case ORDER_JOB:
        data_job_learn(actor, order->job, order->number, order->growth, order->recovered);
        break;
    case ORDER_ADD:
        source_add(actor->source, order->job, order->add, order->first_chunk, order->n_chunks);
        break;
    case ORDER_FORGET:
        data_job_forget(actor, order->job, order->remove);
        names_forget(actor->names, order->job);
        break;
    case ORDER_RESULT:
    case ORDER_RESULTS_TOLD:
        take_result(actor, order);
        break;
    case ORDER_PREPARE:
        prepare_and_answer(actor, order->prepare);
        break;
    case ORDER_KEY:
        data_key_set(actor, order->key, order->remove);
        break;
    }
    sw_release(order);
}

static void run(zsock_t *pipe, void *arg)
{
    struct data_actor *actor = arg;
    actor->pipe = pipe;
    actor_begin(pipe);
    zmq_pollitem_t items[] = {
        {.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN},
        {.socket = zsock_resolve(sync_socket(actor->sync)), .events = ZMQ_POLLIN},
        {.socket = zsock_resolve(actor->router), .events = ZMQ_POLLIN},
    };
    for (;;) {
        if (zmq_poll(items, 3, -1) < 0 && errno != EINTR)
            return;
        if (items[0].revents & ZMQ_POLLIN) { /* orders first: a job is known before its FETCH */
            struct order *order = actor_take(pipe);
            if (!order)
                return; /* $TERM */
            obey(actor, order);
            continue;
        }
        transfer_synced(actor);
        transfer_drain(actor);
    }
}

/* ---- control's side ---- */

static void inside_destroy(struct data_actor **inside)
{
    struct data_actor *actor = *inside;
    struct data_store *store, *next_store;
    data_jobs_done(actor);
    if (actor->sync)
        sync_close(&actor->sync);
    HASH_ITER(hh, actor->stores, store, next_store)
    {
        HASH_DEL(actor->stores, store);
        sw_release(store);
    }
    zsock_destroy(&actor->router);
    source_destroy(&actor->source);
    names_destroy(&actor->names);
    sw_arena_done(&actor->arena);
    sw_buf_done(&actor->header);
    sw_fd_close(&actor->jobs_fd);
    sw_fd_close(&actor->uploads_fd);
    sw_release(actor);
    *inside = NULL;
}

int data_open(const struct data_setup *setup, struct data **ret, struct sw_err *err)
{
    struct data_actor *inside = sw_alloc(1, sizeof *inside);
    inside->setup = *setup;
    inside->jobs_fd = openat(setup->state_fd, "jobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    inside->uploads_fd = openat(setup->state_fd, "uploads", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    inside->names = names_new();
    inside->source = source_new(inside->jobs_fd, DATA_CACHE_BYTES);
    int r = inside->jobs_fd < 0 || inside->uploads_fd < 0
                ? sw_fail(err, errno, "state folder: jobs, uploads: %s", strerror(errno))
                : sync_open(&inside->sync);
    if (r == 0) {
        inside->router =
            sw_link_bind(setup->endpoint, &setup->keys, "data", 2, SW_DATA_BYTES_MAX, err);
        r = inside->router ? 0 : -EADDRINUSE;
    }
    if (r < 0) {
        inside_destroy(&inside);
        return r;
    }
    struct data *data = sw_alloc(1, sizeof *data);
    data->inside = inside;
    data->actor = zactor_new(run, inside);
    *ret = data;
    return 0;
}

void data_close(struct data **data)
{
    if (!*data)
        return;
    zactor_destroy(&(*data)->actor);
    inside_destroy(&(*data)->inside);
    sw_release(*data);
    *data = NULL;
}

static void give(struct data *data, struct order order)
{
    struct order *copy = sw_alloc(1, sizeof *copy);
    *copy = order;
    actor_give(zactor_sock(data->actor), copy);
}

void data_job(
    struct data *data, uint64_t job, uint64_t nonce, struct sw_growth growth, bool recovered)
{
    give(data, (struct order){.kind = ORDER_JOB,
                              .job = job,
                              .number = nonce,
                              .growth = growth,
                              .recovered = recovered});
}

void data_add(
    struct data *data, uint64_t job, uint32_t add, uint32_t first_chunk, uint32_t n_chunks)
{
    give(data, (struct order){.kind = ORDER_ADD,
                              .job = job,
                              .add = add,
                              .first_chunk = first_chunk,
                              .n_chunks = n_chunks});
}

void data_forget(struct data *data, uint64_t job, bool remove)
{
    give(data, (struct order){.kind = ORDER_FORGET, .job = job, .remove = remove});
}

void data_result(struct data *data, uint64_t job, uint32_t chunk, uint64_t n)
{
    give(data, (struct order){.kind = ORDER_RESULT, .job = job, .number = n, .first_chunk = chunk});
}

void data_results_told(struct data *data, uint64_t job)
{
    give(data, (struct order){.kind = ORDER_RESULTS_TOLD, .job = job});
}

void data_revoke(struct data *data, const char *key, bool revoked)
{
    struct order order = {.kind = ORDER_KEY, .remove = revoked};
    memcpy(order.key, key, sizeof order.key);
    give(data, order);
}

void data_prepare_take(struct data *data, struct data_prepare *request)
{
    give(data, (struct order){.kind = ORDER_PREPARE, .job = request->job, .prepare = request});
}

zsock_t *data_socket(struct data *data)
{
    return zactor_sock(data->actor);
}

struct data_prepared *data_next(struct data *data)
{
    return actor_take(zactor_sock(data->actor));
}

void data_prepared_destroy(struct data_prepared **prepared)
{
    plan_done(&(*prepared)->plan);
    sw_release(*prepared);
    *prepared = NULL;
}
