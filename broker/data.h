/* The data actor: FETCH and STORE on the data port, and taking uploads into jobs. A thread of its
 * own with its own ROUTER; control is its only caller and owns none of its state. Pointers change
 * owner through the pipe. */
#ifndef BROKER_DATA_H
#define BROKER_DATA_H

#include "broker/plan.h"
#include "proto/link.h"

/* FETCH and STORE under way for one agent, granted in WELCOME: less where many agents would have
 * more than DATA_UNSENT_MAX under way in all, but always one slice. Who takes more than it was
 * granted runs into the queue's limit (SW_DATA_QUEUE): what does not fit there is not answered. */
#define DATA_WINDOW_BYTES ((uint64_t)1 << 20)
#define DATA_UNSENT_MAX   ((uint64_t)64 << 20)

struct data;

struct data_setup {
    int state_fd;          /* STATE: has uploads/ and jobs/; borrowed for ever */
    const char *endpoint;  /* tcp://127.0.0.1:7421 */
    struct sw_keys keys;   /* the broker's */
    uint8_t token_key[16]; /* of lease tokens */
};
int data_open(const struct data_setup *setup, struct data **ret, struct sw_err *err);
void data_close(struct data **data); /* ends the thread; unanswered requests are dropped */

/* Lease tokens of this job carry this nonce. Before its first ASSIGN. `growth` bounds its
 * outputs. `recovered`: the broker starts with it, and its folder is looked at. */
void data_job(
    struct data *data, uint64_t job, uint64_t nonce, struct sw_growth growth, bool recovered);
/* An ADD that lies on disk (after recovery; data_prepare does it by itself). */
void data_add(
    struct data *data, uint64_t job, uint32_t add, uint32_t first_chunk, uint32_t n_chunks);
/* The job ended: its tokens count no more, open files are closed, outputs that are no result go;
 * with `remove` its whole folder goes. */
void data_forget(struct data *data, uint64_t job, bool remove);
/* The chunk's row names the output of this lease: out.CHUNK.N stays, those of its other leases go.
 * Also before the row is durable: who says DONE again STOREs first. */
void data_result(struct data *data, uint64_t job, uint32_t chunk, uint64_t n);
/* Of a recovered job: every row that names an output was told of, so that the others in its folder
 * are no results. Until then it keeps them all, also when it ends: a row may be damaged. */
void data_results_told(struct data *data, uint64_t job);

/* This key may ask no more (or again): its tokens are good, its connection may still be open. */
void data_revoke(struct data *data, const char *key, bool revoked);

/* Links uploads into the job's folder as in.ADD.PART, plans, writes plan.ADD and manifest.ADD,
 * durable. */
struct data_prepare {
    uint64_t ref; /* comes back */
    uint64_t job;
    uint32_t add, first_chunk;
    const struct sw_kernel *kernel;
    struct sw_param_text
        *params; /* owned by the request, with their texts, as is everything below */
    size_t n_params;
    uint64_t expected_bytes; /* of the whole job; 0 or less than what comes = what comes */
    uint32_t grain_slots;    /* slots online: grain = sw_grain(expected, slots) */
    uint32_t chunk_count; /* of the whole job: shared out by bytes when expected_bytes is more; 0 =
                             by grain */
    char (*uploads)[SW_UPLOAD_ID_SIZE + 1];
    size_t n_uploads;
    struct sw_buf texts;   /* storage of the params' texts */
    struct sw_buf inlines; /* manifests of the job's inline inputs: their names are taken */
};
void data_prepare_take(struct data *data, struct data_prepare *request); /* heap, from sw_alloc */

struct data_prepared {
    uint64_t ref;
    uint64_t job;
    uint32_t add;
    int status; /* 0; -ENOENT upload unknown, -EAGAIN not complete, -EINVAL, -ENOSPC, -E2BIG; words
                   in err */
    struct sw_err err;
    struct plan plan; /* pieces dropped: head, sizes and counts */
};
zsock_t *data_socket(struct data *data); /* to poll for reading; then data_next until NULL */
struct data_prepared *data_next(struct data *data);
void data_prepared_destroy(struct data_prepared **prepared);

#endif
