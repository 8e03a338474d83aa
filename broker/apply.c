/* Carries out what the core decided: one function for each action, in a table. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

/* Answers to the message being handled, whoever sent it. */
static void
answer_error(struct broker *broker, uint64_t session, const char *code, const char *text)
{
    struct sw_msg_error error = {
        .session = session, .code = sw_str_of(code), .message = sw_str_of(text)};
    zmq_msg_t *route = (zmq_msg_t *)&broker->frames->route;
    sw_buf_clear(&broker->scratch);
    sw_encode(SW_MSG_ERROR, &error, &broker->scratch);
    sw_link_send(broker->control, zmq_msg_data(route), zmq_msg_size(route), &broker->scratch, NULL,
                 0);
}

/* Shared out among those that are online, so that all of them together stay within bounds. */
static uint64_t window_for(const struct broker *broker)
{
    uint64_t online = 1;
    for (size_t i = 0; i < broker->devices.n; i++)
        online += broker->devices.by_index[i]->session != 0;
    return SW_MAX(SW_MIN(DATA_WINDOW_BYTES, DATA_UNSENT_MAX / online),
                  (uint64_t)SW_SLICE_BYTES_MAX);
}

static void welcome(struct broker *broker, const struct core_action *action)
{
    struct device *device = broker->devices.by_index[action->agent];
    zmq_msg_t *route = (zmq_msg_t *)&broker->frames->route;
    outbox_flush(broker, device);
    device->route_size = SW_MIN(zmq_msg_size(route), sizeof device->route);
    memcpy(device->route, zmq_msg_data(route), device->route_size);
    device->fd = broker->frames->fd;
    device->session = action->session;
    device->serial_out = 0;
    device->broken = false;
    device->status[0] = device->reason[0] = 0;
    struct sw_msg_welcome message = {
        .device_id = sw_str_of(device->id), .window = window_for(broker), .epoch = broker->epoch};
    outbox_send(broker, device, SW_MSG_WELCOME, &message);
}

static void again(struct broker *broker, const struct core_action *action)
{
    if (broker->frames)
        answer_error(broker, action->session, "again", "this session is not known here: say HELLO");
}

static void duplicate(struct broker *broker, const struct core_action *action)
{
    const struct device *device = broker->devices.by_index[action->agent];
    sw_log(SW_LOG_WARNING, "two agents use one key device=%s", device->id);
    if (broker->frames)
        answer_error(broker, action->session, "duplicate-key",
                     "another running agent uses this key");
}

static void beat(struct broker *broker, const struct core_action *action)
{
    struct device *device = broker->devices.by_index[action->agent];
    struct sw_msg_beat message = {0};
    outbox_flush(broker, device);
    if (device->session == action->session)
        outbox_send(broker, device, SW_MSG_BEAT, &message);
}

static void assign(struct broker *broker, const struct core_action *action)
{
    feed_assigned(broker, action);
    outbox_assign(broker, action);
}

static void revoke_lease(struct broker *broker, const struct core_action *action)
{
    outbox_lease(broker, action, SW_MSG_REVOKE); /* its output stays: a late DONE may still count */
}

static void taken(struct broker *broker, const struct core_action *action)
{
    outbox_lease(broker, action, SW_MSG_TAKEN);
}

static void save(struct broker *broker, const struct core_action *action)
{
    rows_save(broker, action);
    const struct sw_msg_chunk_row *row = action->row == ROW_CHUNK ? action->payload : NULL;
    if (row && row->stored && action->state == CHUNK_DONE)
        data_result(broker->data, action->job, action->chunk, row->n);
}

static void drop(struct broker *broker, const struct core_action *action)
{
    struct device *device = broker->devices.by_index[action->agent];
    device->out.type = SW_MSG_NONE;
    device->out.n = 0;
    sw_buf_clear(&device->out.payload);
    device->session = 0;
    sw_log(SW_LOG_INFO, "agent offline device=%s", device->id);
    feed_device(broker, device);
    device_save(broker, device);
}

static void note_change(struct broker *broker, const struct core_action *action)
{
    feed_note(broker, action);
    if (action->note != NOTE_CHUNK || action->agent >= broker->devices.n)
        return;
    struct device *device = broker->devices.by_index[action->agent];
    device->row->tasks_completed++;
    sw_log(SW_LOG_DEBUG, "chunk done job=%ju chunk=%u device=%s", (uintmax_t)action->job,
           action->chunk, device->id);
}

static void ended(struct broker *broker, const struct core_action *action)
{
    struct card *card = card_find(broker, action->job);
    data_forget(broker->data, action->job, action->forgotten);
    source_forget(broker->source, action->job);
    if (!card)
        return;
    feed_ended(broker, card, action->forgotten);
    sw_log(SW_LOG_INFO, "job ended job=%ju seconds=%.1f%s", (uintmax_t)action->job,
           (double)(sw_wall_ms() - card->row->created_at) / 1000,
           action->forgotten ? " forgotten=1" : "");
    card_end(broker, card);
}

void apply_action(struct broker *broker, const struct core_action *action)
{
    static void (*const table[])(struct broker *, const struct core_action *) = {
        [ACT_WELCOME] = welcome,     [ACT_PROBE] = beat,       [ACT_DUPLICATE] = duplicate,
        [ACT_AGAIN] = again,         [ACT_BEAT] = beat,        [ACT_ASSIGN] = assign,
        [ACT_REVOKE] = revoke_lease, [ACT_TAKEN] = taken,      [ACT_SAVE] = save,
        [ACT_REPLY] = client_reply,  [ACT_NOTE] = note_change, [ACT_DROP] = drop,
        [ACT_ENDED] = ended, /* HOLD, LET_GO and CAUGHT come only where an agent is `checked` */
    };
    table[action->type](broker, action);
}
