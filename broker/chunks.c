/* GET_CHUNKS: pages of a job's chunks, from the core's state while it lives and from their rows. */
#include "broker/broker.h"

#include <string.h>

#define PAGE_ROWS_MAX 1000
#define PAGE_BYTES_MAX                                                                             \
    ((size_t)200 << 10) /* the wire's 256 KiB, less what heads and names take                      \
                         */

static void ask_rows(struct broker *broker, struct request *request)
{
    const struct sw_msg_get_chunks *get = request->message;
    client_look_up(broker, request,
                   &(struct history_request){
                       .kind = HISTORY_CHUNKS,
                       .job = get->job,
                       .from = (uint32_t)SW_MIN(get->from, (uint64_t)UINT32_MAX),
                       .limit = (uint32_t)SW_MIN(SW_MAX(get->limit, 1U), (uint64_t)PAGE_ROWS_MAX)});
}

/* Of a job that ended, first: how many there are and how it ended. */
static void ask_job(struct broker *broker, struct request *request)
{
    request->was_live = false;
    client_look_up(broker, request,
                   &(struct history_request){.kind = HISTORY_JOB, .job = request->job});
}

void client_get_chunks(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_get_chunks *get = message;
    struct request *request =
        client_remember(broker, SW_MSG_GET_CHUNKS, get->ref, get->job, message);
    if (!request)
        return;
    request->was_live = card_live(broker, get->job) != NULL;
    if (request->was_live)
        ask_rows(broker, request);
    else
        ask_job(broker, request);
}

static const char *chunk_status(const struct core_chunk_view *view)
{
    return view->state == CHUNK_LEASED && view->running ? "processing"
                                                        : chunk_state_text(view->state);
}

/* One chunk, from what is known now and from its row, if it has one. Texts need 64 bytes. */
static void render_chunk(struct broker *broker,
                         uint64_t job,
                         uint32_t index,
                         const struct core_chunk_view *view,
                         const struct sw_msg_chunk_row *row,
                         bool full,
                         struct sw_msg_chunk *ret,
                         struct sw_buf *texts)
{
    char *id = (char *)texts->data + texts->size;
    int n = snprintf(id, 64, "%ju-%u", (uintmax_t)job, index);
    texts->size += (size_t)n;
    *ret = (struct sw_msg_chunk){.chunk_id = {id, (size_t)n},
                                 .job = job,
                                 .index = index,
                                 .status = sw_str_of(chunk_status(view)),
                                 .attempts = view->attempts,
                                 .losses = view->losses};
    bool settled =
        view->state == CHUNK_DONE || view->state == CHUNK_FAILED || view->state == CHUNK_READY;
    if (row && settled) {
        ret->assigned_to = row->device;
        ret->error = row->error;
        ret->stderr_tail = row->stderr_tail;
        ret->started_at = row->started_at;
        ret->completed_at = view->state == CHUNK_READY ? 0 : row->completed_at;
    }
    if (row && view->state == CHUNK_DONE) {
        ret->n = row->stored ? row->n : 0;
        ret->pieces = row->pieces;
        ret->n_pieces = full ? row->n_pieces : 0;
        ret->output = full ? row->output : (struct sw_str){0};
    }
    if (view->n_leases)
        ret->assigned_to = sw_str_of(broker->devices.by_index[view->agents[0]]->id);
}

/* The rows were read before its last commit: shown as it was then. */
static bool is_ahead(const struct core_chunk_view *view, const struct sw_chunk_row *found)
{
    bool final = view->state == CHUNK_DONE || view->state == CHUNK_FAILED;
    return final && (!found || found->state != view->state);
}

static void chunks_page(struct broker *broker,
                        struct request *request,
                        const struct history_reply *reply,
                        uint32_t total,
                        enum core_chunk_state without_row)
{
    const struct sw_msg_get_chunks *get = request->message;
    uint32_t from = (uint32_t)SW_MIN(get->from, (uint64_t)total), at = from;
    uint32_t limit = (uint32_t)SW_MIN(SW_MAX(get->limit, 1U), (uint64_t)PAGE_ROWS_MAX);
    struct sw_msg_chunk *rows = sw_alloc(limit, sizeof *rows);
    AUTO_BUF struct sw_buf texts = {0};
    sw_buf_reserve(&texts, (size_t)limit * 64);
    size_t bytes = 0, i = 0;
    bool live = card_live(broker, get->job) != NULL;
    broker->row_arena.used = 0;
    for (; at < total && at - from < limit && bytes < PAGE_BYTES_MAX; at++) {
        struct core_chunk_view view = {.state = without_row};
        struct sw_msg_chunk_row row;
        const struct sw_chunk_row *found = NULL;
        while (i < reply->n && reply->rows[i].of.chunk.chunk < at)
            i++;
        if (i < reply->n && reply->rows[i].of.chunk.chunk == at)
            found = &reply->rows[i].of.chunk;
        else if (i == reply->n && reply->more)
            break; /* what history left off belongs to the next page */
        if (found && sw_decode_record(&sw_record_chunk_row, found->body, found->body_size,
                                      &broker->row_arena, true, &row) < 0)
            found = NULL;
        bool known = live && core_chunk(broker->core, get->job, at, &view);
        if (!known && found)
            view = (struct core_chunk_view){.state = (enum core_chunk_state)found->state,
                                            .attempts = found->attempts,
                                            .losses = found->losses};
        else if (is_ahead(&view, found))
            view.state = CHUNK_COMMITTING;
        if (found && found->state == CHUNK_READY && without_row == CHUNK_CANCELLED)
            view.state = CHUNK_CANCELLED;
        render_chunk(broker, get->job, at, &view, found ? &row : NULL, get->full, &rows[at - from],
                     &texts);
        bytes += (found ? found->body_size : 0) + 64;
    }
    struct sw_msg_chunks chunks = {
        .ref = request->ref, .next = at < total ? at : 0, .rows = rows, .n_rows = at - from};
    client_send(broker, request, SW_MSG_CHUNKS, &chunks);
    request_done(broker, request);
    sw_release(rows);
}

void chunks_answered(struct broker *broker,
                     struct request *request,
                     const struct history_reply *reply)
{
    const struct sw_msg_get_chunks *get = request->message;
    struct core_job_view view;
    struct sw_msg_job_row row;
    if (reply->kind == HISTORY_CHUNKS) {
        bool live = card_live(broker, get->job) && core_job(broker->core, get->job, &view);
        if (!live && request->was_live) { /* it ended meanwhile, and these rows lack its last */
            ask_job(broker, request);
            return;
        }
        uint32_t total = live ? view.chunks : request->total_chunks;
        chunks_page(broker, request, reply, total, live ? CHUNK_READY : CHUNK_CANCELLED);
        return;
    }
    if (reply->n == 0) {
        client_error(broker, request, "not_found", "no such job");
        return;
    }
    const struct sw_job_row *found = &reply->rows[0].of.job;
    if (sw_decode_record(&sw_record_job_row, found->body, found->body_size, &broker->row_arena,
                         false, &row) == 0)
        request->total_chunks = (uint32_t)row.chunks;
    ask_rows(broker, request);
}
