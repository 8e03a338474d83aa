/* Jobs and devices as the records that the wire and REST show: words from the card or the row,
 * numbers from the core while a job lives. Never shows what is not durable. */
#include "broker/broker.h"

#include "base/clock.h"

#include <string.h>

const char *status_text(enum core_job_status status)
{
    static const char *const names[] = {"pending", "processing", "completed", "failed",
                                        "cancelled"};
    return names[status];
}

const char *chunk_state_text(enum core_chunk_state state)
{
    static const char *const names[CHUNK_STATES] = {
        "pending", "assigned", "processing", "completed", "failed", "cancelled", "processing"};
    return names[state];
}

int64_t render_wall(int64_t boot_ms)
{
    return boot_ms ? sw_wall_ms() - (sw_boot_ms() - boot_ms) : 0;
}

static void live_numbers(const struct core_job_view *view, struct sw_msg_job *ret)
{
    ret->status = sw_str_of(status_text(view->status));
    ret->total_chunks = view->chunks;
    ret->completed_chunks = view->done;
    ret->failed_chunks = view->failed;
    ret->total_files = view->files;
    ret->failed_files = view->failed_files;
    ret->priority = view->shown_priority;
    ret->bytes_in = view->bytes_in;
    ret->bytes_out = view->bytes_out;
    ret->open = !view->sealed;
    ret->adds = view->adds;
    double whole = (double)(view->bytes_in ? view->bytes_in : view->chunks);
    ret->progress =
        whole > 0 ? (double)(view->bytes_in ? view->bytes_done : view->done) / whole : 0;
    if (view->status < JOB_COMPLETED)
        ret->completed_at = 0;
}

void render_job(struct broker *broker,
                const struct sw_msg_job_row *row,
                uint64_t job,
                uint32_t row_status,
                struct sw_msg_job *ret,
                struct sw_buf *texts)
{
    struct core_job_view view;
    *ret = (struct sw_msg_job){
        .job = job,
        .type = row->type,
        .status = sw_str_of(
            status_text((enum core_job_status)SW_MIN(row_status, (uint32_t)JOB_CANCELLED))),
        .total_chunks = row->chunks,
        .completed_chunks = row->done,
        .failed_chunks = row->failed,
        .total_files = row->files,
        .failed_files = row->failed_files,
        .input_data = row->input_data,
        .created_at = row->created_at,
        .started_at = row->started_at,
        .completed_at = row->completed_at,
        .name = row->name,
        .priority = row->priority,
        .params = row->params,
        .n_params = row->n_params,
        .progress = row->bytes_in ? (double)row->bytes_done / (double)row->bytes_in
                    : row->chunks ? (double)row->done / (double)row->chunks
                                  : 1,
        .bytes_in = row->bytes_in,
        .bytes_out = row->bytes_out,
        .rev = row->rev,
        .owner = row->owner,
        .open = !row->sealed,
        .adds = row->adds,
    };
    struct card *card = card_live(broker, job);
    if (card && core_job(broker->core, job, &view)) {
        if (!card->row->started_at) /* said once, it stays: the two clocks drift */
            card->row->started_at = render_wall(view.first_lease_ms);
        ret->started_at = card->row->started_at;
        live_numbers(&view, ret);
    }
    if (sw_str_is(ret->status, "failed") && row->error.n) {
        ret->error = row->error;
    } else if (sw_str_is(ret->status, "failed")) { /* texts must not move while rows point into it:
                                               one reserve by the caller */
        char *at = (char *)texts->data + texts->size;
        int n = snprintf(at, 96, "%ju of %ju files failed", (uintmax_t)ret->failed_files,
                         (uintmax_t)ret->total_files);
        ret->error = (struct sw_str){at, (size_t)n};
        texts->size += (size_t)n;
    }
    char *at = (char *)texts->data + texts->size;
    int n = snprintf(at, 64, "%ju-%ju-%jx", (uintmax_t)job, (uintmax_t)row->retries,
                     (uintmax_t)row->nonce);
    ret->etag = (struct sw_str){at, (size_t)n};
    texts->size += (size_t)n;
}

static const char *device_status(const struct device *device, const struct core_agent_view *view)
{
    if (!view->online)
        return !strcmp(device->status, "asleep") ? "asleep" : "offline";
    if (view->draining)
        return "draining";
    if (device->status[0])
        return device->status;
    return view->held ? "busy" : "online";
}

void render_device(struct broker *broker, const struct device *device, struct sw_msg_agent *ret)
{
    struct core_agent_view view = {0};
    core_agent(broker->core, device->index, &view);
    const struct sw_msg_device_row *row = device->row;
    const char *status = device_status(device, &view);
    const char *reason = device->reason;
    if (view.online && view.draining)
        reason = "takes no more work until it is resumed";
    else if (!strcmp(status, "offline"))
        reason = "not connected";
    *ret = (struct sw_msg_agent){
        .device_id = sw_str_of(device->id),
        .name = row->name,
        .kind = row->kind,
        .status = sw_str_of(status),
        .reason = sw_str_of(reason),
        .system_info = row->system_info,
        .slots = row->slots,
        .current_load = view.online ? (double)device->load / 1000 : 0,
        .tasks_completed = row->tasks_completed,
        .last_heartbeat = row->last_heartbeat,
        .connected_at = row->connected_at,
        .version = row->version,
        .kernels = row->kernels,
        .n_kernels = row->n_kernels,
    };
}
