/* The agent's loop and what its parts share. All of it belongs to the one loop thread: the control
 * session, the transfers and the slots. */
#ifndef AGENT_H
#define AGENT_H

#include "credit.h"
#include "work.h"

#include "proto/brokers.h"
#include "proto/link.h"
#include "proto/message.h"

#define AGENT_BEAT_MS   2000 /* design.md section 3 */
#define AGENT_SILENT_MS 6000 /* three heartbeats without an answer: a new session */
#define AGENT_HELLO_MS  1000
/* No SLICE or STORED for this long: asked again. */
#define AGENT_ASK_AGAIN_MS 3000
/* From SIGTERM until what still runs is handed back; systemd and people expect five seconds. */
#define AGENT_DRAIN_MS 4500
/* After a fault (no memory, no process, an output that cannot be stored): nothing begins for so
 * long. */
#define AGENT_PAUSE_MS 2000
/* A message is sent when it has grown to this; the limit of the wire is 256 KiB. */
#define AGENT_BATCH_BYTES   ((size_t)192 << 10)
#define AGENT_BATCH_RESULTS 1024
/* Messages taken off a socket before the others are looked at again. */
#define AGENT_TURN_MESSAGES 500
/* Larger inputs are streamed to their slot through a pipe. */
#define AGENT_INPUT_MAX ((uint64_t)64 << 20)
/* Outputs not yet STORED, a slot: beyond it no new run starts. */
#define AGENT_UNSENT_MAX ((uint64_t)64 << 20)

/* Memory of inputs that are done with, kept for the next ones, of all recipes. */
#define AGENT_SPARE_MAX ((uint64_t)64 << 20)

struct agent_config {
    char *broker, *name, *key, *scratch, *types;
    int64_t slots, memory, slot_cpu_seconds;
};

struct session {
    zsock_t *control, *watch;
    uint64_t id, serial_out, serial_in;
    bool connected, welcomed;
    bool was_welcomed;              /* once in this process */
    size_t broker;                  /* which of the list it is with */
    uint64_t tries;                 /* sessions that ended since the last welcomed one */
    int64_t linked_ms, welcomed_ms; /* when that last was so; at first the start */
    int64_t open_ms;                /* when to make the sockets again, while there are none */
    int64_t opened_ms, hello_ms, beat_ms, heard_ms;
    uint32_t beats_open; /* said and not answered */
    int64_t delay_ms;    /* back-off */
    bool told_duplicate, told_unlinked;
    int64_t slept_ms; /* boot time minus running time: grows when the machine sleeps */
};

struct data_link { /* the data socket, of the same session */
    zsock_t *socket;
    uint64_t window, open_bytes;
    bool store_turn;  /* fetch and store take turns */
    int64_t stuck_ms; /* since when nothing can be sent; 0: it can */
};

struct agent {
    struct agent_config config;
    struct sw_keys keys;
    struct sw_brokers brokers;
    char platform[80];
    uint64_t instance, cores, memory_bytes;
    const struct sw_kernel *kernels[64];
    size_t n_kernels;

    struct session session;
    struct data_link data;
    struct credit credit;
    struct lane *lanes;
    size_t n_lanes;
    struct recipe *recipes;
    struct work *by_n, *works;
    struct work *fetching, *storing, *due;
    uint64_t unsent_bytes; /* of outputs, not STORED */
    uint64_t spare_bytes;  /* of memfds that wait for the next input */
    bool lane_free;        /* something ended or came: run_fill has work */

    bool stopping, stop;
    int64_t stop_ms;      /* when stopping ends */
    int64_t paused_until; /* a fault of this machine */
    int64_t now_ms;
    int64_t watchdog_ms, look_ms;
    struct sw_arena arena;
    struct sw_message message;
    struct sw_buf header, payload;
};

/* ---- loop.c ---- */
int agent_run(struct agent *agent);

/* ---- session.c ---- */
void session_tick(struct agent *agent);
void session_drain(struct agent *agent);
/* The session is over: new sockets after `delay_ms`, or a back-off when it is 0. */
void session_lost(struct agent *agent, const char *why, int64_t delay_ms);
void session_close(struct agent *agent);
int64_t session_wake(const struct agent *agent);
/* Fills session and serial, with which every message begins. False: not sent, the session is over.
 */
bool session_send(struct agent *agent,
                  enum sw_message_type type,
                  void *message,
                  const void *payload,
                  size_t payload_size);

/* ---- hello.c ---- */
void hello_send(struct agent *agent);
void hello_welcomed(struct agent *agent, const struct sw_msg_welcome *welcome);

/* ---- inbox.c ---- */
void inbox_take(struct agent *agent, struct sw_frames *frames);

/* ---- beat.c ---- */
void beat_send(struct agent *agent);

/* ---- recipe.c ---- */
struct recipe *recipe_get(struct agent *agent, const struct sw_msg_assign *assign);
void recipe_drop(struct agent *agent, struct recipe *recipe); /* one work less */
void recipe_learn(struct recipe *recipe, uint64_t bytes, uint64_t wall_us);
double recipe_expect_us(const struct recipe *recipe, uint64_t bytes);
uint32_t recipe_cpu_seconds(const struct recipe *recipe, uint64_t bytes, int64_t least);

/* ---- work.c ---- */
struct work *work_new(struct agent *agent,
                      struct recipe *recipe,
                      uint64_t job,
                      const struct sw_msg_grant *grant,
                      const void *input);
struct work *work_find(struct agent *agent, uint64_t job, uint64_t chunk, uint64_t n);
void work_forget(struct agent *agent, struct work *work); /* wherever it is */
void work_stop(struct agent *agent, struct work *work);   /* no slot, no transfer any more */
void work_ready(struct agent *agent, struct work *work);
void work_done(struct agent *agent, struct work *work);
void work_fail(struct agent *agent, struct work *work, const char *error, const char *stderr_tail);
/* Handed back. `fault`: of this machine, so it pauses. */
void work_back(struct agent *agent, struct work *work, const char *reason, bool fault);

/* ---- report.c ---- */
void report_due(struct agent *agent, struct work *work);
void report_undue(struct agent *agent, struct work *work);
void report_flush(struct agent *agent);

/* ---- run.c ---- */
int run_open(struct agent *agent, struct sw_err *err);
void run_close(struct agent *agent);
void run_fill(struct agent *agent);
void run_pump(struct agent *agent, struct lane *lane);
void run_leave(struct agent *agent, struct work *work); /* its lane has it no more */
int64_t run_wake(const struct agent *agent);

/* ---- result.c ---- */
extern const struct slot_calls result_calls;

/* ---- data.c ---- */
int data_open(struct agent *agent, struct sw_err *err);
void data_close(struct agent *agent);
void data_drain(struct agent *agent);
void data_pump(struct agent *agent); /* asks and sends as much as the window allows */
void data_look(struct agent *agent); /* what was not answered is asked again */
bool data_send(struct agent *agent,
               enum sw_message_type type,
               const void *message,
               const void *payload,
               size_t size);

/* ---- fetch.c ---- */
void fetch_begin(struct agent *agent, struct work *work);
bool fetch_next(struct agent *agent); /* sends one FETCH; false: there is none to send */
void fetch_slice(struct agent *agent,
                 const struct sw_msg_slice *slice,
                 const void *bytes,
                 size_t size);
void fetch_tail(struct agent *agent, struct work *work, uint64_t offset);
int fetch_open_pipe(struct agent *agent, struct work *work); /* the reading end; -errno */
void fetch_feed(struct agent *agent, struct work *work);
void fetch_end(struct agent *agent, struct work *work);
void fetch_again(struct agent *agent, struct work *work);

/* ---- input.c ---- */
/* The next bytes of the stream. -EBADMSG: they are no stream; else -errno of this machine. */
int input_take(struct agent *agent, struct work *work, const void *bytes, size_t size);
int input_hand_over(struct work *work); /* the whole input becomes its run's; -errno */
void input_end(struct agent *agent, struct work *work);
void input_drop_spares(struct agent *agent, struct recipe *recipe);

/* ---- store.c ---- */
void store_part(struct agent *agent, struct work *work, int fd, uint64_t size);
void store_finish(struct agent *agent, struct work *work);
bool store_next(struct agent *agent);
void store_stored(struct agent *agent, const struct sw_msg_stored *stored);
void store_end(struct agent *agent, struct work *work);
void store_again(struct agent *agent, struct work *work);

/* ---- stop.c ---- */
void stop_begin(struct agent *agent);
void stop_look(struct agent *agent);

#endif
