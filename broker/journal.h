/* The only writer of the store, as an actor of its own thread, so that the loop never waits for the
 * disk. It commits at once when idle; what is put during a commit is the next batch.
 *
 * The control thread is the only caller. A batch belongs to one thread at a time: the pointer moves
 * through the actor's pipe and comes back when its rows are durable. */
#ifndef BROKER_JOURNAL_H
#define BROKER_JOURNAL_H

#include "store/store.h"

#include <czmq.h>

/* One commit: enough that its fsync costs each row under 0.1 us; it bounds the wait of whoever
 * comes next. */
#define JOURNAL_ROWS_MAX  4096
#define JOURNAL_BYTES_MAX ((size_t)8 << 20)
/* Whole batches that may wait behind the one being committed before clients are told `busy`: half a
 * second of a disk that writes 50 MB/s. */
#define JOURNAL_WAITING_MAX 2

struct journal;

/* Opens the store and claims the writer's place. -EBUSY with words when another broker lives. */
int journal_open(const struct sw_store_ops *ops,
                 const char *where,
                 struct journal **ret_journal,
                 uint32_t *ret_epoch,
                 struct sw_err *err);

/* Until journal_start the store's handle is the caller's: recovery reads jobs through it, and
 * secrets are read and made (meta_get, meta_put). After it the handle is the actor's alone. */
struct sw_store *journal_store(struct journal *);
void journal_start(struct journal *);

/* Copies the row into the current batch: no system call, no malloc a row. seq never falls; rows
 * that share one are committed before that seq is told. */
void journal_put(struct journal *, const struct sw_row *row, uint64_t seq);

/* Hands over what waits, if the actor is idle or a batch is whole. Call it once a turn of the loop.
 */
void journal_flush(struct journal *);

/* JOURNAL_WAITING_MAX batches wait: every request of a client that would write is answered
 * `ERROR busy`. What agents say is still put, so that heartbeats are heard and work goes on: a
 * result holds its agent's credit until TAKEN, which follows its commit, so that at most
 * CORE_HELD_MAX rows of each agent can wait; BEAT and RETURN write none,
 * and of a device that comes and goes one row waits (device_save). */
bool journal_full(const struct journal *);

/* The disk is full, and the batch at hand is tried again until there is room. */
bool journal_waits_for_room(struct journal *);

/* For how long the store has been silent: its server, or the commit under way. 0: it is not. */
int64_t journal_stalled_ms(struct journal *);

/* To poll for reading; then call journal_committed. */
zsock_t *journal_socket(struct journal *);

/* 0: everything up to *ret_seq is durable (all that is known by now is taken off the socket).
 * -errno with words: a commit failed, nothing after *ret_seq's last value is known to be durable
 * and nothing more will be: the broker stops (recovery, not retry). */
int journal_committed(struct journal *, uint64_t *ret_seq, struct sw_err *err);

/* Commits what was put, then ends. -errno with words when that failed. NULL-safe, sets NULL. */
int journal_close(struct journal **, struct sw_err *err);

#endif
