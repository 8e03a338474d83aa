/* The inside of a slot, shared by the slot_*.c of the agent's side and by nobody else. */
#ifndef SLOT_PARENT_H
#define SLOT_PARENT_H

#include "slot.h"
#include "slot_wire.h"

#include <sys/types.h>

/* Runs sent to the process and not answered. 256 tiny ones are about a millisecond of work: enough
 * that the process never waits for the agent's loop. Bytes stay below the socket's buffer. */
#define SLOT_FLIGHT_MAX       256
#define SLOT_FLIGHT_BYTES_MAX ((size_t)128 << 10)
#define SLOT_FLIGHT_FDS_MAX   4 /* descriptors in flight: one running and a few ahead */
#define SLOT_BATCH_BYTES      ((size_t)48 << 10)
/* From start to READY; a kernel's open takes milliseconds. */
#define SLOT_OPEN_MS 60000
/* How often a busy slot's CPU time is looked at. */
#define SLOT_LOOK_MS 500
/* From the end of its socket to its own death. */
#define SLOT_HANG_UP_MS 1000
/* A process may die between runs (killed from outside); the third time in a row it is the run's
 * fault. */
#define SLOT_STRIKES_MAX 3
/* A kernel that writes more than this to standard error is stopped. */
#define SLOT_STDERR_FLOOD ((uint64_t)1 << 20)

enum slot_process_state {
    SLOT_NONE,     /* no process */
    SLOT_STARTING, /* until READY */
    SLOT_SERVING,
    SLOT_DYING, /* SIGKILL sent; the next one starts when it is reaped */
};

/* One process's ends and what is known about it. */
struct slot_process {
    enum slot_process_state state;
    pid_t pid;
    int pid_fd, sock, stderr_fd;
    clockid_t cpu_clock;
    bool said_hello, was_ready;
    bool unable;              /* it said so itself: the machine's fault */
    bool refused;             /* the kernel did not want its parameters */
    bool broke;               /* the protocol: nothing it says is read any more */
    char why[SLOT_ERROR_MAX]; /* why it was killed, or what it said itself; "" = find out */
    bool nobodys_fault;       /* killed for reasons of our own: its runs are run again */
    bool own_fault;           /* the agent could not give what its run needs: that is returned */
    int64_t hung_up_ms;       /* its socket is closed: it is dying, or is killed for it; 0 = no */
    uint64_t blamed;          /* killed for what this run did */
    int64_t started_ms;
    struct slot_fault_record fault;
    uint64_t stderr_total;
    char stderr_ring[SLOT_STDERR_MAX];
    uint64_t watched_run; /* the CPU watch: this run was first seen at this CPU time */
    int64_t watched_cpu_ms, look_ms;
};

struct slot_flight {
    struct slot_run *run; /* NULL: cancelled, its result is dropped */
    uint64_t number;
    size_t bytes;
    bool has_fd;
};

/* What an isolated run has given so far. */
struct slot_isolation {
    struct slot_segment *segments; /* errors are owned texts, NULL = none */
    size_t n, room;
    struct sw_buf output; /* not yet in a part */
    uint64_t parts_bytes; /* in parts handed out */
    uint64_t wall_us, cpu_us;
};

struct slot {
    const struct slot_calls *calls;
    void *arg;
    int epoll_fd;
    struct slot_page *page; /* mapped; page_fd goes to each process */
    int page_fd;
    struct sw_buf setup; /* encoded; empty = none chosen */
    struct slot_process process;

    struct slot_run *first, *last; /* waiting to be sent */
    size_t n_waiting;
    struct slot_flight flight[SLOT_FLIGHT_MAX]; /* a ring, in order */
    size_t flight_at, n_flight, flight_bytes, flight_fds, n_cancelled;
    uint64_t numbers; /* the last number given to a run */
    uint32_t strikes;
    int64_t now_ms; /* of the last slot_pump */

    struct sw_buf packet; /* being built, or refused by a full socket */
    int packet_fd;        /* borrowed */
    bool blocked;

    /* Of the run at the head of the flight: what it asked for and the part it fills. */
    struct slot_asked {
        bool tail, part;      /* not answered yet */
        bool tail_begun;      /* tail_offset is known */
        bool tail_ended;      /* after the bytes in `tail` */
        uint64_t tail_offset; /* in the stream, of the next byte to be sent */
        uint64_t handed_out;  /* bytes of the run in parts */
    } asked;
    struct sw_buf tail;
    size_t tail_at;
    int part_fd;
    bool warm; /* start a process even though no run waits */

    uint8_t *received; /* SLOT_PACKET_MAX */
    struct slot_segment segments[SW_CHUNK_FILES_MAX];
};

enum slot_run_state { SLOT_RUN_OUT, SLOT_RUN_WAITING, SLOT_RUN_SENT };

static inline struct slot_flight *slot_flight_at(struct slot *slot, size_t i)
{
    return &slot->flight[(slot->flight_at + i) % SLOT_FLIGHT_MAX];
}

/* ---- slot_process.c ---- */
void slot_process_init(struct slot_process *process);
/* 0, or -errno with words: then nothing runs. */
int slot_process_start(struct slot *slot, int64_t now_ms, struct sw_err *err);
/* Kills it for this reason ("" = nobody's fault); the rest follows when it is reaped. */
void slot_process_kill(struct slot *slot, const char *why);
/* Kills it and waits: for slot_destroy only. */
void slot_process_end(struct slot *slot);
void slot_process_read_stderr(struct slot *slot);
/* Its status when it has died, and then it is reaped and everything of it closed. */
bool slot_process_reap(struct slot *slot, int *ret_status, uint64_t *ret_peak_bytes);
/* Looks at its CPU time and at how long it takes to start. */
void slot_process_look(struct slot *slot, int64_t now_ms);

/* ---- slot_words.c ---- */
void slot_words_death(const struct slot_process *process,
                      int status,
                      uint64_t peak_bytes,
                      uint64_t memory_bytes,
                      char *ret_words);
/* The ring in order, made plain; owned by the caller. */
char *slot_words_stderr(const struct slot_process *process);
/* Control characters and what is not UTF-8 become '?': the text goes into messages and terminals.
 */
void slot_words_plain(char *text, size_t size);

/* ---- slot_send.c ---- */
void slot_send(struct slot *slot); /* as much as the socket and the limits take */

/* ---- slot_receive.c ---- */
void slot_receive(struct slot *slot);

/* ---- slot_end.c: how runs end ---- */
/* Takes the head off the flight and forgets what it asked for. */
struct slot_flight slot_flight_take(struct slot *slot);
/* The run is the caller's again. */
void slot_end_run(struct slot *slot, struct slot_run *run, struct slot_result *result);
void slot_end_words(struct slot *slot,
                    struct slot_run *run,
                    enum slot_end end,
                    const char *reason,
                    const char *stderr_tail);
/* Every run that waits now. */
void slot_end_waiting(struct slot *slot,
                      enum slot_end end,
                      const char *reason,
                      const char *stderr_tail);
/* The process has been reaped: one run is blamed, the others wait again. */
void slot_end_process(struct slot *slot, int status, uint64_t peak_bytes);
void slot_put_first(struct slot *slot, struct slot_run *run);

/* ---- slot_parts.c: memfds that hold output ---- */
/* Nothing can change the part from here on. -EBADMSG when it does not hold `size` bytes. */
int slot_part_seal(struct slot *slot, uint64_t size);
/* Gives a sealed part to the caller of the slot. */
void slot_part_hand_out(struct slot *slot, struct slot_run *run, int fd, uint64_t size);
/* A sealed memfd with these bytes; -errno. */
int slot_part_make(const void *p, size_t n);

/* ---- slot_isolate.c ---- */
/* One segment's result, the run's last unless more. */
int slot_isolate_result(struct slot *slot,
                        struct slot_run *run,
                        struct slot_result *result,
                        bool more);
void slot_isolate_part(struct slot *slot, struct slot_run *run, int fd, uint64_t size);
/* The process died at it: true when the run goes on with the next file in another one. */
bool slot_isolate_death(struct slot *slot,
                        struct slot_run *run,
                        uint32_t n_segments,
                        uint64_t handed_out,
                        const char *reason);
void slot_isolate_destroy(struct slot_isolation **p);

#endif
