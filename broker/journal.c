/* The store's only writer. Control fills batches, the actor commits them and gives them back.
 * Called by control; `run` is the only other thread, and the pipe, the handle it was started with,
 * two flags and a time all they share. */
#include "broker/journal.h"

#include "base/clock.h"
#include "broker/actor.h"
#include "broker/batch.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

#define BLOCK_BYTES ((size_t)256 << 10)

/* Batches kept for the next rows: as many as are under way when it is full. */
#define IDLE_MAX (JOURNAL_WAITING_MAX + 1)

/* Between two tries to write on a full disk. */
#define ROOM_MS 250

/* For the last batch, of a server that is away or a disk that is full: what is not committed was
 * not acknowledged. */
#define CLOSE_MS 5000

struct journal {
    const struct sw_store_ops *ops;
    struct sw_store *store; /* the actor's once it runs */
    zactor_t *actor;        /* NULL before journal_start */
    struct batch *current, *idle;
    unsigned n_idle;
    unsigned away;              /* batches given to the actor and not yet back */
    atomic_bool full, given_up; /* what the threads tell each other during a commit */
    _Atomic int64_t begun_ms;   /* the commit under way; 0: none is */
    uint64_t committed;
    int status; /* of the first commit that failed */
    struct sw_err err;
};

static void batches_destroy(struct batch *batch)
{
    while (batch) {
        struct batch *next = batch->next;
        batch_destroy(&batch);
        batch = next;
    }
}

/* ---- the actor ---- */

/* A full disk is waited for, as a server is that is away: starting anew would need room too, and
 * meanwhile jobs could not be read. */
static int commit(struct journal *journal, struct batch *batch)
{
    for (;;) {
        int r = journal->ops->commit(journal->store, batch->rows, batch->n, &batch->err);
        atomic_store(&journal->full, r == -ENOSPC);
        if (r != -ENOSPC || atomic_load(&journal->given_up))
            return r;
        poll(NULL, 0, ROOM_MS);
    }
}

static bool has_message(zsock_t *pipe)
{
    zmq_pollitem_t item = {.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, 0) > 0;
}

/* A piece of what FORGETs left. One that fails is tried again after the next batch, which says why
 * if the store is broken. */
static bool tidy(struct journal *journal)
{
    bool more = false;
    int r = journal->ops->tidy ? journal->ops->tidy(journal->store, &more, NULL) : 0;
    return r == 0 && more;
}

/* After a failure the rest comes back uncommitted: a later batch must not be durable without an
 * earlier one. */
static void run(zsock_t *pipe, void *arg)
{
    struct journal *journal = arg;
    struct batch *batch;
    int failed = 0;
    actor_begin(pipe);
    while (tidy(journal) && !has_message(pipe)) {
        /* what a crash left; then when nobody waits, and a piece after each batch */
    }
    while ((batch = actor_wait(pipe))) {
        batch->err.text[0] = '\0';
        atomic_store(&journal->begun_ms, sw_boot_ms());
        batch->status = failed ? -ECANCELED : commit(journal, batch);
        atomic_store(&journal->begun_ms, 0);
        failed |= batch->status;
        actor_give(pipe, batch);
        while (!failed && tidy(journal) && !has_message(pipe)) {
        }
    }
}

/* ---- control's side ---- */

static void hand_over(struct journal *journal)
{
    actor_give(zactor_sock(journal->actor), TAKE(journal->current));
    journal->away++;
}

static void come_back(struct journal *journal, struct batch *batch)
{
    assert(journal->away > 0);
    journal->away--;
    if (batch->status == 0) {
        journal->committed = batch->seq;
    } else if (journal->status == 0) {
        journal->status = batch->status;
        journal->err = batch->err;
    }
    if (journal->n_idle == IDLE_MAX) {
        batch_destroy(&batch);
        return;
    }
    batch_clear(batch);
    batch->next = journal->idle;
    journal->idle = batch;
    journal->n_idle++;
}

int journal_open(const struct sw_store_ops *ops,
                 const char *where,
                 struct journal **ret_journal,
                 uint32_t *ret_epoch,
                 struct sw_err *err)
{
    struct sw_store *store = NULL;
    uint32_t epoch = 0;
    int r = ops->open(where, true, &store, err);
    if (r < 0)
        return r;
    r = ops->claim(store, &epoch, err);
    if (r < 0) {
        ops->close(store);
        return r;
    }
    struct journal *journal = sw_alloc(1, sizeof *journal);
    journal->ops = ops;
    journal->store = store;
    *ret_journal = journal;
    *ret_epoch = epoch;
    return 0;
}

struct sw_store *journal_store(struct journal *journal)
{
    assert(!journal->actor);
    return journal->store;
}

void journal_start(struct journal *journal)
{
    assert(!journal->actor);
    journal->actor = zactor_new(run, journal);
    assert(journal->actor);
}

static struct batch *batch_start(struct journal *journal, uint64_t last_seq)
{
    struct batch *batch = journal->idle;
    if (batch) {
        journal->idle = batch->next;
        journal->n_idle--;
    } else {
        batch = batch_new(JOURNAL_ROWS_MAX, JOURNAL_BYTES_MAX, BLOCK_BYTES);
    }
    batch->seq = batch->seq_before = last_seq;
    return batch;
}

void journal_put(struct journal *journal, const struct sw_row *row, uint64_t seq)
{
    assert(journal->actor);
    uint64_t last = journal->committed;
    if (journal->current && !batch_fits(journal->current, row)) {
        struct batch *whole = journal->current;
        last = whole->seq;
        if (whole->seq == seq) /* cut in the middle of what shares a seq: its other half tells it */
            whole->seq = last = whole->seq_before;
        hand_over(journal);
    }
    if (!journal->current)
        journal->current = batch_start(journal, last);
    struct batch *batch = journal->current;
    assert(seq >= batch->seq);
    if (seq != batch->seq)
        batch->seq_before = batch->seq;
    batch->seq = seq;
    batch_put(batch, row);
}

void journal_flush(struct journal *journal)
{
    if (journal->current && journal->away == 0)
        hand_over(journal);
}

bool journal_full(const struct journal *journal)
{
    return journal->away > JOURNAL_WAITING_MAX; /* one is being committed */
}

bool journal_waits_for_room(struct journal *journal)
{
    return atomic_load(&journal->full);
}

int64_t journal_stalled_ms(struct journal *journal)
{
    int64_t begun_ms = atomic_load(&journal->begun_ms);
    int64_t ms = begun_ms ? sw_boot_ms() - begun_ms : 0;
    int64_t silent_ms = journal->ops->silent_ms ? journal->ops->silent_ms(journal->store) : 0;
    return SW_MAX(ms, silent_ms);
}

zsock_t *journal_socket(struct journal *journal)
{
    assert(journal->actor);
    return zactor_sock(journal->actor);
}

int journal_committed(struct journal *journal, uint64_t *ret_seq, struct sw_err *err)
{
    struct batch *batch;
    while ((batch = actor_take(zactor_sock(journal->actor))))
        come_back(journal, batch);
    if (journal->status == 0 && journal->ops->still_writer)
        journal->status = journal->ops->still_writer(journal->store, &journal->err);
    if (journal->status < 0) {
        if (err)
            *err = journal->err;
        return journal->status;
    }
    *ret_seq = journal->committed;
    return 0;
}

int journal_close(struct journal **p, struct sw_err *err)
{
    struct journal *journal = TAKE(*p);
    if (!journal)
        return 0;
    if (journal->current)
        hand_over(journal);
    while (journal->away > 0) {
        zsock_t *socket = zactor_sock(journal->actor);
        zmq_pollitem_t item = {.socket = zsock_resolve(socket), .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, CLOSE_MS) == 0) {
            atomic_store(&journal->given_up, true);
            if (journal->ops->give_up)
                journal->ops->give_up(journal->store);
        }
        struct batch *batch = actor_wait(socket);
        assert(batch);
        come_back(journal, batch);
    }
    zactor_destroy(&journal->actor);
    journal->ops->close(journal->store);
    int status = journal->status;
    if (status < 0 && err)
        *err = journal->err;
    batches_destroy(journal->idle);
    sw_release(journal);
    return status;
}
