/* An ended job comes back for RETRY: its rows are read page by page through `history`, then the
 * core decides. While that lasts it is in memory, but not whole: nobody sees it, other RETRYs get
 * this one's answer, and what else is asked of it waits. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

/* It stays ended. Whoever waits is told by the store. */
static void
give_up(struct broker *broker, struct request *request, const char *code, const char *text)
{
    uint64_t job = request->job;
    client_error(broker, request, code, "%s", text);
    core_unload(broker->core, job, sw_boot_ms());
    broker_act(broker);
}

static void
ask(struct broker *broker, struct request *request, enum history_kind kind, uint32_t from)
{
    struct history_request history = {
        .kind = kind, .job = request->job, .from = from, .ref = request->id};
    if (history_ask(broker->history, &history) < 0)
        give_up(broker, request, "busy", "too many look-ups are waiting: try again later");
}

void reload_begin(struct broker *broker, struct request *request, const struct sw_job_row *row)
{
    if (load_job_row(broker, row) < 0) {
        client_error(broker, request, "unavailable", "the store holds a row that cannot be read");
        return;
    }
    card_find(broker, request->job)->loading = request->id;
    ask(broker, request, HISTORY_ADDS, 0);
}

/* What waited finds the job live again; if the RETRY was refused, ended. */
static void whole(struct broker *broker, struct card *card, struct request *request)
{
    struct core_event event = {.type = EV_RETRY, .ref = request->id, .job = request->job};
    struct request *waiting = TAKE(card->waiting);
    card->loading = 0;
    card->reopening = true;
    broker_feed(broker, &event);
    for (struct request *next; waiting; waiting = next) {
        next = waiting->next;
        waiting->next = NULL;
        client_run(broker, waiting);
    }
}

void reload_more(struct broker *broker, struct request *request, const struct history_reply *reply)
{
    struct card *card = card_find(broker, request->job);
    struct sw_err err = {0};
    uint32_t next = 0;
    int r = reply->status;
    if (!card || card->loading != request->id) { /* a FORGET was under way when it began */
        client_error(broker, request, "not_found", "no such job");
        return;
    }
    for (size_t i = 0; r == 0 && i < reply->n; i++) {
        const struct sw_row *row = &reply->rows[i];
        r = reply->kind == HISTORY_ADDS ? load_add_row(broker, &row->of.add, &err)
                                        : load_chunk_row(broker, &row->of.chunk);
        next = reply->kind == HISTORY_ADDS ? row->of.add.add + 1 : row->of.chunk.chunk + 1;
    }
    if (r < 0) {
        sw_log(SW_LOG_WARNING, "reload job=%ju error=%s", (uintmax_t)request->job,
               err.text[0] ? err.text : strerror(-r));
        give_up(broker, request, "unavailable", "the job's rows cannot be read");
    } else if (reply->more) {
        ask(broker, request, reply->kind, next);
    } else if (reply->kind == HISTORY_ADDS) {
        ask(broker, request, HISTORY_CHUNKS, 0);
    } else {
        whole(broker, card, request);
    }
}
