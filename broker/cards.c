/* Cards: what the broker keeps of a live job beside the core's numbers: its words, its kernel with
 * parameters, and its inline inputs. */
#include "broker/broker.h"

#include <errno.h>
#include <string.h>

static void point_params(struct card *card)
{
    for (size_t i = 0; i < card->row->n_params; i++) /* clones are NUL-terminated */
        card->params[i] = (struct sw_param_text){.name = card->row->params[i].name.p,
                                                 .value = card->row->params[i].value.p,
                                                 .value_size = card->row->params[i].value.n};
}

struct card *card_new(struct sw_msg_job_row *row_take, struct kinds *kinds)
{
    struct card *card = sw_alloc(1, sizeof *card);
    card->row = row_take;
    AUTO(sw_text) char *type = sw_copy_text(row_take->type.p, row_take->type.n);
    card->kernel = sw_kernel_find(type);
    if (card->kernel && card->kernel->rev != row_take->rev)
        card->kernel = NULL;
    int kind = kind_of(kinds, row_take->type, row_take->rev);
    card->kind = kind < 0 ? CORE_KINDS_MAX - 1 : (uint32_t)kind;
    card->params = sw_alloc(row_take->n_params, sizeof *card->params);
    point_params(card);
    return card;
}

int card_check(struct card *card, struct sw_err *err)
{
    if (!card->kernel)
        return sw_fail(err, EINVAL, "type `%.32s` is not one of this broker's", card->row->type.p);
    return sw_params_parse(card->kernel, card->params, card->row->n_params, &card->values, err);
}

void card_destroy(struct card **card)
{
    if (!*card)
        return;
    for (size_t i = 0; i < (*card)->n_inlines; i++) {
        sw_manifest_done(&(*card)->inlines[i].manifest);
        sw_plan_done(&(*card)->inlines[i].plan);
        sw_buf_done(&(*card)->inlines[i].bytes);
    }
    sw_release((*card)->renamed);
    sw_release((*card)->inlines);
    sw_release((*card)->params);
    sw_release((*card)->row);
    sw_release(*card);
    *card = NULL;
}

struct inline_add *card_add_inline(struct card *card, uint32_t add, uint32_t first_chunk)
{
    sw_grow(&card->inlines, &card->inline_room, card->n_inlines + 1, sizeof *card->inlines);
    struct inline_add *new_add = &card->inlines[card->n_inlines++];
    *new_add = (struct inline_add){.add = add, .first_chunk = first_chunk};
    return new_add;
}

void card_inline_manifests(const struct card *card, struct sw_buf *ret)
{
    for (size_t i = 0; i < card->n_inlines; i++)
        sw_buf_put(ret, card->inlines[i].manifest.bytes.data, card->inlines[i].manifest.bytes.size);
}

void card_drop_inline(struct card *card)
{
    struct inline_add *last = &card->inlines[--card->n_inlines];
    sw_manifest_done(&last->manifest);
    sw_plan_done(&last->plan);
    sw_buf_done(&last->bytes);
}

void card_rename(struct card *card, struct sw_str name)
{
    struct sw_err err;
    struct sw_msg_job_row row = *card->row;
    row.name = name;
    struct sw_msg_job_row *renamed = sw_record_clone(&sw_record_job_row, &row);
    sw_release(card->row);
    card->row = renamed;
    point_params(card);
    card_check(card, &err); /* values point into the row; the same ones passed before */
}

const struct inline_add *card_inline(const struct card *card, uint32_t chunk)
{
    size_t low = 0, high = card->n_inlines; /* the last one that begins at or before the chunk */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (card->inlines[middle].first_chunk <= chunk)
            low = middle + 1;
        else
            high = middle;
    }
    const struct inline_add *add = low ? &card->inlines[low - 1] : NULL;
    return add && chunk - add->first_chunk < add->plan.head.n_chunks ? add : NULL;
}

bool card_stream(const struct card *card, uint32_t chunk, struct sw_buf *ret_stream)
{
    const struct inline_add *add = card_inline(card, chunk);
    if (!add)
        return false;
    const uint32_t *first = &add->plan.first_piece[chunk - add->first_chunk];
    const struct sw_plan_piece *pieces = &add->plan.pieces[first[0]];
    uint32_t n = first[1] - first[0];
    sw_stream_head(&add->manifest, pieces, n, ret_stream);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at =
            add->manifest.entries[pieces[i].entry].offset + pieces[i].offset - pieces[i].lead;
        uint64_t size = pieces[i].lead + pieces[i].size + (i + 1 == n ? pieces[i].tail : 0);
        sw_buf_put(ret_stream, add->bytes.data + at, size);
    }
    return true;
}

void card_put(struct broker *broker, struct card *card)
{
    HASH_ADD(hh, broker->cards, job, sizeof card->job, card);
    holdings_live(broker, card, true);
}

struct card *card_find(const struct broker *broker, uint64_t job)
{
    struct card *card = NULL;
    HASH_FIND(hh, broker->cards, &job, sizeof job, card);
    return card;
}

struct card *card_live(const struct broker *broker, uint64_t job)
{
    struct card *card = card_find(broker, job);
    return card && !card->loading && !card->reopening ? card : NULL;
}

void card_end(struct broker *broker, struct card *card)
{
    struct request *lists[] = {card->waiting, card->adding};
    if (card->preparing) /* inputs_prepared has the head's answer */
        lists[1] = card->adding->next;
    broker->inline_bytes -= card->inline_bytes;
    holdings_live(broker, card, false);
    HASH_DEL(broker->cards, card);
    card_destroy(&card);
    for (size_t i = 0; i < SW_COUNT(lists); i++) {
        for (struct request *request = lists[i], *next; request; request = next) {
            next = request->next;
            request->next = NULL;
            client_run(broker, request);
        }
    }
}
