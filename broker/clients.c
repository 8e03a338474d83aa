/* What clients ask to change. A job that lives goes straight to the core; of one that ended, or of
 * an idempotency key that is not known here, the store is asked first. */
#include "broker/broker.h"

#include "base/clock.h"

#include <string.h>

/* A look-up begins within it: with the store's answer it is then there before a gateway gives up
 * (12 s). One that is older is dropped: reading for those who went away would make all others late
 * as well, for as long as clients ask again. */
#define LOOK_UP_MS 8000

static const struct {
    const char *code, *text;
} words[] = {
    [CORE_OK] = {"", ""},
    [CORE_EXISTS] = {"", ""},
    [CORE_CONFLICT_KEY] = {"conflict", "this idempotency key was used with another request"},
    [CORE_NOT_FOUND] = {"not_found", "no such job"},
    [CORE_BUSY] = {"busy", "too many jobs or chunks are waiting: try again later"},
    [CORE_TOO_MANY] = {"too_large",
                       "a job has at most 1,000,000 chunks and 65,536 additions of inputs"},
    [CORE_SEALED] = {"conflict", "the job takes no more inputs"},
    [CORE_FINAL] = {"conflict", "the job has already ended"},
    [CORE_WAS_CANCELLED] = {"cancelled", "the job was cancelled"},
    [CORE_NOTHING_FAILED] = {"conflict", "nothing of this job failed"},
    [CORE_NOT_FINISHED] = {"conflict", "nothing of this job has failed so far"},
};

void client_reply(struct broker *broker, const struct core_action *action)
{
    struct request *request = request_find(broker, action->ref);
    struct card *reopened = card_find(broker, action->job);
    if (reopened && action->code == CORE_OK) /* the first OK of a job that came back: its RETRY's */
        reopened->reopening = false;
    if (!request)
        return;
    request->job = action->job;
    const struct sw_msg_set *set = request->type == SW_MSG_SET ? request->message : NULL;
    struct card *card = set && set->has_name ? card_find(broker, action->job) : NULL;
    if (card && action->code == CORE_OK)
        card_rename(card, set->name);
    if (request->refused)
        client_error(broker, request, request->refused, "%s", request->words.text);
    else if (action->code == CORE_OK || action->code == CORE_EXISTS)
        client_ok(broker, request, action->job, action->add, action->code == CORE_EXISTS);
    else
        client_error(broker, request, words[action->code].code, "%s", words[action->code].text);
}

static bool is_query(enum sw_message_type type)
{
    return type == SW_MSG_GET_JOBS || type == SW_MSG_GET_CHUNKS || type == SW_MSG_GET_ADDS;
}

/* NULL: the client was told that there is no room. With a full journal that is so for whatever
 * would write: agents' results still go into it, so what clients add to them has to end here. */
struct request *client_remember(struct broker *broker,
                                enum sw_message_type type,
                                uint64_t ref,
                                uint64_t job,
                                const void *message)
{
    struct request *request = request_new(broker, type, ref);
    request->job = job;
    if (HASH_COUNT(broker->requests) > BROKER_REQUESTS_MAX) {
        client_error(broker, request, "busy", "too many requests are waiting: try again later");
        return NULL;
    }
    const char *stall = stall_refuses(broker);
    if (!is_query(type) && (stall || journal_full(broker->journal))) {
        const char *disk = journal_waits_for_room(broker->journal) ? disk_words(broker) : NULL;
        if (disk)
            client_error(broker, request, "disk_full", "%s", disk);
        else
            client_error(broker, request, "busy", "%s",
                         stall ? stall : "the store is behind: try again later");
        return NULL;
    }
    if (message)
        request->message = sw_record_clone(sw_record_of(type), message);
    return request;
}

void client_look_up(struct broker *broker,
                    struct request *request,
                    const struct history_request *ask)
{
    struct history_request copy = *ask;
    const char *stall = stall_refuses(broker);
    if (stall) {
        client_error(broker, request, "busy", "%s", stall);
        return;
    }
    copy.ref = request->id;
    copy.until_ms = request->begun_ms + LOOK_UP_MS;
    /* what was begun goes on: were all to wait alike, none would get its second answer in time */
    bool late = !request->looked_up && history_wait_ms(broker->history) > LOOK_UP_MS / 2;
    request->looked_up = true;
    if (late || history_ask(broker->history, &copy) < 0)
        client_error(broker, request, "busy", "too many look-ups are waiting: try again later");
}

static void feed(struct broker *broker, const struct request *request)
{
    static const struct {
        enum sw_message_type message;
        enum core_event_type event;
    } events[] = {{SW_MSG_SEAL, EV_SEAL},
                  {SW_MSG_CANCEL, EV_CANCEL},
                  {SW_MSG_RETRY, EV_RETRY},
                  {SW_MSG_SET, EV_SET},
                  {SW_MSG_FORGET, EV_FORGET}};
    struct core_event event = {.ref = request->id, .job = request->job};
    size_t i = 0;
    while (events[i].message != request->type)
        i++;
    event.type = events[i].event;
    if (event.type == EV_SET) {
        const struct sw_msg_set *set = request->message;
        event.of.set.has_priority = set->has_priority;
        event.of.set.priority = (int32_t)set->priority;
        event.payload =
            set->has_name ? &set->name : NULL; /* into the row; shown when it is there */
    }
    broker_feed(broker, &event);
}

void client_run(struct broker *broker, struct request *request)
{
    struct card *card = card_find(broker, request->job);
    if (!card)
        client_look_up(broker, request,
                       &(struct history_request){.kind = HISTORY_JOB, .job = request->job});
    else if (card->loading && request->type == SW_MSG_RETRY)
        request_append(&request_find(broker, card->loading)->joined, request);
    else if (card->loading)
        request_append(&card->waiting, request);
    else if (request->type == SW_MSG_ADD || (request->type == SW_MSG_SEAL && card->adding))
        inputs_queue(broker, card, request); /* after the ADDs before it */
    else
        feed(broker, request);
}

static void change(struct broker *broker,
                   enum sw_message_type type,
                   uint64_t ref,
                   uint64_t job,
                   const void *message)
{
    struct request *request = client_remember(broker, type, ref, job, message);
    if (request)
        client_run(broker, request);
}

void client_add(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_add_inputs *add = message;
    struct request *request = client_remember(broker, SW_MSG_ADD, add->ref, add->job, add);
    if (request && broker->frames->n > 1)
        sw_buf_put(&request->payload, sw_frame_data(broker->frames, 1),
                   sw_frame_size(broker->frames, 1));
    if (request && add->n_inputs &&
        broker->inline_bytes + request->payload.size > BROKER_ARENA_BYTES)
        client_error(broker, request, "spill", "no room for inline inputs: send an upload");
    else if (request)
        client_run(broker, request);
}

void client_seal(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_seal *seal = message;
    change(broker, SW_MSG_SEAL, seal->ref, seal->job, NULL);
}

void client_cancel(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_cancel *cancel = message;
    change(broker, SW_MSG_CANCEL, cancel->ref, cancel->job, NULL);
}

void client_retry(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_retry *retry = message;
    change(broker, SW_MSG_RETRY, retry->ref, retry->job, NULL);
}

void client_set(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_set *set = message;
    struct request *request = client_remember(broker, SW_MSG_SET, set->ref, set->job, set);
    if (request && set->has_priority &&
        (set->priority < CORE_PRIORITY_MIN || set->priority > CORE_PRIORITY_MAX))
        client_error(broker, request, "bad_request", "priority: -100 to 100");
    else if (request)
        client_run(broker, request);
}

void client_forget(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_forget *forget = message;
    change(broker, SW_MSG_FORGET, forget->ref, forget->job, NULL);
}

static void
drain(struct broker *broker, enum sw_message_type type, uint64_t ref, struct sw_str device_id)
{
    struct request *request = client_remember(broker, type, ref, 0, NULL);
    struct device *device = device_find(&broker->devices, device_id);
    if (!request)
        return;
    if (!device) {
        client_error(broker, request, "not_found", "no such device");
        return;
    }
    struct core_event event = {.type = type == SW_MSG_DRAIN ? EV_DRAIN : EV_RESUME,
                               .agent = device->index};
    broker_feed(broker, &event);
    device_save(broker, device);
    client_ok(broker, request, 0, 0, false);
}

void client_drain(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_drain *m = message;
    drain(broker, SW_MSG_DRAIN, m->ref, m->device_id);
}

void client_resume(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_resume *m = message;
    drain(broker, SW_MSG_RESUME, m->ref, m->device_id);
}

/* A job that is not live: what its row says decides. If a RETRY brought it back meanwhile, or
 * brings it back now, or it ended once more after the row was read, that row is old. */
static void ended_job(struct broker *broker, struct request *request, const struct sw_job_row *row)
{
    bool cancelled = row->status == JOB_CANCELLED;
    if (card_find(broker, request->job) ||
        (row->status < JOB_COMPLETED && request->rereads++ < REREADS_MAX))
        client_run(broker, request);
    else if (request->type == SW_MSG_FORGET) {
        holdings_forget(broker, row);
        feed(broker, request);
    } else if (request->type == SW_MSG_SEAL || (request->type == SW_MSG_CANCEL && cancelled))
        client_ok(broker, request, request->job, 0, false);
    else if (request->type == SW_MSG_ADD || request->type == SW_MSG_RETRY ||
             request->type == SW_MSG_SET) {
        enum core_code code = cancelled                     ? CORE_WAS_CANCELLED
                              : request->type == SW_MSG_ADD ? CORE_SEALED
                                                            : CORE_FINAL;
        if (request->type == SW_MSG_RETRY && !cancelled)
            reload_begin(broker, request, row);
        else
            client_error(broker, request, words[code].code, "%s", words[code].text);
    } else
        client_error(broker, request, words[CORE_FINAL].code, "%s", words[CORE_FINAL].text);
}

void client_looked_up(struct broker *broker,
                      struct request *request,
                      const struct history_reply *reply)
{
    if (request->type == SW_MSG_RETRY && reply->kind != HISTORY_JOB)
        reload_more(broker, request, reply);
    else if (reply->status == -ETIME)
        client_error(broker, request, "busy", "the store answers too slowly: try again later");
    else if (reply->status < 0)
        client_error(broker, request, "unavailable", "the store cannot be read: %s",
                     strerror(-reply->status));
    else if (request->type == SW_MSG_SUBMIT)
        submit_looked_up(broker, request, reply);
    else if (request->type == SW_MSG_GET_JOBS || request->type == SW_MSG_GET_CHUNKS ||
             request->type == SW_MSG_GET_ADDS)
        query_answered(broker, request, reply);
    else if (reply->n == 0)
        client_error(broker, request, "not_found", "no such job");
    else
        ended_job(broker, request, &reply->rows[0].of.job);
}
