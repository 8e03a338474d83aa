/* Inside the data actor: its thread's state, shared by data.c (thread, pipe), data_jobs.c (jobs and
 * keys), data_outputs.c (outputs that are no result) and transfer.c (FETCH, STORE). */
#ifndef BROKER_DATA_ACTOR_H
#define BROKER_DATA_ACTOR_H

#include "broker/data.h"
#include "broker/names.h"
#include "broker/source.h"
#include "broker/sync.h"
#include "proto/message.h"

#include <uthash.h>

#define DATA_CACHE_BYTES ((size_t)64 << 20) /* plans and manifests */
#define DATA_TURN                                                                                  \
    256 /* messages taken before the pipe is looked at again: one window of every 64th agent */
#define DATA_OPEN_MAX 64 /* job folders kept open */
/* Outputs kept of a chunk without a result: two may be worked on (CORE_LEASES_MAX), the rest are of
 * leases that were given back or lost. The oldest goes first. */
#define DATA_OUTPUTS_MAX 16

struct data_job {
    uint64_t job, nonce;
    struct sw_growth growth;
    int fd; /* its folder; -1 = not open */
    struct data_outputs *outputs;
    bool untold; /* rows that name one of them may still come, or be damaged */
    UT_hash_handle hh;
};

struct data_store { /* a STORE whose answer waits for the disk: one a lease */
    uint64_t ref;
    uint8_t route[64];
    size_t route_size;
    struct sw_msg_stored answer;
    UT_hash_handle hh;
};

struct data_actor {
    struct data_setup setup;
    int jobs_fd, uploads_fd;
    zsock_t *router, *pipe;
    struct source *source;
    struct names *names;
    struct sync *sync;
    struct data_job *jobs;
    size_t open_folders;
    struct data_key *revoked; /* keys with open connections that count no more */
    struct data_store *stores;
    uint64_t last_ref;
    struct sw_arena arena;
    struct sw_message message;
    struct sw_buf header;
};

void transfer_drain(struct data_actor *actor);  /* FETCH and STORE that wait */
void transfer_synced(struct data_actor *actor); /* answers STOREs that are durable */

struct data_job *data_job_of(struct data_actor *actor, uint64_t job);
void data_job_learn(struct data_actor *actor,
                    uint64_t job,
                    uint64_t nonce,
                    struct sw_growth growth,
                    bool recovered);
void data_job_forget(struct data_actor *actor, uint64_t job, bool remove);
int data_job_folder(struct data_actor *actor,
                    struct data_job *job); /* opens, or makes it; -errno */
void data_jobs_done(struct data_actor *actor);

/* The lease has bytes in the folder. */
void data_outputs_note(struct data_job *job, int folder, uint32_t chunk, uint64_t n);
/* What lies in the folder, before anything else is known of it. */
void data_outputs_find(struct data_actor *actor, struct data_job *job);
/* The chunk's result is this lease's output: it stays, the others go. */
void data_outputs_result(struct data_actor *actor,
                         struct data_job *job,
                         uint32_t chunk,
                         uint64_t n);
/* The job is forgotten here: removes what is no result, or only forgets it. */
void data_outputs_end(struct data_actor *actor, struct data_job *job, bool remove);

bool data_key_revoked(const struct data_actor *actor, const char *key);
void data_key_set(struct data_actor *actor, const char *key, bool revoked);

#endif
