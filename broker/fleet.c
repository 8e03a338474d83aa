/* Queries about devices, waiting and health: all from memory. */
#include "broker/broker.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_DEVICES 500 /* 300 bytes each: within the wire's 256 KiB */

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct device *const *)a)->id, (*(struct device *const *)b)->id);
}

/* Device ids in order, so that pages are stable. Owned. */
static struct device **sorted(const struct broker *broker)
{
    struct device **list = sw_alloc(broker->devices.n, sizeof(struct device *));
    if (broker->devices.n)
        memcpy(list, broker->devices.by_index, broker->devices.n * sizeof(struct device *));
    qsort(list, broker->devices.n, sizeof(struct device *), by_id);
    return list;
}

void client_get_agents(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_get_agents *get = message;
    struct request *request = request_new(broker, SW_MSG_GET_AGENTS, get->ref);
    AUTO(sw_text) char *after = sw_copy_text(get->after.p, get->after.n);
    struct device **list = sorted(broker);
    struct sw_msg_agent rows[PAGE_DEVICES];
    struct sw_msg_agents agents = {.ref = get->ref, .rows = rows};
    size_t n = 0;
    for (size_t i = 0; i < broker->devices.n; i++) {
        bool one = get->device_id.n && !sw_str_is(get->device_id, list[i]->id);
        if (one || strcmp(list[i]->id, after) <= 0)
            continue;
        if (n == PAGE_DEVICES) {
            agents.next = rows[n - 1].device_id;
            break;
        }
        render_device(broker, list[i], &rows[n++]);
    }
    agents.n_rows = n;
    if (get->device_id.n && n == 0)
        client_error(broker, request, "not_found", "no such device");
    else {
        client_send(broker, request, SW_MSG_AGENTS, &agents);
        request_done(broker, request);
    }
    sw_release(list);
}

static const struct {
    const char *reason, *fix;
} why[] = {
    [WHY_OFFLINE] = {"is not connected", "start shadow-agent there, or wake the device"},
    [WHY_DRAINING] = {"is drained: takes no more work", "shadowctl resume DEVICE"},
    [WHY_QUARANTINED] = {"is in quarantine", "shadowctl resume DEVICE"},
    [WHY_NO_KERNEL] = {"does not have this job's type in this revision",
                       "update shadow-agent there"},
    [WHY_SETTLING] = {"the broker has just started and waits for its devices", ""},
    [WHY_NO_CREDIT] = {"takes no work now", ""},
    [WHY_SHARE] = {"has its share of what remains", ""},
    [WHY_PRIORITY] = {"is busy with other jobs that come first", "shadowctl set JOB --priority N"},
    [WHY_FAILED_IT] = {"failed the chunks that are left; they wait for another device", ""},
    [WHY_NOTHING_READY] = {"has nothing to do: all chunks of this job are given out", ""},
    [WHY_RUNNING] = {"is working on it", ""},
    [WHY_UNCHECKED] = {"waits until results of this job are checked by another device",
                       "add a device with shadow-agent, or another person's browser"},
};

static size_t why_devices(struct broker *broker, uint64_t job, struct sw_msg_reason *rows)
{
    struct device **list = sorted(broker);
    size_t n = 0;
    for (size_t i = 0; i < broker->devices.n && n < PAGE_DEVICES; i++) {
        enum core_why code = core_why(broker->core, job, list[i]->index);
        bool says_why = code == WHY_NO_CREDIT && list[i]->reason[0];
        rows[n++] = (struct sw_msg_reason){
            .device_id = sw_str_of(list[i]->id),
            .reason = sw_str_of(says_why ? list[i]->reason : why[code].reason),
            .fix = sw_str_of(why[code].fix)};
    }
    sw_release(list);
    return n;
}

void client_get_why(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_get_why *get = message;
    struct request *request = request_new(broker, SW_MSG_GET_WHY, get->ref);
    struct sw_msg_reason rows[PAGE_DEVICES + 1];
    struct core_job_view view;
    size_t n = 0;
    if (!card_live(broker, get->job) || !core_job(broker->core, get->job, &view)) {
        rows[n++] = (struct sw_msg_reason){
            .reason = sw_str_of("the job does not wait: it has ended, or is not known")};
    } else {
        if (broker->devices.n == 0)
            rows[n++] = (struct sw_msg_reason){.reason = sw_str_of("no device has ever joined"),
                                               .fix = sw_str_of("start shadow-agent on a device")};
        else if (!view.sealed && view.ready + view.leased == 0)
            rows[n++] = (struct sw_msg_reason){
                .reason = sw_str_of("the job is open and waits for inputs"),
                .fix = sw_str_of("POST /api/jobs/JOB/seal when all are there")};
        n += why_devices(broker, get->job, rows + n);
    }
    struct sw_msg_why answer = {.ref = get->ref, .rows = rows, .n_rows = n};
    client_send(broker, request, SW_MSG_WHY, &answer);
    request_done(broker, request);
}

void client_get_stats(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_get_stats *get = message;
    struct request *request = request_new(broker, SW_MSG_GET_STATS, get->ref);
    struct core_memory memory;
    core_memory(broker->core, &memory);
    const char *disk_error = disk_words(broker), *store_error = stall_words(broker);
    double online = 0;
    for (size_t i = 0; i < broker->devices.n; i++)
        online += broker->devices.by_index[i]->session != 0;
    const struct sw_msg_stat rows[] = {
        {sw_str_of("shadow_jobs_live"), (double)memory.jobs},
        {sw_str_of("shadow_chunks_live"), (double)memory.chunks},
        {sw_str_of("shadow_leases"), (double)memory.leases},
        {sw_str_of("shadow_devices_known"), (double)broker->devices.n},
        {sw_str_of("shadow_devices_online"), online},
        {sw_str_of("shadow_slots_online"), core_slots_online(broker->core)},
        {sw_str_of("shadow_rows_written"), (double)core_seq(broker->core)},
        {sw_str_of("shadow_rows_durable"), (double)broker->committed_seq},
        {sw_str_of("shadow_inline_bytes"), (double)broker->inline_bytes},
        {sw_str_of("shadow_requests_waiting"), (double)HASH_COUNT(broker->requests)},
        {sw_str_of("shadow_core_bytes"), (double)memory.bytes},
        {sw_str_of("shadow_disk_free_bytes"), (double)disk_free(broker)},
        {sw_str_of("shadow_jobs_bytes"), (double)broker->holdings.bytes},
        {sw_str_of("shadow_jobs_retired_total"), (double)broker->retention.jobs},
        {sw_str_of("shadow_disk_low_bytes"), (double)broker->config.disk_low},
    };
    struct sw_msg_stats stats = {.ref = get->ref,
                                 .version = sw_str_of(SHADOW_VERSION),
                                 .store = sw_str_of(broker->ops->scheme),
                                 .store_error = sw_str_of(store_error ? store_error : ""),
                                 .disk_error = sw_str_of(disk_error ? disk_error : ""),
                                 .rows = rows,
                                 .n_rows = SW_COUNT(rows)};
    client_send(broker, request, SW_MSG_STATS, &stats);
    request_done(broker, request);
}
