/* A job whose rows or plans cannot be read ends as failed, with words, so that it holds up nobody
 * else: its chunks that were done stay in the store. Called by recover.c before the journal
 * starts, and by check_job.c; what is written here is durable when it returns. */
#include "broker/damaged.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <string.h>

struct survey { /* what its rows say, as far as they can be read */
    struct sw_arena *arena;
    const char *why;
    uint32_t adds, chunks, done, failed;
    uint64_t files, failed_files, bytes_out;
    bool found;
    struct sw_job_row row; /* texts owned */
    struct sw_buf body;
};

static int on_add(void *arg, const struct sw_row *row)
{
    struct survey *survey = arg;
    struct sw_msg_add_row body = {0};
    survey->adds = row->of.add.add + 1;
    if (sw_decode_record(&sw_record_add_row, row->of.add.body, row->of.add.body_size, survey->arena,
                         false, &body) < 0)
        return 0;
    survey->chunks = SW_MAX(survey->chunks, (uint32_t)(body.first_chunk + body.chunks));
    survey->files += body.files;
    survey->failed_files += body.failed_files;
    return 0;
}

static int on_chunk(void *arg, const struct sw_row *row)
{
    struct survey *survey = arg;
    struct sw_msg_chunk_row body = {0};
    survey->chunks = SW_MAX(survey->chunks, row->of.chunk.chunk + 1);
    survey->done += row->of.chunk.state == CHUNK_DONE;
    survey->failed += row->of.chunk.state == CHUNK_FAILED;
    if (sw_decode_record(&sw_record_chunk_row, row->of.chunk.body, row->of.chunk.body_size,
                         survey->arena, false, &body) < 0)
        return 0;
    survey->bytes_out += body.bytes_out;
    if (row->of.chunk.state != CHUNK_READY)
        survey->failed_files += body.failed_files;
    return 0;
}

static int on_job(void *arg, const struct sw_row *row)
{
    struct survey *survey = arg;
    const struct sw_job_row *found = &row->of.job;
    struct sw_msg_job_row body;
    if (sw_decode_record(&sw_record_job_row, found->body, found->body_size, survey->arena, false,
                         &body) < 0)
        body = (struct sw_msg_job_row){.type = sw_str_of(found->type),
                                       .owner = sw_str_of(found->owner),
                                       .key = sw_str_of(found->key),
                                       .created_at = sw_wall_ms()};
    body.sealed = true;
    body.completed_at = sw_wall_ms();
    body.adds = survey->adds;
    body.chunks = survey->chunks;
    body.done = survey->done;
    body.failed = survey->failed;
    body.files = survey->files;
    body.failed_files = survey->failed_files;
    body.bytes_out = survey->bytes_out;
    body.bytes_done = body.chunks ? body.bytes_in / body.chunks * body.done : 0; /* about */
    body.error = sw_str_of(survey->why);
    sw_encode_record(&sw_record_job_row, &body, &survey->body);
    survey->row = (struct sw_job_row){.job = found->job,
                                      .status = JOB_FAILED,
                                      .type = sw_copy_text(found->type, strlen(found->type)),
                                      .owner = sw_copy_text(found->owner, strlen(found->owner)),
                                      .key = sw_copy_text(found->key, strlen(found->key)),
                                      .final_ms = body.completed_at,
                                      .bytes = found->bytes,
                                      .body = survey->body.data,
                                      .body_size = survey->body.size};
    survey->found = true;
    return 0;
}

static int
save(const struct sw_store_ops *ops, struct sw_store *store, struct survey *survey, uint64_t job)
{
    int r = ops->adds(store, job, on_add, survey);
    if (r == 0)
        r = ops->chunks(store, job, 0, 0, on_chunk, survey);
    return r == 0 ? ops->job(store, job, on_job, survey) : r;
}

int damaged_save(const struct sw_store_ops *ops,
                 struct sw_store *store,
                 struct sw_arena *arena,
                 uint64_t job,
                 const char *why,
                 struct sw_err *err)
{
    struct survey survey = {.arena = arena, .why = why};
    int r = save(ops, store, &survey, job);
    if (r < 0)
        r = sw_fail(err, -r, "store: job %ju: %s", (uintmax_t)job, strerror(-r));
    assert(r < 0 || survey.found); /* its number came from its row, and nobody else writes */
    struct sw_row row = {.kind = SW_ROW_JOB, .of.job = survey.row};
    if (r == 0)
        r = ops->commit(store, &row, 1, err);
    sw_release((void *)survey.row.type);
    sw_release((void *)survey.row.owner);
    sw_release((void *)survey.row.key);
    sw_buf_done(&survey.body);
    return r;
}

int damaged_end(struct broker *broker, uint64_t job, const char *why, struct sw_err *err)
{
    struct core_action over = {.type = ACT_ENDED, .job = job};
    sw_log(SW_LOG_ERROR, "job damaged job=%ju error=\"%s\"", (uintmax_t)job, why);
    int r = damaged_save(broker->ops, journal_store(broker->journal), &broker->row_arena, job, why,
                         err);
    core_load_drop(broker->core, job);
    apply_action(broker, &over); /* the card, and what data and source know */
    return r;
}
