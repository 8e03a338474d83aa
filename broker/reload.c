/* An ended job comes back for RETRY: its rows are read page by page through `history`, then the
 * core decides. While that lasts the job is in memory as the ended one it is. */
#include "broker/broker.h"

#include "base/log.h"

#include <string.h>

static void
ask(struct broker *broker, struct request *request, enum history_kind kind, uint32_t from)
{
    struct history_request history = {
        .kind = kind, .job = request->job, .from = from, .ref = request->id};
    if (history_ask(broker->history, &history) == 0)
        return;
    client_error(broker, request, "busy", "too many look-ups are waiting: try again later");
}

void reload_begin(struct broker *broker, struct request *request, const struct sw_job_row *row)
{
    if (!card_find(broker, request->job) && load_job_row(broker, row) < 0) {
        client_error(broker, request, "unavailable", "the store holds a row that cannot be read");
        return;
    }
    ask(broker, request, HISTORY_ADDS, 0);
}

void reload_more(struct broker *broker, struct request *request, const struct history_reply *reply)
{
    struct sw_err err = {0};
    uint32_t next = 0;
    for (size_t i = 0; i < reply->n; i++) {
        const struct sw_row *row = &reply->rows[i];
        int r = reply->kind == HISTORY_ADDS ? load_add_row(broker, &row->of.add, &err)
                                            : load_chunk_row(broker, &row->of.chunk);
        if (r < 0)
            sw_log(SW_LOG_WARNING, "reload job=%ju error=%s", (uintmax_t)request->job, err.text);
        next = reply->kind == HISTORY_ADDS ? row->of.add.add + 1 : row->of.chunk.chunk + 1;
    }
    if (reply->more) {
        ask(broker, request, reply->kind, next);
    } else if (reply->kind == HISTORY_ADDS) {
        ask(broker, request, HISTORY_CHUNKS, 0);
    } else {
        struct core_event event = {.type = EV_RETRY, .ref = request->id, .job = request->job};
        broker_feed(broker, &event);
    }
}
