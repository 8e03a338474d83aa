/* FETCH and STORE: slices of chunk inputs out, slices of outputs in. Whose lease is asked for is
 * shown by its token; a wrong one changes nothing and reads nothing. Part of the data actor. */
#include "broker/data_actor.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

struct lease { /* as FETCH and STORE name it */
    uint64_t job, chunk, n, token;
};

static bool
is_valid(struct data_actor *actor, const struct sw_frames *frames, const struct lease *lease)
{
    const struct data_job *job = data_job_of(actor, lease->job);
    return job && lease->chunk <= UINT32_MAX && !data_key_revoked(actor, frames->user_id) &&
           lease->token == sw_lease_token(actor->setup.token_key, job->nonce,
                                          (uint32_t)lease->chunk, lease->n, frames->user_id);
}

static void reply(struct data_actor *actor,
                  const void *route,
                  size_t route_size,
                  const struct sw_msg_stored *answer)
{
    sw_buf_clear(&actor->header);
    sw_encode(SW_MSG_STORED, answer, &actor->header);
    sw_link_send(actor->router, route, route_size, &actor->header, NULL,
                 0); /* gone: it asks again */
}

/* Reads into *message, which is initialised either way: what is sent is not copied again. */
static int read_slice(struct data_actor *actor,
                      const struct sw_msg_fetch *m,
                      zmq_msg_t *message,
                      struct sw_err *err)
{
    size_t got = 0, size = SW_MIN((size_t)m->size, SW_SLICE_BYTES_MAX);
    if (zmq_msg_init_size(message, size) < 0)
        abort(); /* a slice: as any small allocation */
    int r = source_read(actor->source, m->job, (uint32_t)m->chunk, m->offset, zmq_msg_data(message),
                        size, &got, NULL, err);
    if (r == 0 && got == size)
        return 0;
    zmq_msg_t whole; /* a message cannot shrink */
    zmq_msg_init(&whole);
    zmq_msg_move(&whole, message);
    if (zmq_msg_init_size(message, r < 0 ? 0 : got) < 0)
        abort();
    if (r == 0 && got)
        memcpy(zmq_msg_data(message), zmq_msg_data(&whole), got);
    zmq_msg_close(&whole);
    return r;
}

static void fetch(struct data_actor *actor, struct sw_frames *frames, const struct sw_msg_fetch *m)
{
    struct lease lease = {m->job, m->chunk, m->n, m->token};
    struct sw_msg_slice answer = {.job = m->job, .chunk = m->chunk, .n = m->n, .offset = m->offset};
    struct sw_err err = {"this lease is not known here"};
    zmq_msg_t slice;
    int r = -ESTALE;
    if (is_valid(actor, frames, &lease))
        r = read_slice(actor, m, &slice, &err);
    else
        zmq_msg_init(&slice);
    if (r == -ESTALE)
        answer.error = sw_str_of("stale");
    else if (r < 0)
        answer.error = sw_str_of(err.text);
    if (r == -EBADMSG)
        sw_log(SW_LOG_ERROR, "input corrupt job=%ju chunk=%ju error=%s", (uintmax_t)m->job,
               (uintmax_t)m->chunk, err.text);
    sw_buf_clear(&actor->header);
    sw_encode(SW_MSG_SLICE, &answer, &actor->header);
    sw_link_send_take(actor->router, zmq_msg_data(&frames->route), zmq_msg_size(&frames->route),
                      &actor->header, &slice); /* gone: it asks again */
}

/* The lease's STORE that waits for the disk; few do. */
static struct data_store *waiting_of(struct data_actor *actor, const struct sw_msg_store *m)
{
    for (struct data_store *store = actor->stores; store; store = store->hh.next)
        if (store->answer.job == m->job && store->answer.chunk == m->chunk &&
            store->answer.n == m->n)
            return store;
    return NULL;
}

static void set_route(struct data_store *store, const struct sw_frames *frames)
{
    zmq_msg_t *route = (zmq_msg_t *)&frames->route;
    store->route_size = SW_MIN(zmq_msg_size(route), sizeof store->route);
    memcpy(store->route, zmq_msg_data(route), store->route_size);
}

/* Asks `sync` for it; answered by transfer_synced. */
static int make_durable(struct data_actor *actor,
                        const struct sw_frames *frames,
                        int folder,
                        const struct sw_msg_stored *answer)
{
    uint64_t ref = ++actor->last_ref;
    int r = sync_ask(actor->sync, &(struct sync_request){.ref = ref,
                                                         .folder_fd = folder,
                                                         .chunk = (uint32_t)answer->chunk,
                                                         .n = answer->n});
    if (r < 0) /* as many as may be under way: the agent asks again */
        return -EBUSY;
    struct data_store *store = sw_alloc(1, sizeof *store);
    store->ref = ref;
    store->answer = *answer;
    store->answer.last = true;
    set_route(store, frames);
    HASH_ADD(hh, actor->stores, ref, sizeof store->ref, store);
    return 0;
}

static void set_error(struct sw_msg_stored *answer, int r)
{
    answer->error = sw_str_of(r == -ESTALE                   ? "stale"
                              : r == -ENOSPC || r == -EDQUOT ? "disk_full"
                                                             : "failed");
    if (r != -ESTALE)
        sw_log(SW_LOG_WARNING, "output not stored job=%ju chunk=%ju error=%s",
               (uintmax_t)answer->job, (uintmax_t)answer->chunk, strerror(-r));
}

/* What no run of its kernel gives must not fill the disk. */
static bool is_too_large(struct data_actor *actor,
                         const struct data_job *job,
                         const struct sw_msg_store *m,
                         size_t size)
{
    uint64_t bytes = source_bytes(actor->source, m->job, (uint32_t)m->chunk);
    uint64_t files = source_pieces(actor->source, m->job, (uint32_t)m->chunk);
    if (files == 0) { /* its inputs came inline: only control knows them */
        bytes = SW_INLINE_BYTES_MAX;
        files = SW_CHUNK_FILES_MAX;
    }
    uint64_t most = SW_MIN(bytes, UINT64_C(1) << 50) * job->growth.times + files * job->growth.more;
    return size > most || m->offset > most - size;
}

/* What came once more after the end changes nothing and is answered as the first time. */
static int append(struct data_job *job,
                  int folder,
                  const struct sw_msg_store *m,
                  const void *bytes,
                  size_t size,
                  struct sw_msg_stored *answer)
{
    int r =
        sw_output_append(folder, (uint32_t)m->chunk, m->n, m->offset, bytes, size, &answer->size);
    if (r == 0)
        data_outputs_note(job, folder, (uint32_t)m->chunk, m->n);
    return r == -EEXIST && m->offset + size == answer->size ? 0 : r;
}

static void store(struct data_actor *actor, struct sw_frames *frames, const struct sw_msg_store *m)
{
    struct lease lease = {m->job, m->chunk, m->n, m->token};
    struct sw_msg_stored answer = {.job = m->job, .chunk = m->chunk, .n = m->n};
    const void *bytes = frames->n > 1 ? sw_frame_data(frames, 1) : "";
    size_t size = frames->n > 1 ? sw_frame_size(frames, 1) : 0;
    struct data_job *job = data_job_of(actor, m->job);
    int folder = -1, r = is_valid(actor, frames, &lease) ? 0 : -ESTALE;
    struct data_store *waiting = r == 0 ? waiting_of(actor, m) : NULL;
    if (waiting) { /* its bytes stay as they are; who asks again hears when they are durable */
        set_route(waiting, frames);
        return;
    }
    if (r == 0) {
        folder = data_job_folder(actor, job);
        r = folder < 0 ? folder : is_too_large(actor, job, m, size) ? -EFBIG : 0;
    }
    if (r == 0)
        r = append(job, folder, m, bytes, size, &answer);
    if (r == 0 && m->last) {
        r = make_durable(actor, frames, folder, &answer);
        if (r == 0)
            return;
    }
    if (r == -EBUSY)
        return; /* no answer yet: the last part is sent again */
    if (r < 0 && r != -ERANGE && r != -EEXIST)
        set_error(&answer, r);
    reply(actor, zmq_msg_data(&frames->route), zmq_msg_size(&frames->route), &answer);
}

void transfer_drain(struct data_actor *actor)
{
    for (int i = 0; i < DATA_TURN; i++) {
        struct sw_frames frames;
        struct sw_err err;
        int r = sw_link_recv(actor->router, true, SW_DATA_BYTES_MAX, &frames);
        if (r == -EAGAIN)
            return;
        if (r == 0)
            r = sw_decode(sw_frame_data(&frames, 0), sw_frame_size(&frames, 0), &actor->arena,
                          &actor->message, &err);
        if (r == 0 && actor->message.type == SW_MSG_FETCH)
            fetch(actor, &frames, &actor->message.of.fetch);
        else if (r == 0 && actor->message.type == SW_MSG_STORE)
            store(actor, &frames, &actor->message.of.store);
        sw_frames_done(&frames);
    }
}

void transfer_synced(struct data_actor *actor)
{
    struct sync_reply synced;
    while (sync_next(actor->sync, &synced)) {
        struct data_store *waiting = NULL;
        HASH_FIND(hh, actor->stores, &synced.ref, sizeof synced.ref, waiting);
        if (synced.fatal) {
            sw_log(SW_LOG_ERROR, "sync failed error=%s", strerror(-synced.status));
            abort(); /* recovery, not retry: what is on the disk is unknown */
        }
        if (!waiting)
            continue;
        if (synced.status < 0)
            set_error(&waiting->answer, synced.status);
        reply(actor, waiting->route, waiting->route_size, &waiting->answer);
        HASH_DEL(actor->stores, waiting);
        sw_release(waiting);
    }
}
