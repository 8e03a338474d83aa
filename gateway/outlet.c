/* Owns the reading of results. Called by the route of results, and for small ones by the routes
 * that show jobs. A result is not made for two readers at once: those of one result take turns, a
 * block each. */
#include "outlet.h"

#include "base/log.h"
#include "base/own.h"
#include "work.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct outlet {
    struct request *request; /* NULL once the client is gone */
    struct gateway *gateway;
    struct composed *composed;
    int which;
    uint64_t at, end;         /* of what is still to be read */
    uint8_t *ready, *reading; /* blocks */
    size_t ready_size, ready_used, reading_size;
    bool busy;  /* reading, or waiting for its turn */
    bool waits; /* the sender has run dry and is suspended */
    bool gone;  /* nobody wants it: freed when the pool is done with it */
    int result;
    struct sw_err err;
    outlet_then *then; /* a small one */
    void *context;
    struct outlet *next; /* in the queue for the result */
};

static unsigned n_open; /* of the one gateway in this process */

unsigned outlets_open(const struct gateway *g)
{
    (void)g;
    return n_open;
}

struct outlet *
outlet_new(struct request *r, struct composed *composed, int which, uint64_t first, uint64_t size)
{
    struct outlet *outlet = sw_alloc(1, sizeof *outlet);
    *outlet = (struct outlet){
        .request = r, .gateway = r->gateway, .which = which, .at = first, .end = first + size};
    outlet->composed = composed_hold(composed);
    composed->readers++;
    request_hold(r);
    outlet->ready = sw_alloc(1, OUTLET_BLOCK_BYTES);
    outlet->reading = sw_alloc(1, OUTLET_BLOCK_BYTES);
    n_open++;
    return outlet;
}

static void outlet_free(struct outlet *outlet)
{
    n_open--;
    if (--outlet->composed->readers == 0) /* hundreds are kept: without open files and spans */
        sw_result_rest(outlet->composed->result);
    composed_release(&outlet->composed);
    sw_release(outlet->ready);
    sw_release(outlet->reading);
    sw_release(outlet);
}

/* ---- reading, in turns ---- */

#define EVERY_FILE (-3) /* as `which`: all outputs without a tar round them */

static int read_every_file(struct outlet *outlet)
{
    struct sw_result *result = outlet->composed->result;
    uint8_t *at = outlet->reading;
    size_t n, left = outlet->reading_size;
    const struct sw_result_file *files = sw_result_files(result, &n);
    if (outlet->composed->layout->kernel->shape == SW_CONCAT)
        return sw_result_read(result, SW_RESULT_CONCAT, at, left, 0, &outlet->err);
    for (size_t i = 0; i < n; i++) {
        size_t size = (size_t)files[i].output_size;
        if (*files[i].error || !size)
            continue;
        int r = size > left ? -ERANGE : sw_result_read(result, (int)i, at, size, 0, &outlet->err);
        if (r < 0)
            return r;
        at += size;
        left -= size;
    }
    return 0;
}

static void read_in_pool(void *arg)
{
    struct outlet *outlet = arg;
    if (outlet->which == EVERY_FILE) {
        outlet->result = read_every_file(outlet);
        return;
    }
    outlet->result = sw_result_read(outlet->composed->result, outlet->which, outlet->reading,
                                    outlet->reading_size, outlet->at, &outlet->err);
}

static void was_read(void *arg);

static void start_reading(struct outlet *outlet)
{
    outlet->composed->reading = true;
    outlet->reading_size = (size_t)SW_MIN(outlet->end - outlet->at, (uint64_t)OUTLET_BLOCK_BYTES);
    outlet->gateway->requests++; /* the gateway does not end in the midst of it */
    work_start(outlet->gateway, outlet, read_in_pool, was_read);
}

static void read_next(struct outlet *outlet)
{
    struct composed *composed = outlet->composed;
    if (outlet->busy || outlet->at == outlet->end || outlet->result < 0)
        return;
    outlet->busy = true;
    if (!composed->reading) {
        start_reading(outlet);
        return;
    }
    struct outlet **end = &composed->waiting;
    while (*end)
        end = &(*end)->next;
    outlet->next = NULL;
    *end = outlet;
}

static void next_turn(struct composed *composed)
{
    composed->reading = false;
    struct outlet *next = composed->waiting;
    if (!next)
        return;
    composed->waiting = next->next;
    start_reading(next);
}

static void leave_queue(struct outlet *outlet)
{
    for (struct outlet **p = &outlet->composed->waiting; *p; p = &(*p)->next) {
        if (*p == outlet) {
            *p = outlet->next;
            outlet->busy = false;
            return;
        }
    }
}

static void finish_small(struct outlet *outlet)
{
    struct request *r = outlet->request;
    if (r->connection)
        outlet->then(r, outlet->context, outlet->result < 0 ? NULL : outlet->reading);
    outlet_free(outlet);
    request_release(r);
}

static void was_read(void *arg)
{
    struct outlet *outlet = arg;
    struct composed *composed = composed_hold(outlet->composed);
    outlet->busy = false;
    outlet->gateway->requests--;
    if (outlet->result < 0)
        sw_log(SW_LOG_ERROR, "result broken job=%" PRIu64 " error=\"%s\"", composed->layout->job,
               outlet->err.text);
    else
        outlet->at += outlet->reading_size;
    if (outlet->gone) {
        outlet_free(outlet);
    } else if (outlet->then) {
        finish_small(outlet);
    } else if (outlet->waits) {
        outlet->waits = false;
        request_resume(outlet->request);
    }
    next_turn(composed);
    composed_release(&composed);
}

/* ---- libmicrohttpd asks for bytes ---- */

static ssize_t give(void *arg, uint64_t position, char *p, size_t room)
{
    struct outlet *outlet = arg;
    (void)position;
    if (outlet->ready_used == outlet->ready_size && !outlet->busy && outlet->reading_size &&
        outlet->result == 0) {
        uint8_t *swap = outlet->ready;
        outlet->ready = outlet->reading;
        outlet->reading = swap;
        outlet->ready_size = outlet->reading_size;
        outlet->ready_used = outlet->reading_size = 0;
    }
    size_t n = SW_MIN(room, outlet->ready_size - outlet->ready_used);
    if (n == 0 && outlet->result < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    memcpy(p, outlet->ready + outlet->ready_used, n);
    outlet->ready_used += n;
    metric_add(outlet->gateway, METRIC_BYTES_DOWNLOADED, n);
    if (outlet->reading_size == 0)
        read_next(outlet);
    if (n == 0) {
        outlet->waits = true;
        request_suspend(outlet->request);
    }
    return (ssize_t)n;
}

static void drop(void *arg)
{
    struct outlet *outlet = arg;
    struct request *r = outlet->request;
    outlet->request = NULL;
    outlet->waits = false;
    leave_queue(outlet);
    if (outlet->busy)
        outlet->gone = true;
    else
        outlet_free(outlet);
    request_release(r);
}

struct MHD_Response *outlet_response(struct outlet *outlet)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        outlet->end - outlet->at, OUTLET_BLOCK_BYTES, give, outlet, drop);
    if (!response)
        abort(); /* out of memory, as sw_alloc */
    return response;
}

void outlet_read_small(
    struct request *r, struct composed *composed, uint64_t size, outlet_then *then, void *context)
{
    assert(size <= OUTLET_BLOCK_BYTES);
    if (size == 0) {
        then(r, context, (const uint8_t *)"");
        return;
    }
    struct outlet *outlet = outlet_new(r, composed, EVERY_FILE, 0, size);
    outlet->then = then;
    outlet->context = context;
    read_next(outlet);
}
