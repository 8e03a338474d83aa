/* A slot with a small loop round it, for tests and the bench: chunks in, copies of their results
 * out. */
#ifndef SLOT_RIG_H
#define SLOT_RIG_H

#include "agent/slot.h"

#define RIG_MEMORY ((uint64_t)256 << 20)

struct rig_chunk {
    struct slot_run run;
    struct sw_buf stream; /* the input, when it is inline */
    bool ended;
    enum slot_end end;
    char reason[SLOT_ERROR_MAX];
    char *stderr_tail;
    struct sw_buf output; /* all of it, unless the rig only counts */
    uint64_t output_total, cpu_us;
    size_t n_segments;
    struct {
        uint64_t length;
        char error[SLOT_ERROR_MAX];
    } segments[8];
    uint32_t n_parts;
    /* the tail: given on demand, `tail_step` bytes at a time */
    const char *tail;
    size_t tail_size, tail_step;
    uint64_t tail_begins; /* in the stream; set by the first question */
    uint32_t n_questions;
};

struct rig {
    struct slot *slot;
    uint32_t n_ended;
    bool only_count; /* outputs are counted and dropped */
    bool keep_parts; /* slot_part_done is left to the test */
};

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* Kernel `act` unless named; one parameter or none. */
void rig_prepare(struct rig *rig, const char *kernel, const char *param, const char *value);
void rig_add(struct rig *rig, struct rig_chunk *chunk);
void rig_wait(struct rig *rig, uint32_t n_ended); /* until so many runs have ended in all */
void rig_turn(struct rig *rig);                   /* one turn of the loop */

/* A stream of files with these contents, called file-0, file-1...; the last one has `tail` bytes
 * behind its own. */
void rig_stream(struct sw_buf *ret, const char *const *texts, size_t n, uint64_t tail);
void rig_head(struct sw_buf *ret, uint64_t size, uint64_t tail); /* the head for one file alone */
/* One file with this text, added and waited for. */
void rig_run_text(struct rig *rig, struct rig_chunk *chunk, const char *text);
void rig_chunk_done(struct rig_chunk *chunk); /* frees; ready for another use */
size_t rig_open_descriptors(void);

#endif
