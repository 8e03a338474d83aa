/* Copies the rows of one store into an empty other one and compares them. Called by tools.c and
 * backup.c; never changes a row of the first.
 *
 * The first may be at work. A job is taken with the look of its row before and after: unless both
 * are the same it is taken once more. In between, its chunks are read before its ADDs, because a
 * chunk's row may be newer than what was read before it, and must find its ADD. So each job is as
 * it was at some moment, whatever store it is. */
#include "broker/copy.h"

#include "broker/batch.h"
#include "broker/belong.h"
#include "broker/row_sum.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TRIES_MAX 100 /* a job's row changes a few times in its life */
#define ROWS_MAX  4096
#define BYTES_MAX ((size_t)8 << 20)
#define BLOCK     ((size_t)256 << 10)

struct taken { /* a job of the copy */
    uint64_t job;
    uint8_t sum[ROW_SUM_BYTES];
};

struct copy {
    struct row_sum sum; /* of the rows being read */
    struct place *from, *to;
    struct batch *batch;
    bool found; /* a job's row */
    struct taken *taken;
    size_t n, room;
    struct copied count;
    struct sw_err *err;
};

/* ---- rows on their way ---- */

static int flush(struct copy *copy)
{
    int r = copy->batch->n ? copy->to->ops->commit(copy->to->store, copy->batch->rows,
                                                   copy->batch->n, copy->err)
                           : 0;
    batch_clear(copy->batch);
    return r;
}

static int put(struct copy *copy, const struct sw_row *row)
{
    int r = batch_fits(copy->batch, row) ? 0 : flush(copy);
    if (r == 0)
        batch_put(copy->batch, row);
    return r;
}

static int put_forget(struct copy *copy, uint64_t job)
{
    return put(copy, &(struct sw_row){.kind = SW_ROW_FORGET, .of.job.job = job});
}

/* All of it at once: what a FORGET leaves for later would hide the rows that are put anew. */
static int forget(struct copy *copy, uint64_t job)
{
    bool more = copy->to->ops->tidy != NULL;
    int r = put_forget(copy, job);
    if (r == 0)
        r = flush(copy);
    while (r == 0 && more)
        r = copy->to->ops->tidy(copy->to->store, &more, copy->err);
    return r;
}

static int on_row(void *arg, const struct sw_row *row)
{
    struct copy *copy = arg;
    row_sum_put(&copy->sum, row);
    copy->found |= row->kind == SW_ROW_JOB;
    copy->count.jobs += row->kind == SW_ROW_JOB;
    copy->count.adds += row->kind == SW_ROW_ADD;
    copy->count.chunks += row->kind == SW_ROW_CHUNK;
    copy->count.devices += row->kind == SW_ROW_DEVICE;
    return put(copy, row);
}

static int on_look(void *arg, const struct sw_row *row)
{
    struct copy *copy = arg;
    row_sum_put(&copy->sum, row);
    copy->found |= row->kind == SW_ROW_JOB;
    return 0;
}

static int read_job(struct copy *copy, struct place *place, uint64_t job, sw_row_fn *fn)
{
    copy->found = false;
    row_sum_begin(&copy->sum);
    int r = place->ops->job(place->store, job, fn, copy);
    if (r == 0 && copy->found)
        r = place->ops->chunks(place->store, job, 0, 0, fn, copy);
    if (r == 0 && copy->found)
        r = place->ops->adds(place->store, job, fn, copy);
    row_sum_end(&copy->sum);
    return r;
}

static int look(struct copy *copy, uint64_t job, uint8_t ret_sum[ROW_SUM_BYTES])
{
    copy->found = false;
    row_sum_begin(&copy->sum);
    int r = copy->from->ops->job(copy->from->store, job, on_look, copy);
    row_sum_end(&copy->sum);
    memcpy(ret_sum, copy->sum.bytes, ROW_SUM_BYTES);
    return r;
}

static int take_job(struct copy *copy, uint64_t job)
{
    struct copied before = copy->count;
    for (int i = 0; i < TRIES_MAX; i++) {
        uint8_t first[ROW_SUM_BYTES], last[ROW_SUM_BYTES], whole[ROW_SUM_BYTES];
        int r = look(copy, job, first);
        if (r < 0 || !copy->found)
            return r; /* forgotten meanwhile */
        r = read_job(copy, copy->from, job, on_row);
        memcpy(whole, copy->sum.bytes, sizeof whole);
        if (r == 0)
            r = look(copy, job, last);
        if (r < 0)
            return r;
        if (copy->found && !memcmp(first, last, sizeof first)) {
            sw_grow(&copy->taken, &copy->room, copy->n + 1, sizeof *copy->taken);
            copy->taken[copy->n].job = job;
            memcpy(copy->taken[copy->n++].sum, whole, sizeof whole);
            return 0;
        }
        copy->count = before;
        r = forget(copy, job);
        if (r < 0)
            return r;
    }
    return sw_fail(copy->err, EAGAIN, "job %ju changes again and again", (uintmax_t)job);
}

/* ---- the whole ---- */

static int on_job(void *arg, uint64_t job)
{
    return take_job(arg, job);
}

static int take_jobs(struct copy *copy, uint64_t last)
{
    int r = last ? put_forget(copy, last) : 0; /* keeps the number that was given last */
    return r == 0 ? place_jobs(copy->from, last + 1, on_job, copy) : r;
}

static int take_secret(struct copy *copy, const char *name)
{
    AUTO_BUF struct sw_buf value = {0}, again = {0};
    int r = copy->from->ops->meta_get(copy->from->store, name, &value);
    if (r < 0 || value.size == 0)
        return r;
    r = copy->to->ops->meta_put(copy->to->store, name, value.data, value.size);
    if (r == 0)
        r = copy->to->ops->meta_get(copy->to->store, name, &again);
    if (r == 0 && (again.size != value.size || memcmp(again.data, value.data, value.size) != 0))
        return sw_fail(copy->err, EBADMSG, "%s differs in the copy", name);
    return r;
}

static int compare(struct copy *copy, uint64_t last, const uint8_t devices[ROW_SUM_BYTES])
{
    uint64_t last_there = 0;
    int r = copy->to->ops->last_job(copy->to->store, &last_there);
    if (r == 0 && last_there != last)
        return sw_fail(copy->err, EBADMSG, "the number of the last job differs in the copy");
    for (size_t i = 0; r == 0 && i < copy->n; i++) {
        r = read_job(copy, copy->to, copy->taken[i].job, on_look);
        if (r == 0 && memcmp(copy->sum.bytes, copy->taken[i].sum, ROW_SUM_BYTES) != 0)
            return sw_fail(copy->err, EBADMSG, "job %ju differs in the copy",
                           (uintmax_t)copy->taken[i].job);
    }
    row_sum_begin(&copy->sum);
    if (r == 0)
        r = copy->to->ops->devices(copy->to->store, on_look, copy);
    row_sum_end(&copy->sum);
    if (r == 0 && memcmp(copy->sum.bytes, devices, ROW_SUM_BYTES) != 0)
        return sw_fail(copy->err, EBADMSG, "devices differ in the copy");
    return r;
}

static int on_any(void *arg, const struct sw_row *row)
{
    (void)row;
    *(bool *)arg = true;
    return 0;
}

static int on_half(void *arg, uint64_t job)
{
    return forget(arg, job);
}

/* A copy that was not finished is made again in its place. */
static int make_room(struct copy *copy)
{
    struct place *place = copy->to;
    struct sw_err *err = copy->err;
    if (place_whole(place->ops, place->store, NULL) == -EBADMSG)
        return place_jobs(place, 0, on_half, copy);
    AUTO_BUF struct sw_buf secret = {0};
    uint64_t last = 0;
    bool any = false;
    int r = place->ops->last_job(place->store, &last);
    if (r == 0)
        r = place->ops->devices(place->store, on_any, &any);
    if (r == 0)
        r = place->ops->meta_get(place->store, "token_key", &secret);
    if (r == 0 && (any || last || secret.size))
        return sw_fail(err, EEXIST,
                       "the store to copy into is not empty: name a new database or file");
    return r;
}

static int copy_all(struct copy *copy)
{
    uint8_t devices[ROW_SUM_BYTES];
    uint64_t last = 0;
    int r = make_room(copy);
    if (r == 0)
        r = place_mark(copy->to, true);
    if (r == 0)
        r = copy->from->ops->last_job(copy->from->store, &last);
    if (r == 0)
        r = take_jobs(copy, last);
    row_sum_begin(&copy->sum);
    if (r == 0)
        r = copy->from->ops->devices(copy->from->store, on_row, copy);
    row_sum_end(&copy->sum);
    memcpy(devices, copy->sum.bytes, sizeof devices);
    if (r == 0)
        r = take_secret(copy, "token_key");
    if (r == 0)
        r = flush(copy);
    if (r == 0)
        r = compare(copy, last, devices);
    return r;
}

int copy_rows(struct place *from, struct place *to, struct copied *ret, struct sw_err *err)
{
    struct copy copy = {.from = from, .to = to, .err = err};
    copy.batch = batch_new(ROWS_MAX, BYTES_MAX, BLOCK);
    int r = copy_all(&copy);
    batch_destroy(&copy.batch);
    sw_release(copy.taken);
    if (r < 0 && !err->text[0])
        sw_fail(err, -r, "store: %s", strerror(-r));
    else if (r == 0)
        *ret = copy.count;
    return r;
}

static int
copy_claimed(struct place *from, struct place *to, struct copied *ret, struct sw_err *err)
{
    int r = place_read(from, err); /* never makes it */
    if (r < 0)
        return r;
    place_close(from);
    r = place_claim(from, err);
    if (r == 0)
        r = place_whole(from->ops, from->store, err);
    to->epoch = from->epoch;
    if (r == 0)
        r = place_claim(to, err);
    if (r == 0)
        r = copy_rows(from, to, ret, err);
    if (r == 0)
        r = jobs_belong_to_copy(from->ops, from->store, to->ops, to->store);
    return r < 0 ? r : place_mark(to, false);
}

int copy_store(
    const char *state, const char *from, const char *to, struct copied *ret, struct sw_err *err)
{
    struct place source = {0}, copy = {0};
    int r = place_of(state, from, &source, err);
    if (r == 0)
        r = place_of(state, to, &copy, err);
    if (r == 0)
        r = copy_claimed(&source, &copy, ret, err);
    place_done(&copy);
    place_done(&source);
    return r;
}
