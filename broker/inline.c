/* Inputs that came within their message: planned into the job's card, from which they ride in
 * ASSIGN. Called by inputs.c; never tells the core. */
#include "broker/broker.h"
#include "broker/names.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Names and numbers of one chunk's inline inputs; with its bytes it still fits in an ASSIGN. */
#define INLINE_HEAD_MAX ((size_t)160 << 10)

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

/* Against the other inline ones; `data` checks uploads against them. */
static int check_names(const struct card *card, struct sw_err *err)
{
    if (card->kernel->shape == SW_FILES && card->next_add >= card->n_inlines)
        return sw_fail(err, EINVAL, "inline inputs come before uploads");
    struct sw_manifest all = {0};
    card_inline_manifests(card, &all.bytes);
    int r = sw_manifest_parse(&all, err);
    if (r == 0)
        r = names_check(card->kernel, &card->values, &all, err);
    sw_manifest_done(&all);
    return r;
}

static int plan_it(struct broker *broker,
                   struct card *card,
                   struct inline_add *add,
                   size_t bytes,
                   struct plan *ret_plan,
                   struct sw_err *err)
{
    struct plan_request wanted = {.kernel = card->kernel,
                                  .values = &card->values,
                                  .manifest = &add->manifest,
                                  .first_chunk = card->next_chunk,
                                  .grain = grain_for(broker, card, bytes),
                                  .chunk_count = plan_share((uint32_t)card->row->chunk_count,
                                                            card->row->expected_bytes, bytes)};
    int r = check_names(card, err);
    return r < 0 ? r : plan_make(&wanted, ret_plan, err);
}

int inline_plan(struct broker *broker,
                struct card *card,
                struct request *request,
                const struct sw_msg_input *inputs,
                size_t n,
                struct plan *ret_plan,
                struct sw_buf *ret_bytes,
                struct sw_err *err)
{
    struct plan plan = {0};
    struct inline_add *add = card_add_inline(card, card->next_add, card->next_chunk);
    int r = manifest_of(inputs, n, &request->payload, &add->manifest, err);
    if (r == 0)
        r = plan_it(broker, card, add, request->payload.size, &plan, err);
    if (r == 0) {
        sw_plan_encode(&plan.head, plan.pieces, plan.n, ret_bytes);
        r = sw_plan_decode(ret_bytes->data, ret_bytes->size, &add->plan, err);
    }
    r = r == -E2BIG ? -EINVAL : r; /* other limits: an upload would meet them too */
    if (r == 0 && !fits_assign(add, plan.sizes))
        r = sw_fail(err, E2BIG, "inline inputs: at most 16 KiB a chunk: send an upload");
    if (r < 0) {
        card_drop_inline(card);
        plan_done(&plan);
        return r;
    }
    add->bytes = request->payload; /* moves */
    request->payload = (struct sw_buf){0};
    card->inline_bytes += add->bytes.size;
    broker->inline_bytes += add->bytes.size;
    *ret_plan = plan;
    return 0;
}
