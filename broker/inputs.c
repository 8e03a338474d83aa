/* ADD: inputs come into a job. One at a time a job, in order: inline ones are planned here, uploads
 * by data, which links them into the job's folder. Only what lies on disk (or in the row) is told
 * to the core. */
#include "broker/broker.h"
#include "broker/names.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Names and numbers of one chunk's inline inputs; with its bytes it still fits in an ASSIGN. */
#define INLINE_HEAD_MAX ((size_t)160 << 10)

static void start_next(struct broker *broker, struct card *card);

void inputs_queue(struct broker *broker, struct card *card, struct request *request)
{
    struct request **end = &card->adding;
    while (*end)
        end = &(*end)->next;
    *end = request;
    if (card->adding == request)
        start_next(broker, card);
}

static struct request *pop(struct card *card)
{
    struct request *request = card->adding;
    card->adding = request->next;
    request->next = NULL;
    return request;
}

/* The ADD cannot be: a SUBMIT takes its job back. */
static void
give_up(struct broker *broker, struct card *card, const char *code, const struct sw_err *err)
{
    struct request *request = pop(card);
    if (!request->submit) {
        client_error(broker, request, code, "%s", err->text);
    } else { /* answered when nothing of the job is left */
        struct core_event event = {.type = EV_FORGET, .ref = request->id, .job = card->job};
        request->refused = code;
        request->words = *err;
        broker_feed(broker, &event);
    }
    if (card->adding)
        start_next(broker, card);
}

/* Tells the core. `row` has what is inline; the answer to the client waits for the commit. */
static void finish(struct broker *broker,
                   struct card *card,
                   const struct plan *plan,
                   struct sw_msg_add_row *row)
{
    struct request *request = pop(card);
    struct core_job_view view = {0};
    row->first_chunk = plan->head.first_chunk;
    row->chunks = plan->head.n_chunks;
    row->files = plan->files;
    row->failed_files = plan->failed_files;
    struct core_event event = {
        .type = EV_ADD, .ref = request->id, .job = card->job, .payload = row};
    event.of.add.key = row->key;
    event.of.add.sizes = plan->sizes;
    event.of.add.n_chunks = plan->head.n_chunks;
    event.of.add.files = plan->files;
    event.of.add.failed_files = plan->failed_files;
    event.of.add.more = request->seal;
    uint64_t job = card->job, id = request->id;
    bool seal = request->seal;
    broker_feed(broker, &event);
    card = card_find(broker, job);
    if (card && core_job(broker->core, job, &view) && view.adds > card->next_add) {
        card->next_add++;
        card->next_chunk += plan->head.n_chunks;
    } else if (card && card->n_inlines &&
               card->inlines[card->n_inlines - 1].add == card->next_add) {
        card_drop_inline(card); /* the core refused it */
    }
    if (seal && request_find(broker, id)) {
        struct core_event event_seal = {.type = EV_SEAL, .ref = id, .job = job};
        broker_feed(broker, &event_seal);
        card = card_find(broker, job);
    }
    if (card && card->adding)
        start_next(broker, card);
}

static uint64_t grain_for(const struct broker *broker, const struct card *card, uint64_t bytes)
{
    return sw_grain(SW_MAX(card->row->expected_bytes, bytes), core_slots_online(broker->core));
}

static int manifest_of(const struct sw_msg_input *inputs,
                       size_t n,
                       const struct sw_buf *payload,
                       struct sw_manifest *ret,
                       struct sw_err *err)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        struct sw_entry entry = {.name = inputs[i].name.p,
                                 .name_size = inputs[i].name.n,
                                 .mode = (uint32_t)inputs[i].mode,
                                 .mtime = inputs[i].mtime,
                                 .size = inputs[i].size,
                                 .offset = offset,
                                 .state = SW_ENTRY_FILE,
                                 .reason = ""};
        if (entry.name_size == 0 || entry.name_size > SW_NAME_MAX ||
            memchr(entry.name, 0, entry.name_size))
            return sw_fail(err, EINVAL, "input %zu: a name is 1 to 4,096 bytes without NUL", i + 1);
        if (inputs[i].size > payload->size - offset)
            return sw_fail(err, EINVAL, "input %zu: its %ju bytes are not in the payload", i + 1,
                           (uintmax_t)inputs[i].size);
        offset += inputs[i].size;
        sw_manifest_append(&ret->bytes, &entry);
    }
    if (offset != payload->size)
        return sw_fail(err, EINVAL, "the payload has %zu bytes, its inputs %ju", payload->size,
                       (uintmax_t)offset);
    return sw_manifest_parse(ret, err);
}

/* No file holds inline inputs, so that nobody could FETCH them: each chunk's must fit in ASSIGN. */
static bool fits_assign(const struct inline_add *add, const uint64_t *sizes)
{
    AUTO_BUF struct sw_buf head = {0};
    assert(sizes || add->plan.head.n_chunks == 0);
    for (uint32_t chunk = 0; chunk < add->plan.head.n_chunks; chunk++) {
        const uint32_t *first = &add->plan.first_piece[chunk];
        sw_buf_clear(&head);
        sw_stream_head(&add->manifest, &add->plan.pieces[first[0]], first[1] - first[0], &head);
        if (sizes[chunk] > SW_INLINE_BYTES_MAX || head.size > INLINE_HEAD_MAX)
            return false;
    }
    return true;
}

static void add_inline(struct broker *broker,
                       struct card *card,
                       struct request *request,
                       uint64_t key,
                       const struct sw_msg_input *inputs,
                       size_t n)
{
    struct sw_err err = {0};
    struct plan plan = {0};
    struct inline_add *add = card_add_inline(card, card->next_add, card->next_chunk);
    int r = manifest_of(inputs, n, &request->payload, &add->manifest, &err);
    if (r == 0)
        r = names_check(card->kernel, &card->values, &add->manifest, &err);
    struct plan_request wanted = {.kernel = card->kernel,
                                  .values = &card->values,
                                  .manifest = &add->manifest,
                                  .first_chunk = card->next_chunk,
                                  .grain = grain_for(broker, card, request->payload.size),
                                  .chunk_count =
                                      plan_share((uint32_t)card->row->chunk_count,
                                                 card->row->expected_bytes, request->payload.size)};
    if (r == 0)
        r = plan_make(&wanted, &plan, &err);
    if (r < 0) {
        card_drop_inline(card);
        give_up(broker, card, "bad_request", &err);
        return;
    }
    AUTO_BUF struct sw_buf bytes = {0};
    sw_plan_encode(&plan.head, plan.pieces, plan.n, &bytes);
    r = sw_plan_decode(bytes.data, bytes.size, &add->plan, &err);
    const char *code = "bad_request";
    if (r == 0 && !fits_assign(add, plan.sizes)) {
        code = "spill";
        r = sw_fail(&err, E2BIG, "inline inputs: at most 16 KiB a chunk: send an upload");
    }
    if (r < 0) {
        card_drop_inline(card);
        plan_done(&plan);
        give_up(broker, card, code, &err);
        return;
    }
    add->bytes = request->payload; /* moves */
    request->payload = (struct sw_buf){0};
    card->inline_bytes += add->bytes.size;
    broker->inline_bytes += add->bytes.size;
    struct sw_msg_add_row row = {
        .key = key,
        .manifest = {(char *)add->manifest.bytes.data, add->manifest.bytes.size},
        .plan = {(char *)bytes.data, bytes.size},
        .bytes = {(char *)add->bytes.data, add->bytes.size},
    };
    finish(broker, card, &plan, &row);
    plan_done(&plan);
}

static void add_uploads(struct broker *broker,
                        struct card *card,
                        struct request *request,
                        const struct sw_msg_upload *uploads,
                        size_t n)
{
    struct data_prepare *prepare = sw_alloc(1, sizeof *prepare);
    *prepare = (struct data_prepare){.ref = request->id,
                                     .job = card->job,
                                     .add = card->next_add,
                                     .first_chunk = card->next_chunk,
                                     .kernel = card->kernel,
                                     .grain_slots = core_slots_online(broker->core),
                                     .expected_bytes = card->row->expected_bytes,
                                     .chunk_count = (uint32_t)card->row->chunk_count,
                                     .n_params = card->row->n_params,
                                     .n_uploads = n};
    /* texts first: the buffer may move while it grows */
    for (size_t i = 0; i < prepare->n_params; i++) {
        sw_buf_put(&prepare->texts, card->params[i].name, strlen(card->params[i].name) + 1);
        sw_buf_put(&prepare->texts, card->params[i].value, card->params[i].value_size + 1);
    }
    prepare->params = sw_alloc(prepare->n_params, sizeof *prepare->params);
    const char *at = (const char *)prepare->texts.data;
    for (size_t i = 0; i < prepare->n_params; i++) {
        prepare->params[i] =
            (struct sw_param_text){.name = at, .value_size = card->params[i].value_size};
        at += strlen(at) + 1;
        prepare->params[i].value = at;
        at += prepare->params[i].value_size + 1;
    }
    prepare->uploads = sw_alloc(n, sizeof *prepare->uploads);
    for (size_t i = 0; i < n; i++)
        memcpy(prepare->uploads[i], uploads[i].id.p,
               SW_MIN(uploads[i].id.n, (size_t)SW_UPLOAD_ID_SIZE));
    data_prepare_take(broker->data, prepare);
}

static void start_next(struct broker *broker, struct card *card)
{
    struct request *request = card->adding;
    if (request->type == SW_MSG_SEAL) { /* its turn has come */
        pop(card);
        struct core_event event = {.type = EV_SEAL, .ref = request->id, .job = card->job};
        broker_feed(broker, &event);
        return;
    }
    const struct sw_msg_submit *submit = request->message;
    const struct sw_msg_add_inputs *add = request->message;
    bool first = request->type == SW_MSG_SUBMIT;
    uint64_t key = first ? sw_random_u64() : add->key;
    if (!first &&
        core_knows_add(broker->core, card->job, key)) { /* a repeat: the core has the answer */
        pop(card);
        struct core_event event = {.type = EV_ADD, .ref = request->id, .job = card->job};
        event.of.add.key = key;
        broker_feed(broker, &event);
        if ((card = card_find(broker, event.job)) && card->adding)
            start_next(broker, card);
    } else if (first ? submit->n_uploads > 0 : add->n_uploads > 0) {
        add_uploads(broker, card, request, first ? submit->uploads : add->uploads,
                    first ? submit->n_uploads : add->n_uploads);
    } else {
        add_inline(broker, card, request, key, first ? submit->inputs : add->inputs,
                   first ? submit->n_inputs : add->n_inputs);
    }
}

void inputs_prepared(struct broker *broker, struct data_prepared *prepared)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {{-ENOENT, "not_found"}, {-EAGAIN, "conflict"},  {-EINVAL, "bad_request"},
                 {-ENOSPC, "disk_full"}, {-EDQUOT, "disk_full"}, {-E2BIG, "too_large"}};
    struct request *request = request_find(broker, prepared->ref);
    struct card *card = card_find(broker, prepared->job);
    if (!request || !card || card->adding != request) {
        if (request)
            client_error(broker, request, "not_found", "the job is gone");
        return;
    }
    const char *code = "unavailable";
    for (size_t i = 0; i < SW_COUNT(codes); i++)
        if (codes[i].status == prepared->status)
            code = codes[i].code;
    if (prepared->status < 0) {
        give_up(broker, card, code, &prepared->err);
        return;
    }
    const struct sw_msg_add_inputs *add = request->message;
    struct sw_msg_add_row row = {.key = request->type == SW_MSG_ADD ? add->key : sw_random_u64()};
    source_add(broker->source, card->job, prepared->add, prepared->plan.head.first_chunk,
               prepared->plan.head.n_chunks);
    finish(broker, card, &prepared->plan, &row);
}
