/* Ended jobs go by themselves, those that ended first first: when they are older than
 * retention-days, or while all jobs together hold more than retention-bytes. A few at a time and as
 * a client's DELETE does it, so a crash may come at any moment. Called by the loop. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 1000
#define SOME    64 /* jobs in one look: a small part of a batch */
#define DAY_MS  (INT64_C(24) * 3600 * 1000)

static bool is_over(const struct broker *broker)
{
    return broker->config.retention_bytes &&
           broker->holdings.bytes > (uint64_t)broker->config.retention_bytes;
}

static bool is_old(const struct broker *broker, const struct sw_job_row *row)
{
    return broker->config.retention_days &&
           row->final_ms < sw_wall_ms() - broker->config.retention_days * DAY_MS;
}

void retention_tick(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    int64_t now = sw_boot_ms();
    if (retention->asked || now < retention->next_look_ms || journal_full(broker->journal) ||
        (!broker->config.retention_days && !is_over(broker)))
        return;
    struct history_request oldest = {
        .kind = HISTORY_JOBS, .ref = RETENTION_REF, .jobs = {.ended = true, .limit = SOME}};
    retention->asked = history_ask(broker->history, &oldest) == 0;
    retention->next_look_ms = now + LOOK_MS;
}

void retention_answered(struct broker *broker, const struct history_reply *reply)
{
    broker->retention.asked = false;
    for (size_t i = 0; i < reply->n; i++) {
        const struct sw_job_row *row = &reply->rows[i].of.job;
        bool old = is_old(broker, row);
        if (!old && !is_over(broker))
            return;
        /* a RETRY brings it back, or it is on its way out */
        if (card_find(broker, row->job) || !holdings_forget(broker, row))
            continue;
        sw_log(SW_LOG_INFO, "job goes job=%ju bytes=%ju reason=retention-%s", (uintmax_t)row->job,
               (uintmax_t)row->bytes, old ? "days" : "bytes");
        broker->retention.jobs++;
        struct core_event event = {.type = EV_FORGET, .job = row->job};
        broker_feed(broker, &event);
    }
}
