/* Any bytes as the head of a chunk's input, read as the agent does (how much is to be fetched) and
 * as the slot does (what the kernel sees): what the slot accepts makes sense, both agree on where
 * the chunk's bytes end, and it is the same when written again. */
#include "fuzz.h"

#include "agent/agent.h"
#include "agent/slot_child.h"
#include "base/pack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* All bytes are at hand, and none is kept elsewhere. */
ssize_t slot_stream_more(struct slot_stream *stream)
{
    (void)stream;
    return 0;
}

int slot_memfd(const char *name)
{
    (void)name;
    return -ENFILE;
}

static uint64_t check_and_write(const struct slot_head *head, struct sw_buf *ret)
{
    uint64_t owned = 0;
    sw_pack_array(ret, (uint32_t)head->n);
    for (size_t i = 0; i < head->n; i++) {
        const struct sw_segment *s = &head->segments[i];
        assert(s->name_size <= 4096 && strlen(s->name) == s->name_size);
        assert(s->file_size <= INT64_MAX && s->lead <= 1 && s->lead <= s->offset);
        assert(s->offset + s->size + s->tail <= s->file_size);
        assert(s->tail == 0 || i + 1 == head->n);
        owned += s->lead + s->size;
        sw_pack_array(ret, 8);
        sw_pack_bytes(ret, s->name, s->name_size);
        sw_pack_u64(ret, s->mode);
        sw_pack_i64(ret, s->mtime);
        sw_pack_u64(ret, s->file_size);
        sw_pack_u64(ret, s->offset);
        sw_pack_u64(ret, s->size);
        sw_pack_u64(ret, s->lead);
        sw_pack_u64(ret, s->tail);
    }
    return owned;
}

static int read_as_slot(const uint8_t *data, size_t size, struct slot_head *head, size_t *ret_size)
{
    struct slot_stream stream = {.bytes = data, .end = size, .fd = -1};
    int r = slot_head_read(head, &stream);
    assert(r == 0 || r == -EBADMSG || r == -EPIPE);
    *ret_size = stream.at;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slot_head head = {0}, again = {0};
    struct agent agent = {0};
    struct recipe recipe = {0};
    struct work work = {.recipe = &recipe};
    AUTO_BUF struct sw_buf written = {0}, rewritten = {0};
    size_t head_size, again_size;
    work.in.fd = -1;
    int r = read_as_slot(data, size, &head, &head_size);
    int r_agent = input_take(&agent, &work, data, size);
    assert(r_agent != -EBADMSG || r != 0); /* nothing is refused on the way that could run */
    if (r == 0) {
        uint64_t owned = check_and_write(&head, &written);
        assert(work.in.head_known && work.in.owned == head_size + owned);
        assert(read_as_slot(written.data, written.size, &again, &again_size) == 0);
        assert(again_size == written.size && check_and_write(&again, &rewritten) == owned);
        assert(written.size == rewritten.size &&
               memcmp(written.data, rewritten.data, written.size) == 0);
    }
    sw_buf_done(&work.in.head);
    sw_buf_done(&head.names);
    sw_buf_done(&again.names);
    sw_release(head.segments);
    sw_release(again.segments);
    return 0;
}
