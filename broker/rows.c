/* The core's SAVE actions as rows of the store. Bodies are the wire's records (messages.def,
 * "rows"). */
#include "broker/broker.h"

#include "base/clock.h"

#include <string.h>

/* The numbers of a job's row, as they are now, with what is being committed counted as done. */
static void count(const struct core_job_view *view, struct sw_msg_job_row *row)
{
    row->priority = view->priority;
    row->sealed = view->sealed;
    row->adds = view->adds;
    row->chunks = view->chunks;
    row->done = view->row_done;
    row->failed = view->row_failed;
    row->files = view->files;
    row->failed_files = view->failed_files;
    row->bytes_in = view->bytes_in;
    row->bytes_out = view->bytes_out;
    row->bytes_done = view->row_status == JOB_COMPLETED ? view->bytes_in : view->bytes_done;
    if (row->started_at == 0)
        row->started_at = render_wall(view->first_lease_ms);
    if (view->row_status >= JOB_COMPLETED && row->completed_at == 0)
        row->completed_at = sw_wall_ms();
    if (view->row_status == JOB_PROCESSING && row->completed_at) { /* RETRY */
        row->completed_at = 0;
        row->error = (struct sw_str){0};
        row->retries++;
    }
}

static void save_job(struct broker *broker, const struct core_action *action, struct sw_row *row)
{
    struct core_job_view view = {0};
    struct card *card = card_find(broker, action->job);
    if (!card) { /* SUBMIT: its event carried the card */
        card = (struct card *)action->payload;
        card->job = action->job;
        card_put(broker, card);
        data_job(broker->data, card->job, card->row->nonce,
                 sw_kernel_growth(card->kernel, &card->values), false);
    } else if (action->payload) { /* SET */
        const struct sw_str *name = action->payload;
        sw_release(card->renamed);
        card->renamed = sw_copy_text(name->p, name->n);
    }
    core_job(broker->core, action->job, &view);
    count(&view, card->row);
    card->row_status = view.row_status;
    struct sw_msg_job_row saved = *card->row;
    if (card->renamed)
        saved.name = sw_str_of(card->renamed);
    sw_encode_record(&sw_record_job_row, &saved, &broker->body);
    row->kind = SW_ROW_JOB;
    row->of.job = (struct sw_job_row){
        .job = action->job,
        .status = view.row_status,
        .type = card->row->type.p, /* clones are NUL-terminated */
        .owner = card->row->owner.p,
        .key = card->row->key.p,
        .final_ms = card->row->completed_at,
        .bytes = view.bytes_in + view.bytes_out,
    };
}

static void save_add(struct broker *broker, const struct core_action *action, struct sw_row *row)
{
    sw_encode_record(&sw_record_add_row, action->payload, &broker->body);
    row->kind = SW_ROW_ADD;
    row->of.add = (struct sw_add_row){.job = action->job, .add = action->add};
}

static void save_chunk(struct broker *broker, const struct core_action *action, struct sw_row *row)
{
    static const char lost[] = "the devices that worked on it vanished, five times";
    struct sw_msg_chunk_row none = {0};
    if (!action->payload && action->state == CHUNK_FAILED) {
        none.error = (struct sw_str){lost, sizeof lost - 1};
        none.completed_at = sw_wall_ms();
    }
    sw_encode_record(&sw_record_chunk_row, action->payload ? action->payload : &none,
                     &broker->body);
    row->kind = SW_ROW_CHUNK;
    row->of.chunk = (struct sw_chunk_row){.job = action->job,
                                          .chunk = action->chunk,
                                          .state = action->state,
                                          .attempts = action->attempts,
                                          .losses = action->losses};
}

void rows_save(struct broker *broker, const struct core_action *action)
{
    struct sw_row row = {0};
    sw_buf_clear(&broker->body);
    switch (action->row) {
    case ROW_JOB:
        save_job(broker, action, &row);
        row.of.job.body = broker->body.data;
        row.of.job.body_size = broker->body.size;
        break;
    case ROW_ADD:
        save_add(broker, action, &row);
        row.of.add.body = broker->body.data;
        row.of.add.body_size = broker->body.size;
        break;
    case ROW_CHUNK:
        save_chunk(broker, action, &row);
        row.of.chunk.body = broker->body.data;
        row.of.chunk.body_size = broker->body.size;
        break;
    case ROW_FORGET:
        row.kind = SW_ROW_FORGET;
        row.of.job.job = action->job;
        break;
    }
    journal_put(broker->journal, &row, action->seq);
    struct card *card = card_find(broker, action->job);
    if (card && action->row == ROW_FORGET)
        holdings_forget_live(broker, card);
    else if (card)
        holdings_changed(broker, card);
}
