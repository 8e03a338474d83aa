/* The inside of the slot process, shared by its files (slot_child.c, slot_input.c, slot_head.c,
 * slot_output.c) and by nobody else. It has one thread and no way out but its socket. */
#ifndef SLOT_CHILD_H
#define SLOT_CHILD_H

#include "slot_wire.h"

/* ---- the run's input ---- */

struct slot_stream {
    const uint8_t *bytes; /* what is at hand, [at, end) */
    size_t at, end;
    int fd; /* -1: all bytes are at hand */
    bool is_pipe;
    uint64_t file_at;  /* memfd: the next byte to fetch */
    uint64_t consumed; /* bytes taken of the stream */
    uint8_t *buffer;   /* what was fetched; at least SLOT_STREAM_BUFFER, more for a large head */
    size_t buffer_room;
    _Atomic uint64_t *ret_consumed;
};
#define SLOT_STREAM_BUFFER ((size_t)64 << 10)

/* Up to n bytes, at least one; 0 at the end of what was handed over; -errno. */
ssize_t slot_stream_read(struct slot_stream *stream, void *p, size_t n);
ssize_t slot_stream_more(struct slot_stream *stream); /* fetches behind what is at hand; same */
int slot_stream_skip(struct slot_stream *stream, uint64_t n); /* -EPIPE when it ends before */

/* ---- its head ---- */

struct slot_head {
    struct sw_segment *segments;
    size_t n, room;
    struct sw_buf names; /* one after another, each with a NUL */
};
/* -EBADMSG: it is not one. -EPIPE: it ends before. Others: the stream broke. */
int slot_head_read(struct slot_head *head, struct slot_stream *stream);

/* ---- the process ---- */

struct slot_backlog { /* packets that came while a run waited for something else */
    struct slot_backlog *next;
    int fd;
    size_t size;
    uint8_t bytes[];
};

struct slot_outbox { /* results that wait to be sent; the alarm may look at any time */
    struct sw_buf packet;
    uint32_t n;
    volatile bool busy;  /* the packet is being changed */
    volatile bool armed; /* the alarm is set */
};

struct slot_child {
    const struct sw_kernel *kernel;
    struct sw_values values;
    void *state;
    struct slot_page *page;
    uint8_t *received; /* SLOT_PACKET_MAX */
    struct slot_backlog *backlog, **backlog_end;
    struct slot_outbox outbox;

    uint64_t cpu_seen; /* CPU time that earlier results have told of */

    /* The current run. */
    uint64_t number;
    struct slot_stream stream;
    struct slot_head head;
    struct sw_buf tail; /* asked for and not read yet */
    size_t tail_at;
    struct sw_buf results; /* segment records */
    uint32_t n_results;
    struct sw_buf output; /* inline output, or what is to be written to the part */
    int part_fd;          /* -1: the output is inline */
    uint64_t part_size;   /* written to it */
    uint64_t written;     /* by the current segment */
    int input_error, output_error;
};

/* Waits for a packet that begins with this type for the current run; others go to the backlog. The
 * body is in child->received. */
void slot_child_await(struct slot_child *child,
                      enum slot_record_type type,
                      const uint8_t **ret_body,
                      size_t *ret_size,
                      int *ret_fd);

/* ---- slot_run.c ---- */
void slot_child_run(struct slot_child *child,
                    const struct slot_record *record,
                    const uint8_t *body,
                    int fd);

/* A reader of one segment. */
struct slot_source {
    struct sw_reader reader;
    struct slot_child *child;
    uint64_t left; /* lead + owned */
    uint64_t tail_left;
};
void slot_source_open(struct slot_source *source,
                      struct slot_child *child,
                      const struct sw_segment *segment);

/* ---- slot_output.c ---- */
struct slot_sink {
    struct sw_writer writer;
    struct slot_child *child;
};
void slot_sink_open(struct slot_sink *sink, struct slot_child *child);
int slot_output_flush(struct slot_child *child); /* everything of a large output into its part */

void slot_outbox_init(struct slot_outbox *outbox); /* and its alarm */
void slot_outbox_put(struct slot_outbox *outbox,
                     enum slot_record_type type,
                     uint64_t run,
                     const void *head,
                     size_t head_size,
                     const void *body,
                     size_t body_size);
void slot_outbox_flush(struct slot_outbox *outbox);
/* Before a run of unknown length: what waits is sent soon, whatever it does. */
void slot_outbox_arm(struct slot_outbox *outbox);

/* ---- slot_fault.c: signal handlers that say what happened, then let it happen ---- */
void slot_fault_init(uint64_t memory_bytes);

#endif
