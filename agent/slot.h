/* One slot: runs chunks through a kernel in a process of its own, so that a kernel that crashes,
 * loops or eats memory costs this slot a moment and ends as a FAIL, never the agent.
 *
 * A slot process (`shadow-agent --slot`, re-executed) serves one kernel with one set of parameters;
 * other parameters mean another process. All calls are made from the agent's one loop thread (which
 * lives as long as the agent: its end is the end of its slot processes), none blocks. Callbacks are
 * made from slot_pump only; they may call any function of this slot but slot_destroy.
 *
 * In the loop: watch slot_fd for input, call slot_pump when it is readable, when slot_wake has
 * come, and once after a round of slot_add / slot_tail / slot_part_done (these only note what is to
 * be sent, so that many small runs travel in one packet). */
#ifndef SLOT_H
#define SLOT_H

#include "kernels/kernel.h"

/* Inputs and outputs up to this travel inside the packets between agent and slot process. */
#define SLOT_INLINE_MAX ((size_t)16 << 10)
/* Larger outputs come as memfds of at most this; a run fills at most SLOT_PARTS_MAX that are not
 * given back yet by slot_part_done, so an output of any size needs 64 MiB at most. */
#define SLOT_PART_BYTES ((uint64_t)16 << 20)
#define SLOT_PARTS_MAX  4
/* Bytes in one slot_tail: a slice of the wire. */
#define SLOT_TAIL_MAX   ((size_t)256 << 10)
#define SLOT_ERROR_MAX  160
#define SLOT_STDERR_MAX 4096

struct slot_setup {
    const char *kernel;
    const struct sw_param_text *params;
    size_t n_params;
    uint64_t memory_bytes; /* RLIMIT_AS of the process; 0 = none */
};

/* One run = one attempt at a chunk. It belongs to the caller (usually embedded in its chunk) and is
 * lent to the slot from slot_add until `done` or slot_cancel, with the bytes it points to.
 *
 * The input is the chunk's stream (files.h, stream.c): the head, then each piece's lead + owned
 * bytes, WITHOUT the tail; what a kernel wants of the tail is asked for by the `tail` callback. It
 * is either `input` (any size; up to SLOT_INLINE_MAX it needs no system call of its own), or with
 * input_fd >= 0 a memfd that holds it (it is sealed here; bytes behind the owned ones serve as
 * tail) or the read end of a pipe that ends after it. A run may be repeated in a new process when
 * another one crashed, never after it has itself begun to read a pipe. */
struct slot_run {
    const void *input;
    size_t input_size;
    int input_fd;         /* -1 = none; the slot's from slot_add on, which closes it */
    uint32_t cpu_seconds; /* killed beyond it; 0 = no limit */
    bool isolated; /* last attempt: each file runs on its own; one that kills the process gets the
                      reason as its error, and the others are delivered (a pipe: if it is the last
                      file) */
    /* the slot's own */
    struct slot_run *next;
    struct slot_isolation *isolation;
    uint64_t number;
    uint8_t parts_held, state;
    bool input_is_pipe;
};

enum slot_end {
    SLOT_DONE,   /* a result, perhaps with errors of single files */
    SLOT_FAIL,   /* crash, limit, refused parameters: a counted failure */
    SLOT_RETURN, /* the agent's own fault (no descriptors, no memory, no process, input cut off) */
};

struct slot_segment {
    uint64_t length; /* bytes of the output that are this file's, whether it has an error or not */
    const char *error; /* "" = none; <= SLOT_ERROR_MAX bytes */
};

/* Valid during the `done` callback only. The output is all parts in the order given, then `output`
 * or output_fd (never both). */
struct slot_result {
    enum slot_end end;
    char reason[SLOT_ERROR_MAX]; /* FAIL and RETURN: "killed by SIGSEGV", "used 60 s of CPU"... */
    const struct slot_segment *segments;
    size_t n_segments;
    const void *output;      /* at most SLOT_INLINE_MAX, and only when there were no parts */
    int output_fd;           /* >= 0: the last part, a memfd; TAKE_FD it, else it is closed */
    uint64_t output_size;    /* of output or output_fd */
    uint64_t output_total;   /* with the parts before */
    const char *stderr_tail; /* the last of the process's standard error; "" when it did not die */
    uint64_t cpu_us, wall_us;
};

struct slot;

struct slot_calls {
    /* The run is the caller's again. */
    void (*done)(void *arg, struct slot *, struct slot_run *, struct slot_result *);
    /* A whole part of a large output; fd is the callee's. Followed by slot_part_done when it is no
     * longer held. A run that fails after parts: forget them. */
    void (*part)(void *arg, struct slot *, struct slot_run *, int fd, uint64_t size);
    /* The kernel wants bytes of the stream from `offset` on (the first behind the owned ones).
     * Answered, then or later, by one slot_tail. */
    void (*tail)(void *arg, struct slot *, struct slot_run *, uint64_t offset);
};

struct slot *slot_new(const struct slot_calls *calls, void *arg);
void slot_destroy(struct slot **); /* kills the process; no more callbacks */

int slot_fd(const struct slot *);       /* constant; readable when slot_pump has something to do */
int64_t slot_wake(const struct slot *); /* boot-time ms of the next look, INT64_MAX = none */
void slot_pump(struct slot *, int64_t now_ms);

/* Chooses kernel and parameters for the runs to come; starts the process (again) when they differ
 * from the last ones. -EBUSY while runs are there, -E2BIG. */
int slot_prepare(struct slot *, const struct slot_setup *);

void slot_add(struct slot *, struct slot_run *); /* after slot_prepare; runs in order */
/* Takes a run back, killing the process if it is at it; no callback comes for it any more. */
void slot_cancel(struct slot *, struct slot_run *);
size_t slot_count(const struct slot *); /* runs added and not ended */
/* Bytes of its stream that a run has consumed; 0 before it starts. */
uint64_t slot_progress(const struct slot *, const struct slot_run *);

/* n bytes for the last `tail` of this run, n <= SLOT_TAIL_MAX; 0 = the stream ends here. Copied. */
void slot_tail(struct slot *, struct slot_run *, const void *p, size_t n);
/* One part is no longer held; of no use after `done`. */
void slot_part_done(struct slot *, struct slot_run *);

/* An empty memfd that slots can seal; -errno. */
int slot_memfd(const char *name);

/* The slot process itself: what main() returns when its first argument is `--slot`. `kernels` is
 * sw_kernels, or a list with a test's own. */
int slot_main(const struct sw_kernel *const *kernels);

#endif
