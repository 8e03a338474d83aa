/* ADD: inputs come into a job. One at a time a job, in order: inline ones are planned by inline.c,
 * uploads by data, which links them into the job's folder. Only what lies on disk (or in the row)
 * is told to the core. */
#include "broker/broker.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

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
    }
}

static void add_inline(struct broker *broker,
                       struct card *card,
                       struct request *request,
                       uint64_t key,
                       const struct sw_msg_input *inputs,
                       size_t n)
{
    AUTO_BUF struct sw_buf bytes = {0};
    struct sw_err err = {0};
    struct plan plan = {0};
    int r = inline_plan(broker, card, request, inputs, n, &plan, &bytes, &err);
    if (r < 0) {
        give_up(broker, card, r == -E2BIG ? "spill" : "bad_request", &err);
        return;
    }
    const struct inline_add *add = &card->inlines[card->n_inlines - 1];
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
    card_inline_manifests(card, &prepare->inlines);
    prepare->uploads = sw_alloc(n, sizeof *prepare->uploads);
    for (size_t i = 0; i < n; i++)
        memcpy(prepare->uploads[i], uploads[i].id.p,
               SW_MIN(uploads[i].id.n, (size_t)SW_UPLOAD_ID_SIZE));
    data_prepare_take(broker->data, prepare);
}

static void start(struct broker *broker, struct card *card)
{
    struct request *request = card->adding;
    const struct sw_msg_submit *submit = request->message;
    const struct sw_msg_add_inputs *add = request->message;
    struct refusal refusal;
    bool first = request->type == SW_MSG_SUBMIT, seal = request->type == SW_MSG_SEAL;
    uint64_t key = first ? sw_random_u64() : seal ? 0 : add->key;
    if (seal || (!first && core_knows_add(broker->core, card->job, key))) {
        /* a SEAL's turn has come; of a repeated ADD the core has the answer */
        struct core_event event = {
            .type = seal ? EV_SEAL : EV_ADD, .ref = request->id, .job = card->job};
        if (!seal)
            event.of.add.key = key;
        pop(card);
        broker_feed(broker, &event);
    } else if (!first && holdings_refuse(broker, card->row->owner, request->payload.size, false,
                                         &refusal)) { /* a SUBMIT was let in */
        client_error(broker, pop(card), refusal.code, "%s", refusal.text);
    } else if (first ? submit->n_uploads > 0 : add->n_uploads > 0) {
        card->preparing = true;
        add_uploads(broker, card, request, first ? submit->uploads : add->uploads,
                    first ? submit->n_uploads : add->n_uploads);
    } else {
        add_inline(broker, card, request, key, first ? submit->inputs : add->inputs,
                   first ? submit->n_inputs : add->n_inputs);
    }
}

/* One after the other, until data has one or none is left. */
static void go_on(struct broker *broker, uint64_t job)
{
    struct card *card;
    while ((card = card_find(broker, job)) && card->adding && !card->preparing)
        start(broker, card);
}

void inputs_queue(struct broker *broker, struct card *card, struct request *request)
{
    bool idle = !card->adding;
    request_append(&card->adding, request);
    if (idle)
        go_on(broker, card->job);
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
    assert(request);                        /* nobody else answers it */
    if (!card || card->adding != request) { /* the job ended meanwhile */
        if (request->type == SW_MSG_SUBMIT)
            client_error(broker, request, "not_found", "the job is gone");
        else
            client_run(broker, request);
        return;
    }
    card->preparing = false;
    const char *code = "unavailable";
    for (size_t i = 0; i < SW_COUNT(codes); i++)
        if (codes[i].status == prepared->status)
            code = codes[i].code;
    if (prepared->status < 0) {
        give_up(broker, card, code, &prepared->err);
        go_on(broker, prepared->job);
        return;
    }
    const struct sw_msg_add_inputs *add = request->message;
    struct sw_msg_add_row row = {.key = request->type == SW_MSG_ADD ? add->key : sw_random_u64()};
    source_add(broker->source, card->job, prepared->add, prepared->plan.head.first_chunk,
               prepared->plan.head.n_chunks);
    finish(broker, card, &prepared->plan, &row);
    go_on(broker, prepared->job);
}
