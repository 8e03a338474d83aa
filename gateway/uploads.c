/* Owns the list of uploads being written and the sweep's timer. Called by the inlet and by the tus
 * routes, on the loop; touches no upload itself. */
#include "uploads.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "inlet.h"
#include "reply.h"
#include "work.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define SWEEP_MS     (UINT64_C(10) * 60 * 1000)
#define TRY_AGAIN_MS 50
#define WAIT_MS      5000

struct uploads {
    struct gateway *gateway;
    struct inlet *open;
    uv_timer_t timer;
    bool sweeping;
    bool began; /* the first sweep was made */
    uint32_t swept;
};

struct wait {
    uv_timer_t timer;
    struct request *request;
    char id[SW_UPLOAD_ID_SIZE + 1];
    int64_t since_ms;
    void (*then)(struct request *);
};

/* What the requests of a process before this one left: nobody can ask for it any more. */
static void sweep_orphans(int uploads_fd, uint32_t *count)
{
    int fd = openat(uploads_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        char id[SW_UPLOAD_ID_SIZE + 1];
        struct sw_upload_info info = {0};
        if (strlen(entry->d_name) != SW_UPLOAD_ID_SIZE + 5)
            continue;
        memcpy(id, entry->d_name, SW_UPLOAD_ID_SIZE);
        id[SW_UPLOAD_ID_SIZE] = '\0';
        if (strcmp(entry->d_name + SW_UPLOAD_ID_SIZE, ".info") != 0 ||
            sw_upload_stat(uploads_fd, id, &info) < 0)
            continue;
        if (info.owner[0] == UPLOADS_OF_REQUEST)
            *count += sw_upload_remove(uploads_fd, id) == 0;
        sw_upload_info_done(&info);
    }
    if (folder)
        closedir(folder);
}

static void sweep_in_pool(void *arg)
{
    struct uploads *uploads = arg;
    uploads->swept = 0;
    if (!uploads->began)
        sweep_orphans(uploads->gateway->uploads_fd, &uploads->swept);
    uploads->began = true;
    sw_uploads_sweep(uploads->gateway->uploads_fd, sw_wall_ms(), UPLOAD_KEPT_MS, &uploads->swept);
}

static void swept(void *arg)
{
    struct uploads *uploads = arg;
    uploads->sweeping = false;
    uploads->gateway->requests--;
    if (uploads->swept)
        sw_log(SW_LOG_INFO, "uploads expired n=%u", uploads->swept);
}

static void on_sweep(uv_timer_t *timer)
{
    struct uploads *uploads = timer->data;
    if (uploads->sweeping || uploads->gateway->stopping)
        return;
    uploads->sweeping = true;
    uploads->gateway->requests++; /* the gateway does not end in the midst of it */
    work_start(uploads->gateway, uploads, sweep_in_pool, swept);
}

void uploads_open(struct gateway *g)
{
    struct uploads *uploads = sw_alloc(1, sizeof *uploads);
    uploads->gateway = g;
    uv_timer_init(g->loop, &uploads->timer);
    uploads->timer.data = uploads;
    uv_timer_start(&uploads->timer, on_sweep, SWEEP_MS, SWEEP_MS);
    g->uploads = uploads;
    sweep_in_pool(uploads); /* before the first request: what is there belongs to none */
}

void uploads_destroy(struct uploads **p)
{
    struct uploads *uploads = *p;
    if (!uploads)
        return;
    uv_close((uv_handle_t *)&uploads->timer, NULL);
    uv_run(uploads->gateway->loop, UV_RUN_NOWAIT);
    sw_release(uploads);
    *p = NULL;
}

void uploads_note(struct gateway *g, struct inlet *inlet)
{
    inlet->next = g->uploads->open;
    g->uploads->open = inlet;
}

void uploads_forget(struct gateway *g, struct inlet *inlet)
{
    for (struct inlet **p = &g->uploads->open; *p; p = &(*p)->next) {
        if (*p == inlet) {
            *p = inlet->next;
            return;
        }
    }
}

static struct inlet *writer_of(struct gateway *g, const char *id)
{
    struct inlet *inlet = g->uploads->open;
    while (inlet && strcmp(inlet->id, id) != 0)
        inlet = inlet->next;
    return inlet;
}

static void free_wait(uv_handle_t *handle)
{
    sw_release(handle->data);
}

static void on_try(uv_timer_t *timer)
{
    struct wait *wait = timer->data;
    struct request *r = wait->request;
    bool late = sw_boot_ms() - wait->since_ms > WAIT_MS;
    if (r->connection && !late && writer_of(r->gateway, wait->id))
        return;
    if (r->connection && writer_of(r->gateway, wait->id))
        reply_error(r, REPLY_LOCKED, "another request is writing this upload");
    else if (r->connection)
        wait->then(r);
    uv_close((uv_handle_t *)timer, free_wait);
    request_release(r);
}

void uploads_when_free(struct request *r, const char *id, void (*then)(struct request *))
{
    struct inlet *writer = writer_of(r->gateway, id);
    if (!writer) {
        then(r);
        return;
    }
    if (writer->request && writer->request->visitor)
        visitor_cut(writer->request->visitor);
    struct wait *wait = sw_alloc(1, sizeof *wait);
    *wait = (struct wait){.request = r, .since_ms = sw_boot_ms(), .then = then};
    memcpy(wait->id, id, sizeof wait->id);
    request_hold(r);
    request_suspend(r);
    uv_timer_init(r->gateway->loop, &wait->timer);
    wait->timer.data = wait;
    uv_timer_start(&wait->timer, on_try, TRY_AGAIN_MS, TRY_AGAIN_MS);
}
