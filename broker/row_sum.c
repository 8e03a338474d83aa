/* Sums of rows, every field of them. Called by copy.c to compare what was written with what was
 * read. */
#include "broker/row_sum.h"

#include <string.h>

static crypto_generichash_state *state_of(struct row_sum *sum)
{
    size_t over = (uintptr_t)sum->room % ROW_SUM_ALIGN;
    return (crypto_generichash_state *)(sum->room + ROW_SUM_ALIGN - over);
}

void row_sum_begin(struct row_sum *sum)
{
    crypto_generichash_init(state_of(sum), NULL, 0, ROW_SUM_BYTES);
}

void row_sum_end(struct row_sum *sum)
{
    crypto_generichash_final(state_of(sum), sum->bytes, ROW_SUM_BYTES);
}

static void put_number(struct row_sum *sum, uint64_t number)
{
    crypto_generichash_update(state_of(sum), (const uint8_t *)&number, sizeof number);
}

/* With its length, so that no two rows look alike. */
static void put_bytes(struct row_sum *sum, const void *p, size_t size)
{
    put_number(sum, size);
    crypto_generichash_update(state_of(sum), p, size);
}

static void put_text(struct row_sum *sum, const char *text)
{
    put_bytes(sum, text, strlen(text));
}

static void put_job(struct row_sum *sum, const struct sw_job_row *job)
{
    put_number(sum, job->job);
    put_number(sum, job->status);
    put_text(sum, job->type);
    put_text(sum, job->owner);
    put_text(sum, job->key);
    put_number(sum, (uint64_t)job->final_ms);
    put_number(sum, job->bytes);
    put_bytes(sum, job->body, job->body_size);
}

static void put_chunk(struct row_sum *sum, const struct sw_chunk_row *chunk)
{
    put_number(sum, chunk->job);
    put_number(sum, chunk->chunk);
    put_number(sum, chunk->state);
    put_number(sum, chunk->attempts);
    put_number(sum, chunk->losses);
    put_bytes(sum, chunk->body, chunk->body_size);
}

void row_sum_put(struct row_sum *sum, const struct sw_row *row)
{
    put_number(sum, row->kind);
    switch (row->kind) {
    case SW_ROW_JOB:
        put_job(sum, &row->of.job);
        break;
    case SW_ROW_ADD:
        put_number(sum, row->of.add.job);
        put_number(sum, row->of.add.add);
        put_bytes(sum, row->of.add.body, row->of.add.body_size);
        break;
    case SW_ROW_CHUNK:
        put_chunk(sum, &row->of.chunk);
        break;
    case SW_ROW_DEVICE:
        put_text(sum, row->of.device.device);
        put_bytes(sum, row->of.device.body, row->of.device.body_size);
        break;
    case SW_ROW_FORGET: /* never read */
        put_number(sum, row->of.job.job);
        break;
    }
}
