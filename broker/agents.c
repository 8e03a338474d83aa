/* Messages of agents become events of the core. Tokens are checked here; sessions and serials in
 * the core. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

static struct device *device_of(struct broker *broker)
{
    return device_get(&broker->devices, broker->frames->user_id);
}

static struct core_event
event_of(const struct device *device, enum core_event_type type, const void *message)
{
    uint64_t numbers[2]; /* every message of an agent begins with session and serial */
    memcpy(numbers, message, sizeof numbers);
    return (struct core_event){
        .type = type, .agent = device->index, .session = numbers[0], .serial = numbers[1]};
}

static struct core_lease_ref ref_of(struct broker *broker,
                                    const struct device *device,
                                    uint64_t job,
                                    uint64_t chunk,
                                    uint64_t n,
                                    uint64_t token)
{
    const struct card *card = card_find(broker, job);
    struct core_lease_ref ref = {
        .job = job, .chunk = chunk > UINT32_MAX ? UINT32_MAX : (uint32_t)chunk, .n = n};
    ref.valid = card && token == sw_lease_token(broker->token_key, card->row->nonce, ref.chunk, n,
                                                device->key);
    return ref;
}

static void
take_row(struct device *device, const struct peer *peer, const struct sw_msg_hello *hello)
{
    struct sw_msg_device_row row = *device->row;
    row.public_key = sw_str_of(device->key);
    row.name = hello->name.n ? hello->name : sw_str_of(peer->name);
    row.kind = sw_str_of(peer->role == ROLE_BROWSER ? "browser" : "agent");
    row.system_info = hello->system_info;
    row.version = hello->version;
    row.slots = hello->slots;
    row.kernels = hello->kernels;
    row.n_kernels = hello->n_kernels;
    row.connected_at = row.last_heartbeat = sw_wall_ms();
    struct sw_msg_device_row *clone = sw_record_clone(&sw_record_device_row, &row);
    sw_release(device->row);
    device->row = clone;
}

void agent_hello(struct broker *broker, const struct peer *peer, const void *message)
{
    const struct sw_msg_hello *hello = message;
    struct device *device = device_of(broker);
    if (!device)
        return; /* CORE_AGENTS_MAX devices are known */
    uint64_t kinds = 0;
    for (size_t i = 0; i < hello->n_kernels; i++) {
        int kind = kind_of(&broker->kinds, hello->kernels[i].type, hello->kernels[i].rev);
        kinds |= kind < 0 ? 0 : (uint64_t)1 << kind;
    }
    size_t n_held = SW_MIN(hello->n_held, (size_t)CORE_HELD_MAX);
    struct core_lease_ref *held = sw_alloc(n_held, sizeof *held);
    for (size_t i = 0; i < n_held; i++) {
        const struct sw_msg_held *h = &hello->held[i];
        held[i] = ref_of(broker, device, h->job, h->chunk, h->n, h->token);
        held[i].phase = (uint8_t)SW_MIN(h->phase, (uint64_t)PHASE_FINISHED);
    }
    struct core_event event = event_of(device, EV_HELLO, hello);
    device->bytes_limit = hello->bytes_limit; /* before WELCOME: chunks may follow at once */
    event.of.hello.instance = hello->instance;
    event.of.hello.kinds = kinds;
    event.of.hello.slots = (uint32_t)SW_MIN(SW_MAX(hello->slots, 1U), 4096U);
    event.of.hello.bytes_limit = hello->bytes_limit;
    event.of.hello.held = held;
    event.of.hello.n_held = n_held;
    broker_feed(broker, &event);
    if (device
            ->broken) { /* the old session could not be asked: it is gone, and this one comes in */
        struct core_agent_view view;
        core_agent(broker->core, device->index, &view);
        device->broken = false;
        struct core_event gone = {
            .type = EV_UNREACHABLE, .agent = device->index, .session = view.session};
        broker_feed(broker, &gone);
        broker_feed(broker, &event);
    }
    sw_release(held);
    if (device->session != hello->session)
        return; /* not welcomed */
    take_row(device, peer, hello);
    device_save(broker, device);
    sw_log(SW_LOG_INFO, "agent online device=%s name=%.*s slots=%ju held=%zu", device->id,
           (int)SW_MIN(device->row->name.n, (size_t)64), device->row->name.p,
           (uintmax_t)hello->slots, n_held);
    struct core_event credit = event_of(device, EV_CREDIT, hello);
    credit.of.credit.chunks = hello->chunks;
    credit.of.credit.bytes = hello->bytes;
    broker_feed(broker, &credit);
}

void agent_credit(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_credit *credit = message;
    struct device *device = device_of(broker);
    if (!device)
        return;
    struct core_event event = event_of(device, EV_CREDIT, credit);
    event.of.credit.chunks = credit->chunks;
    event.of.credit.bytes = credit->bytes;
    broker_feed(broker, &event);
}

static void copy_text(char *to, size_t room, struct sw_str from)
{
    size_t n = SW_MIN(from.n, room - 1);
    if (n)
        memcpy(to, from.p, n);
    to[n] = 0;
}

void agent_beat(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_beat *beat = message;
    struct device *device = device_of(broker);
    if (!device)
        return;
    if (device->session == beat->session) {
        copy_text(device->status, sizeof device->status, beat->status);
        copy_text(device->reason, sizeof device->reason, beat->reason);
        device->load = beat->load;
        feed_device(broker, device);
        device->row->last_heartbeat = sw_wall_ms();
    }
    size_t n = SW_MIN(beat->n_running, (size_t)CORE_HELD_MAX);
    struct core_lease_ref *running = sw_alloc(n, sizeof *running);
    for (size_t i = 0; i < n; i++)
        running[i] =
            (struct core_lease_ref){.job = beat->running[i].job,
                                    .chunk = (uint32_t)beat->running[i].chunk,
                                    .n = beat->running[i].n,
                                    .permille = (uint16_t)SW_MIN(beat->running[i].permille, 1000U)};
    struct core_event event = event_of(device, EV_BEAT, beat);
    event.of.beat.running = running;
    event.of.beat.n_running = n;
    broker_feed(broker, &event);
    sw_release(running);
}

static uint32_t pieces_of(struct broker *broker, uint64_t job, uint32_t chunk)
{
    const struct card *card = card_find(broker, job);
    const struct inline_add *add = card ? card_inline(card, chunk) : NULL;
    if (!add)
        return source_pieces(broker->source, job, chunk);
    const uint32_t *first = &add->plan.first_piece[chunk - add->first_chunk];
    return first[1] - first[0];
}

/* A result must fit the chunk's plan, or composing would go wrong later. */
static bool has_right_shape(struct broker *broker,
                            const struct sw_msg_result *result,
                            const struct core_lease_ref *ref)
{
    uint64_t length = 0;
    bool inline_fits = result->inline_bytes == 0 || result->inline_bytes == result->bytes_out;
    for (size_t i = 0; i < result->n_pieces; i++) {
        if (result->pieces[i].length > result->bytes_out - length ||
            result->pieces[i].error.n > 160)
            return false;
        length += result->pieces[i].length;
    }
    return inline_fits && length == result->bytes_out &&
           result->n_pieces == pieces_of(broker, ref->job, ref->chunk);
}

/* The row's body is made here, where the message is at hand; the core hands it back with its SAVE.
 */
void agent_done(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_done *done = message;
    struct device *device = device_of(broker);
    if (!device)
        return;
    const uint8_t *payload = broker->frames->n > 1 ? sw_frame_data(broker->frames, 1) : NULL;
    uint64_t left = broker->frames->n > 1 ? sw_frame_size(broker->frames, 1) : 0;
    int64_t now = sw_wall_ms();
    for (size_t i = 0; i < done->n_results; i++) {
        const struct sw_msg_result *result = &done->results[i];
        if (result->inline_bytes > left || result->inline_bytes > SW_INLINE_BYTES_MAX)
            return; /* not what it says: no effect */
        struct sw_msg_chunk_row row = {
            .n = result->n,
            .device = sw_str_of(device->id),
            .started_at = now - (int64_t)SW_MIN(result->took_ms, (uint64_t)INT32_MAX),
            .completed_at = now,
            .bytes_out = result->bytes_out,
            .stored = result->inline_bytes == 0 && result->bytes_out > 0,
            .output = {(const char *)payload, result->inline_bytes},
            .pieces = result->pieces,
            .n_pieces = result->n_pieces,
        };
        for (size_t p = 0; p < result->n_pieces; p++)
            row.failed_files += result->pieces[p].error.n > 0;
        struct core_event event = event_of(device, EV_DONE, done);
        event.payload = &row;
        event.of.result.lease =
            ref_of(broker, device, result->job, result->chunk, result->n, result->token);
        if (event.of.result.lease.valid &&
            !has_right_shape(broker, result, &event.of.result.lease)) {
            sw_log(SW_LOG_WARNING, "result refused job=%ju chunk=%ju device=%s reason=shape",
                   (uintmax_t)result->job, (uintmax_t)result->chunk, device->id);
            event.of.result.lease.valid = false;
        }
        event.of.result.took_ms = (uint32_t)SW_MIN(result->took_ms, (uint64_t)UINT32_MAX);
        event.of.result.bytes_out = result->bytes_out;
        event.of.result.failed_files = (uint32_t)row.failed_files;
        broker_feed(broker, &event);
        payload = payload ? payload + result->inline_bytes : NULL;
        left -= result->inline_bytes;
    }
}

void agent_fail(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_fail *fail = message;
    struct device *device = device_of(broker);
    if (!device)
        return;
    struct sw_msg_chunk_row row = {
        .device = sw_str_of(device->id),
        .completed_at = sw_wall_ms(),
        .error = {fail->error.p, SW_MIN(fail->error.n, (size_t)160)},
        .stderr_tail = {fail->stderr_tail.p, SW_MIN(fail->stderr_tail.n, (size_t)4096)},
    };
    struct core_event event = event_of(device, EV_FAIL, fail);
    event.of.result.lease = ref_of(broker, device, fail->job, fail->chunk, fail->n, fail->token);
    event.of.result.failed_files = pieces_of(broker, fail->job, event.of.result.lease.chunk);
    row.failed_files = event.of.result.failed_files;
    event.payload = &row;
    sw_log(SW_LOG_WARNING, "chunk failed job=%ju chunk=%ju device=%s error=%.*s",
           (uintmax_t)fail->job, (uintmax_t)fail->chunk, device->id, (int)row.error.n,
           row.error.p ? row.error.p : "");
    broker_feed(broker, &event);
}

void agent_return(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_give_back *back = message;
    struct device *device = device_of(broker);
    for (size_t i = 0; device && i < back->n_leases; i++) {
        const struct sw_msg_lease *lease = &back->leases[i];
        struct core_event event = event_of(device, EV_RETURN, back);
        event.of.result.lease =
            ref_of(broker, device, lease->job, lease->chunk, lease->n, lease->token);
        broker_feed(broker, &event);
    }
}

void agent_bye(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    struct device *device = device_of(broker);
    if (!device)
        return;
    struct core_event event = event_of(device, EV_GONE, message);
    broker_feed(broker, &event);
}
