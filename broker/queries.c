/* What clients ask to see. Live jobs are answered from the core at once; the rest is read by
 * `history` and answered when it comes. */
#include "broker/broker.h"

#include <string.h>

#define PAGE_ROWS_MAX 1000
#define PAGE_BYTES_MAX                                                                             \
    ((size_t)200 << 10) /* the wire's 256 KiB, less what heads and names take                      \
                         */

static void answer(struct broker *broker,
                   struct request *request,
                   enum sw_message_type type,
                   const void *message)
{
    client_send(broker, request, type, message);
    request_done(broker, request);
}

/* ---- jobs ---- */

static void ask_jobs(struct broker *broker, struct request *request)
{
    const struct sw_msg_get_jobs *get = request->message;
    AUTO(sw_text) char *type = get->type.n ? sw_copy_text(get->type.p, get->type.n) : NULL;
    uint32_t mask = (uint32_t)get->status_mask;
    struct history_request history = {.kind = get->job ? HISTORY_JOB : HISTORY_JOBS,
                                      .job = get->job};
    history.jobs = (struct sw_job_query){
        .before = get->before,
        .limit = (uint32_t)SW_MIN(SW_MAX(get->limit, 1U), (uint64_t)PAGE_ROWS_MAX),
        /* rows of live jobs may be behind: any of them is looked at, and filtered by its state now
         */
        .status_mask = mask ? mask | 1U << JOB_PENDING | 1U << JOB_PROCESSING : 0,
        .type = type};
    client_look_up(broker, request, &history);
}

void client_get_jobs(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_get_jobs *get = message;
    struct request *request = client_remember(broker, SW_MSG_GET_JOBS, get->ref, get->job, message);
    struct card *card = get->job ? card_live(broker, get->job) : NULL;
    if (!request)
        return;
    if (card) {
        struct sw_msg_job row;
        AUTO_BUF struct sw_buf texts = {0};
        sw_buf_reserve(&texts, RENDER_JOB_TEXTS);
        render_job(broker, card->row, card->job, JOB_PENDING, &row, &texts);
        struct sw_msg_jobs jobs = {.ref = request->ref, .rows = &row, .n_rows = 1};
        answer(broker, request, SW_MSG_JOBS, &jobs);
        return;
    }
    ask_jobs(broker, request);
}

/* A job that ended after its row was read: its numbers are in its last row only. */
static bool is_behind(struct broker *broker, const struct history_reply *reply)
{
    for (size_t i = 0; i < reply->n; i++) {
        const struct sw_job_row *row = &reply->rows[i].of.job;
        if ((row->status == JOB_PENDING || row->status == JOB_PROCESSING) &&
            !card_find(broker, row->job))
            return true;
    }
    return false;
}

static bool wanted(uint64_t mask, struct sw_str status)
{
    for (int s = JOB_PENDING; mask && s <= JOB_CANCELLED; s++)
        if (sw_str_is(status, status_text((enum core_job_status)s)))
            return mask >> s & 1;
    return true;
}

static void
jobs_answered(struct broker *broker, struct request *request, const struct history_reply *reply)
{
    const struct sw_msg_get_jobs *get = request->message;
    if (get->job && reply->n == 0) {
        client_error(broker, request, "not_found", "no such job");
        return;
    }
    if (request->rereads < REREADS_MAX && is_behind(broker, reply)) {
        request->rereads++;
        ask_jobs(broker, request);
        return;
    }
    struct sw_msg_job *rows = sw_alloc(reply->n, sizeof *rows);
    AUTO_BUF struct sw_buf texts = {0};
    sw_buf_reserve(&texts, RENDER_JOB_TEXTS * (reply->n + 1));
    size_t n = 0, bytes = 0, i = 0;
    uint64_t last = 0;
    broker->row_arena.used = 0;
    for (; i < reply->n && bytes < PAGE_BYTES_MAX; i++) {
        const struct sw_job_row *found = &reply->rows[i].of.job;
        const struct card *card = card_live(broker, found->job);
        struct sw_msg_job_row row;
        last = found->job;
        if (card)
            row = *card->row;
        else if (sw_decode_record(&sw_record_job_row, found->body, found->body_size,
                                  &broker->row_arena, true, &row) < 0)
            continue;
        render_job(broker, &row, found->job, found->status, &rows[n], &texts);
        if (!wanted(get->status_mask, rows[n].status))
            continue;
        bytes += found->body_size + 128;
        n++;
    }
    bool more =
        !get->job && (i < reply->n || reply->n >= SW_MIN(get->limit, (uint64_t)PAGE_ROWS_MAX));
    struct sw_msg_jobs jobs = {
        .ref = request->ref, .next = more ? last : 0, .rows = rows, .n_rows = n};
    answer(broker, request, SW_MSG_JOBS, &jobs);
    sw_release(rows);
}

/* ---- ADDs ---- */

void client_get_adds(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_get_adds *get = message;
    struct request *request = client_remember(broker, SW_MSG_GET_ADDS, get->ref, get->job, message);
    if (!request)
        return;
    client_look_up(
        broker, request,
        &(struct history_request){.kind = HISTORY_ADDS,
                                  .job = get->job,
                                  .from = (uint32_t)SW_MIN(get->from, (uint64_t)UINT32_MAX)});
}

static void
adds_answered(struct broker *broker, struct request *request, const struct history_reply *reply)
{
    struct sw_msg_add *rows = sw_alloc(reply->n, sizeof *rows);
    size_t n = 0, bytes = 0;
    broker->row_arena.used = 0;
    for (; n < reply->n && bytes < PAGE_BYTES_MAX; n++) {
        const struct sw_add_row *found = &reply->rows[n].of.add;
        struct sw_msg_add_row row = {0};
        sw_decode_record(&sw_record_add_row, found->body, found->body_size, &broker->row_arena,
                         true, &row);
        rows[n] = (struct sw_msg_add){.add = found->add,
                                      .first_chunk = row.first_chunk,
                                      .chunks = row.chunks,
                                      .files = row.files,
                                      .manifest = row.manifest,
                                      .plan = row.plan};
        bytes += row.manifest.n + row.plan.n + 64;
    }
    bool more = n < reply->n || reply->more;
    struct sw_msg_adds adds = {.ref = request->ref,
                               .next = more && n ? rows[n - 1].add + 1 : 0,
                               .rows = rows,
                               .n_rows = n};
    answer(broker, request, SW_MSG_ADDS, &adds);
    sw_release(rows);
}

void query_answered(struct broker *broker,
                    struct request *request,
                    const struct history_reply *reply)
{
    if (request->type == SW_MSG_GET_JOBS)
        jobs_answered(broker, request, reply);
    else if (request->type == SW_MSG_GET_CHUNKS)
        chunks_answered(broker, request, reply);
    else
        adds_answered(broker, request, reply);
}
