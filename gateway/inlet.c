/* Owns an open upload and the bytes on their way into it. Called by the tus routes and by jobs that
 * come as a body; one job on the pool at a time, which alone touches the upload.
 *
 * Whole or not: an error stops the writing, what still comes is dropped, and the error is told at
 * the end. */
#include "inlet.h"

#include "base/own.h"
#include "reply.h"
#include "uploads.h"
#include "work.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

#define DISK_RESERVE_BYTES ((uint64_t)64 << 20) /* left for the store and the outputs */

static void step_in_pool(void *arg);
static void step_done(void *arg);

struct inlet *inlet_new(struct request *r, const struct inlet_plan *plan)
{
    struct inlet *inlet = sw_alloc(1, sizeof *inlet);
    inlet->gateway = r->gateway;
    inlet->request = r;
    inlet->plan = *plan;
    return inlet;
}

static void destroy(struct inlet *inlet)
{
    uploads_forget(inlet->gateway, inlet);
    sw_upload_close(&inlet->upload);
    sw_upload_info_done(&inlet->info);
    sw_buf_done(&inlet->filling);
    sw_buf_done(&inlet->writing);
    sw_release(inlet);
}

static void step(struct inlet *inlet)
{
    struct sw_buf swap = inlet->writing;
    inlet->writing = inlet->filling;
    inlet->filling = swap;
    inlet->working = true;
    inlet->alone = !inlet->request;
    if (inlet->request)
        request_hold(inlet->request);
    work_start(inlet->gateway, inlet, step_in_pool, step_done);
}

/* ---- on the pool ---- */

uint64_t inlet_room(int uploads_fd)
{
    struct statvfs disk;
    if (fstatvfs(uploads_fd, &disk) < 0)
        return UINT64_MAX;
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    return left > DISK_RESERVE_BYTES ? left - DISK_RESERVE_BYTES : 0;
}

static int has_room(int uploads_fd, uint64_t length, struct sw_err *err)
{
    if (length == UINT64_MAX || length <= inlet_room(uploads_fd))
        return 0;
    return sw_fail(err, ENOSPC,
                   "%" PRIu64 " bytes do not fit on the gateway's disk, which has room for %" PRIu64
                   " (%u MiB stay free): delete jobs that nobody needs, or send less",
                   length, inlet_room(uploads_fd), (unsigned)(DISK_RESERVE_BYTES >> 20));
}

int inlet_create(struct inlet *inlet, struct sw_upload **ret, struct sw_err *err)
{
    int r = has_room(inlet->gateway->uploads_fd, inlet->info.length, err);
    return r < 0 ? r : sw_upload_create(inlet->gateway->uploads_fd, &inlet->info, ret);
}

static int write_piece(struct inlet *inlet)
{
    int r = sw_upload_append(inlet->upload, inlet->writing.data, inlet->writing.size);
    if (r < 0)
        return sw_fail(&inlet->err, -r, "%s",
                       r == -EFBIG ? "more bytes than the upload's length" : strerror(-r));
    inlet->unsynced += inlet->writing.size;
    if (inlet->unsynced < INLET_SYNC_BYTES)
        return 0;
    inlet->unsynced = 0;
    r = sw_upload_sync(inlet->upload);
    return r < 0 ? sw_fail(&inlet->err, -r, "%s", strerror(-r)) : 0;
}

static bool is_whole(const struct inlet *inlet)
{
    uint64_t length = sw_upload_info(inlet->upload)->length;
    return length == UINT64_MAX || length == sw_upload_received(inlet->upload);
}

static int settle(struct inlet *inlet)
{
    if (inlet->plan.settle && is_whole(inlet) && !inlet->alone)
        return sw_upload_finish(inlet->upload, UPLOAD_EXPAND_MAX, &inlet->err);
    int r = sw_upload_sync(inlet->upload);
    return r < 0 ? sw_fail(&inlet->err, -r, "%s", strerror(-r)) : 0;
}

static void copy_info(struct inlet *inlet)
{
    const struct sw_upload_info *from = sw_upload_info(inlet->upload);
    struct sw_buf name = inlet->info.name;
    inlet->info = *from;
    inlet->info.name = name;
    if (!name.size)
        sw_buf_put(&inlet->info.name, from->name.data, from->name.size);
}

/* `last` was decided on the loop: nothing follows what is in `writing`. */
static void step_in_pool(void *arg)
{
    struct inlet *inlet = arg;
    int r = inlet->result;
    if (r == 0 && !inlet->opened)
        r = inlet->plan.open(inlet, &inlet->upload, &inlet->err);
    inlet->opened = true;
    if (r == 0 && inlet->writing.size)
        r = write_piece(inlet);
    sw_buf_clear(&inlet->writing);
    if (inlet->finished && inlet->upload) {
        int settled = r == 0 || inlet->plan.keep ? settle(inlet) : 0;
        r = r < 0 ? r : settled;
    }
    if (inlet->upload)
        copy_info(inlet);
    if (inlet->finished) {
        sw_upload_close(&inlet->upload);
        if ((r < 0 || inlet->alone) && !inlet->plan.keep && inlet->info.id[0])
            sw_upload_remove(inlet->gateway->uploads_fd, inlet->info.id);
        inlet->closed = true;
    }
    inlet->result = r;
}

/* ---- on the loop ---- */

static void step_done(void *arg)
{
    struct inlet *inlet = arg;
    struct request *r = inlet->request;
    void (*then)(struct request *, struct inlet *) = NULL;
    inlet->working = false;
    inlet->failed = inlet->result < 0;
    if (inlet->failed)
        sw_buf_clear(&inlet->filling);
    if (inlet->closed)
        uploads_forget(inlet->gateway, inlet);
    if (!inlet->closed && (inlet->filling.size || inlet->ended)) {
        inlet->finished = inlet->ended;
        step(inlet);
    } else {
        then = TAKE(inlet->then);
    }
    if (!r) {
        if (inlet->closed) {
            inlet->gateway->requests--;
            destroy(inlet);
        }
        return;
    }
    if (then)
        then(r, inlet);
    else if (inlet->failed && !inlet->ended)
        reply_errno(r, inlet->result, &inlet->err, "upload");
    if (!inlet->ended)
        request_resume(r);
    request_release(r);
}

void inlet_open(struct inlet *inlet, void (*then)(struct request *, struct inlet *))
{
    inlet->then = then;
    request_suspend(inlet->request);
    step(inlet);
}

void inlet_put(struct inlet *inlet, const char *p, size_t n)
{
    if (inlet->failed)
        return;
    metric_add(inlet->gateway, METRIC_BYTES_UPLOADED, n);
    sw_buf_put(&inlet->filling, p, n);
    if (!inlet->working && inlet->filling.size >= INLET_BUFFER_BYTES / 2)
        step(inlet);
    else if (inlet->filling.size >= INLET_BUFFER_BYTES)
        request_suspend(inlet->request);
}

void inlet_end(struct inlet *inlet, void (*then)(struct request *, struct inlet *))
{
    inlet->ended = true;
    inlet->then = then;
    if (inlet->working)
        return;
    inlet->finished = true;
    step(inlet);
}

void inlet_abandon(struct inlet *inlet)
{
    if (inlet->closed || (!inlet->opened && !inlet->working)) {
        destroy(inlet);
        return;
    }
    inlet->gateway->requests++; /* the gateway does not end before it */
    inlet->request = NULL;
    inlet->then = NULL;
    inlet->ended = true;
    if (inlet->working)
        return;
    inlet->finished = true;
    step(inlet);
}
