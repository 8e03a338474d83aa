/* What travels between a slot and its process, both ends of one binary on one machine: packets
 * (SOCK_SEQPACKET) of records in host order, and one shared page.
 *
 * The agent trusts nothing that comes back: every record is bounded here and checked by
 * slot_receive.c. A packet carries at most one descriptor, which belongs to its first record.
 *
 *   agent -> process   SETUP once (+ the page), then RUN (+ input), TAIL, PART (+ memfd)
 *   process -> agent   HELLO, then READY or REFUSED or UNABLE, then RESULT, WANT_TAIL, WANT_PART;
 * FAULT at any time (from a signal handler)
 *
 * RUNs are worked on in order and RESULTs come in order. Results wait in the process until there is
 * nothing left to do, 64 of them or 32 KiB, or 2 ms (an alarm, since the next run may be long);
 * what is lost of them in a crash is simply run again. Everything that used a descriptor is sent at
 * once. */
#ifndef SLOT_WIRE_H
#define SLOT_WIRE_H

#include "slot.h"

#include <stdatomic.h>

/* The largest record: a result with 1,024 errors of 160 bytes and 16 KiB of output. Fits the
 * default limit of socket buffers (212,992). */
#define SLOT_PACKET_MAX ((size_t)200 << 10)
#define SLOT_SOCKET     3 /* the process's end of the socketpair */

enum slot_record_type {
    SLOT_SETUP = 1, /* slot_setup_encode */
    SLOT_RUN,       /* struct slot_run_record, inline input */
    SLOT_TAIL,      /* bytes; none = the stream ends */
    SLOT_PART,      /* nothing; the descriptor is the next memfd to fill */
    SLOT_HELLO,     /* nothing: the program has started */
    SLOT_READY,     /* nothing: opened and closed in */
    SLOT_REFUSED,   /* text: the kernel refused its parameters */
    SLOT_UNABLE,    /* text: this machine cannot run slots (no seccomp, no memory) */
    SLOT_RESULT,    /* struct slot_result_record, segments, inline output */
    SLOT_WANT_TAIL, /* uint64_t: offset in the stream */
    SLOT_WANT_PART, /* uint64_t: bytes in the part before, 0 = there is none */
    SLOT_FAULT,     /* struct slot_fault_record: it is about to die */
};

struct slot_record {
    uint32_t type;
    uint32_t size; /* of the body; records are padded to 8 bytes */
    uint64_t run;
};

struct slot_run_record {
    uint32_t has_fd;
    uint32_t isolated; /* one RESULT for each segment, sent at once */
    uint32_t first;    /* isolated: segments before it are skipped */
    uint32_t unused;
};

enum slot_status {
    SLOT_OK,
    SLOT_KERNEL_ERROR, /* the kernel failed; the one segment's error says why */
    SLOT_INPUT_ERROR,  /* the input broke or was cut off */
    SLOT_OUTPUT_ERROR, /* no room for the output */
    SLOT_HEAD_ERROR,   /* the stream's head is not one */
};

struct slot_result_record {
    uint32_t status;
    int32_t code; /* errno of the status */
    uint32_t
        n_segments; /* records of { uint64_t length; uint64_t error_size; error with its NUL } */
    uint32_t more;  /* isolated: further results of this run follow */
    uint32_t inline_size;
    uint32_t has_part; /* the last part holds part_size bytes */
    uint64_t part_size;
    uint64_t wall_us, cpu_us;
};

struct slot_fault_record {
    uint64_t forbidden_call; /* number of the system call + 1; 0 = none */
    uint64_t no_memory;      /* the address space is used up */
};

/* Written by the process, read by the agent at any time: where it is. Atomics because two processes
 * share it; each word stands for itself, so relaxed order is enough. */
struct slot_page {
    _Atomic uint64_t run;      /* number of the run it is at, 0 = none */
    _Atomic uint64_t consumed; /* bytes of that run's stream */
    _Atomic uint32_t n_segments;
};

void slot_record_put(struct sw_buf *packet,
                     enum slot_record_type type,
                     uint64_t run,
                     const void *head,
                     size_t head_size,
                     const void *body,
                     size_t body_size);
/* Takes the next record off a packet: 1, 0 at its end, -EBADMSG. */
int slot_record_next(const uint8_t *packet,
                     size_t size,
                     size_t *at,
                     struct slot_record *ret_record,
                     const uint8_t **ret_body);

/* One packet. 0 or -errno (-EAGAIN with MSG_DONTWAIT, -EPIPE). fd is borrowed, -1 = none. */
int slot_packet_send(int sock, const void *p, size_t n, int fd, int flags);
/* Its size, 0 when the other end is gone, -errno. Descriptors that do not belong are closed. */
ssize_t slot_packet_receive(int sock, void *p, size_t room, int *ret_fd, int flags);

void slot_setup_encode(struct sw_buf *buf, const struct slot_setup *setup);
/* Texts point into the body, which must outlive ret; ret->params is owned by the caller
 * (sw_release). */
int slot_setup_decode(const uint8_t *p, size_t n, struct slot_setup *ret);

#endif
