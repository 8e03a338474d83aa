/* The broker's loop and what its parts share. Everything here belongs to the one loop thread; the
 * actors (journal, history, data, sync) are reached through their headers only. */
#ifndef BROKER_H
#define BROKER_H

#include "broker/cards.h"
#include "broker/core/core.h"
#include "broker/data.h"
#include "broker/feed.h"
#include "broker/history.h"
#include "broker/holdings.h"
#include "broker/journal.h"
#include "broker/source.h"
#include "proto/link.h"
#include "proto/message.h"

#include <uthash.h>

/* Inline inputs of all live jobs together; beyond it `ERROR spill`: the gateway sends a file
 * instead. */
#define BROKER_ARENA_BYTES ((size_t)64 << 20)
/* A message to an agent is sent when it has grown to this; the limit of the wire is 256 KiB. */
#define BROKER_BATCH_BYTES  ((size_t)192 << 10)
#define BROKER_BATCH_LEASES 1024
/* Requests of clients that wait for a commit, a look-up or a plan. */
#define BROKER_REQUESTS_MAX 100000
/* Where jobs end faster than rows are read, a row that may be old is read again. */
#define REREADS_MAX 3
/* Messages taken off the control socket before the other sockets are looked at again. */
#define BROKER_TURN_MESSAGES 2000
/* Plans and manifests that control keeps at hand. */
#define BROKER_SOURCE_BYTES ((size_t)32 << 20)

struct broker_config {
    char *state, *listen, *store, *add_peer, *copy_store, *copy_to, *backup;
    int64_t port;
    int64_t disk_low;                                                 /* bytes */
    int64_t retention_days, retention_bytes, quota_jobs, quota_bytes; /* 0 = none */
    bool standby, check, repair;
};

enum role { ROLE_NONE, ROLE_AGENT, ROLE_BROWSER, ROLE_GATEWAY, ROLE_ADMIN };

/* state.c: STATE, made if it is not there, and STATE/jobs */
int state_open(const char *state, int *ret_state_fd, int *ret_jobs_fd, struct sw_err *err);

/* ---- peers.c: STATE/keys/peers, who may come in as what ---- */
struct peer {
    char key[SW_KEY_TEXT];
    char name[64];
    enum role role;
    UT_hash_handle hh;
};
struct peers {
    int keys_fd;
    struct peer *by_key;
    uint64_t inode; /* of the file as it was read; all 0: none was there */
    int64_t size, mtime_ns;
    int unreadable; /* -errno that was logged */
    bool changed;   /* read anew; cleared by who acts on it */
};
int peers_open(struct peers *peers, int state_fd, struct sw_keys *ret_keys, struct sw_err *err);
void peers_close(struct peers *peers);
void peers_reload(struct peers *peers); /* reads the file if it has changed */
const struct peer *peers_find(const struct peers *peers, const char *key);
/* `shadow-broker --add-peer ROLE:NAME:FILE` */
int peers_add(int state_fd, const char *request, struct sw_err *err);

/* ---- devices.c ---- */
struct outbox {                /* one message to an agent, growing */
    enum sw_message_type type; /* ASSIGN, REVOKE, TAKEN; NONE while empty */
    uint64_t job;              /* ASSIGN */
    struct sw_msg_grant *grants;
    struct sw_msg_lease *leases;
    size_t n, grant_room, lease_room;
    struct sw_buf payload;
};
struct device {
    uint32_t index; /* in core */
    char key[SW_KEY_TEXT];
    char id[SW_DEVICE_ID_TEXT];
    struct sw_msg_device_row *row; /* owned clone */
    uint8_t route[64];
    size_t route_size;
    int fd;
    uint64_t session, serial_out;
    uint64_t bytes_limit;         /* a chunk costs at most this of its credit */
    char status[16], reason[160]; /* from BEAT */
    uint64_t load;
    bool unsaved; /* the journal had no room for its row */
    bool broken;  /* a send failed: EV_UNREACHABLE is due */
    bool revoked; /* its key is not listed any more, and data knows */
    bool noted;   /* the feed has it to tell */
    struct outbox out;
    UT_hash_handle hh;
};
struct devices {
    struct device *by_key;
    struct device **by_index;
    size_t n, room;
};
struct device *device_get(struct devices *devices,
                          const char *key); /* makes one; NULL beyond CORE_AGENTS_MAX */
struct device *device_find(const struct devices *devices, struct sw_str id);
void devices_done(struct devices *devices);

/* ---- kinds.c: (type, rev) pairs as small numbers ---- */
struct kinds {
    struct {
        char type[32];
        uint64_t rev;
    } pair[CORE_KINDS_MAX];
    uint32_t n;
};
/* -1: the table is full. */
int kind_of(struct kinds *kinds, struct sw_str type, uint64_t rev);

/* ---- requests.c: clients that wait ---- */
struct request {
    uint64_t id; /* core's and history's ref */
    uint8_t route[64];
    size_t route_size;
    uint64_t ref;
    enum sw_message_type type;
    uint64_t job;
    int64_t begun_ms; /* sw_boot_ms */
    bool looked_up;   /* in the store, at least once */
    void *message;    /* owned clone of the message, where it is needed later */
    struct sw_buf payload;
    bool submit;         /* the ADD belongs to a SUBMIT: failing takes the job back */
    bool seal;           /* after this ADD */
    const char *refused; /* the job is being taken back: this is the answer, with these words */
    struct sw_err words;
    uint32_t total_chunks;  /* GET_CHUNKS of an ended job: what its row said */
    bool was_live;          /* GET_CHUNKS: of a live job when it was asked */
    uint8_t rereads;        /* GET_JOBS: since jobs ended meanwhile */
    struct request *next;   /* in a list of waiting ones */
    struct request *joined; /* repeats: they get the same answer */
    UT_hash_handle hh;
};

/* ---- the broker ---- */
struct broker {
    struct broker_config config;
    int state_fd, jobs_fd;
    struct peers peers;
    struct sw_keys keys;
    uint8_t token_key[16];
    uint32_t epoch;
    const struct sw_store_ops *ops;
    char *store_where;
    struct core *core;
    struct journal *journal;
    struct history *history;
    struct data *data;
    struct source *source;
    zsock_t *control, *zap;
    struct devices devices;
    struct kinds kinds;
    struct disk disk;
    struct stall stall;
    struct holdings holdings;
    struct feed feed;
    struct retention retention;
    struct card *cards;
    size_t inline_bytes;
    struct request *requests;
    uint64_t last_request;
    const struct sw_frames *frames; /* of the message being handled */
    struct sw_arena arena, row_arena;
    struct sw_message message;
    struct sw_buf scratch, body;
    uint64_t committed_seq;
    bool stop;
    int failure;
};

/* loop.c */
void broker_feed(struct broker *broker,
                 const struct core_event *event); /* and carries out every action */
void broker_act(struct broker *broker);           /* every action that waits */
int broker_run(struct broker *broker);
/* standby.c: opens the store as its writer; with --standby waits until it may */
int store_open(struct broker *broker, struct sw_err *err);
/* recover.c: loads the store into the core and the cards, then starts the journal */
int recover(struct broker *broker, struct sw_err *err);
/* reload.c: an ended job comes back for RETRY, page by page */
void reload_begin(struct broker *broker, struct request *request, const struct sw_job_row *row);
void reload_more(struct broker *broker, struct request *request, const struct history_reply *reply);
/* recover.c: one row each, used by both */
int load_job_row(struct broker *broker, const struct sw_job_row *row);
int load_add_row(struct broker *broker, const struct sw_add_row *row, struct sw_err *err);
int load_chunk_row(struct broker *broker, const struct sw_chunk_row *row);
/* control.c */
void control_drain(struct broker *broker);
/* apply.c */
void apply_action(struct broker *broker, const struct core_action *action);
/* outbox.c */
void outbox_assign(struct broker *broker, const struct core_action *action);
void outbox_lease(struct broker *broker,
                  const struct core_action *action,
                  enum sw_message_type type);
void outbox_flush(struct broker *broker, struct device *device);
void outbox_flush_all(struct broker *broker);
int outbox_send(struct broker *broker,
                struct device *device,
                enum sw_message_type type,
                void *message);
/* agents.c: messages of agents */
typedef void control_fn(struct broker *broker, const struct peer *peer, const void *message);
control_fn agent_hello, agent_credit, agent_beat, agent_done, agent_fail, agent_return, agent_bye;
/* clients.c, inputs.c, queries.c: messages of clients */
control_fn client_submit, client_add, client_seal, client_cancel, client_retry, client_set,
    client_forget;
control_fn client_get_jobs, client_get_chunks, client_get_adds, client_get_agents, client_get_why,
    client_get_stats;
control_fn client_drain, client_resume, client_subscribe;

/* requests.c */
struct request *request_new(struct broker *broker, enum sw_message_type type, uint64_t ref);
struct request *request_find(struct broker *broker, uint64_t id);
void request_done(struct broker *broker, struct request *request);
void request_append(struct request **list, struct request *request);
void client_send(struct broker *broker,
                 const struct request *request,
                 enum sw_message_type type,
                 const void *message);
void client_ok(
    struct broker *broker, struct request *request, uint64_t job, uint32_t add, bool existing);
void client_error(struct broker *broker,
                  struct request *request,
                  const char *code,
                  const char *format,
                  ...) SW_PRINTF(4, 5);

/* clients.c */
void client_reply(struct broker *broker, const struct core_action *action);
void client_looked_up(struct broker *broker,
                      struct request *request,
                      const struct history_reply *reply);
/* Does what it asks for when the job lives; else the store is asked first. */
void client_run(struct broker *broker, struct request *request);
/* NULL: the client was told that there is no room. Keeps a clone of the message where there is one.
 */
struct request *client_remember(struct broker *broker,
                                enum sw_message_type type,
                                uint64_t ref,
                                uint64_t job,
                                const void *message);
void client_look_up(struct broker *broker,
                    struct request *request,
                    const struct history_request *ask);
/* submit.c */
/* A crash may have cut a SUBMIT short. Nobody was answered: what has no inputs goes, so that a
 * repeat makes it anew; what has them is sealed. */
void submit_recover(struct broker *broker);
void submit_looked_up(struct broker *broker,
                      struct request *request,
                      const struct history_reply *reply);
/* inline.c: into the card; of what fails nothing stays there. -E2BIG: an upload would do */
int inline_plan(struct broker *broker,
                struct card *card,
                struct request *request,
                const struct sw_msg_input *inputs,
                size_t n,
                struct plan *ret_plan,
                struct sw_buf *ret_bytes,
                struct sw_err *err);
/* inputs.c */
void inputs_queue(struct broker *broker, struct card *card, struct request *request);
void inputs_prepared(struct broker *broker, struct data_prepared *prepared);
/* queries.c */
void chunks_answered(struct broker *broker,
                     struct request *request,
                     const struct history_reply *reply);
void query_answered(struct broker *broker,
                    struct request *request,
                    const struct history_reply *reply);
/* rows.c: to and from the store */
void rows_save(struct broker *broker, const struct core_action *action);
/* render.c: rows and live state as the wire's records */
#define RENDER_JOB_TEXTS 256 /* bytes of texts that one rendered job may need */
void render_job(struct broker *broker,
                const struct sw_msg_job_row *row,
                uint64_t job,
                uint32_t row_status,
                struct sw_msg_job *ret,
                struct sw_buf *texts);
void render_device(struct broker *broker, const struct device *device, struct sw_msg_agent *ret);
const char *status_text(enum core_job_status status);
const char *chunk_state_text(enum core_chunk_state state);
int64_t render_wall(int64_t boot_ms); /* a moment on the core's clock as wall time; 0 stays 0 */
/* devices.c */
void device_save(struct broker *broker, struct device *device);

#endif
