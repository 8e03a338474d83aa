/* Owns jobs on the thread pool from start to end. Called by whatever must read, write or hash;
 * never cancels: a job is short or reads a bounded piece. */
#include "work.h"

#include "base/own.h"

#include <assert.h>

struct job {
    uv_work_t work;
    void *arg;
    void (*run)(void *arg);
    void (*then)(void *arg);
};

static void in_pool(uv_work_t *work)
{
    struct job *job = work->data;
    job->run(job->arg);
}

static void on_loop(uv_work_t *work, int status)
{
    struct job *job = work->data;
    assert(status == 0); /* nobody cancels */
    (void)status;
    void *arg = job->arg;
    void (*then)(void *) = job->then;
    sw_release(job);
    then(arg);
}

void work_start(struct gateway *g, void *arg, void (*run)(void *arg), void (*then)(void *arg))
{
    struct job *job = sw_alloc(1, sizeof *job);
    *job = (struct job){.work.data = job, .arg = arg, .run = run, .then = then};
    int r = uv_queue_work(g->loop, &job->work, in_pool, on_loop);
    assert(r == 0);
    (void)r;
}
