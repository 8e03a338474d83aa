/* `shadow-broker --check [--repair]`: whether store and job folders are whole, while no broker
 * works on them. */
#ifndef BROKER_CHECK_H
#define BROKER_CHECK_H

#include "broker/broker.h"
#include "broker/place.h"

/* The exit status: 0 clean or all repaired, 1 problems, 2 cannot be checked. One line a problem on
 * standard output. */
int check_run(const struct broker_config *config);

/* ---- inside: check.c, check_job.c, check_files.c, repair.c ---- */

struct check {
    struct place place;
    int state_fd, jobs_fd;
    bool repair;
    struct sw_arena arena;
    struct sw_checker *checker;
    uint64_t jobs, chunks, outputs, problems, left; /* left: not repaired */
    struct sw_err err;                              /* of what ends the check */
};

/* One line: what is wrong with the job (0: with none); `done`: what was done about it, NULL:
 * nothing can be. */
void check_say(struct check *, uint64_t job, const char *wrong, const char *done);

enum { SEEN_NONE, SEEN_DONE, SEEN_FAILED, SEEN_REDO };

struct checked_job {
    uint64_t job;
    uint32_t status;
    struct sw_msg_job_row *row; /* owned; NULL: cannot be read */
    struct sw_job_row columns;  /* texts point into row */
    uint32_t n_adds, n_chunks;
    uint32_t *first; /* of each ADD: its first chunk; n_adds + 1 of them */
    bool *on_disk;   /* whether the ADD's inputs are files */
    size_t first_room, on_disk_room;
    uint8_t *seen;   /* of each chunk */
    uint64_t *named; /* the lease whose out.CHUNK.N its row names; 0 = none */
    uint64_t *sizes;
    int folder; /* -1: none */
    struct source *source;
    bool changed; /* chunks are to be done again, or failed */
};

int check_job(struct check *, uint64_t job);

/* Outputs that rows name, inputs of what is still to be done, what belongs to no row. -errno: the
 * store failed. */
int check_outputs(struct check *, struct checked_job *);
int check_inputs(struct check *, struct checked_job *);
int check_orphans(struct check *, struct checked_job *);

/* repair.c: rows, durable when they return. */
int repair_again(struct check *,
                 struct checked_job *,
                 uint32_t chunk); /* READY, its output aside */
int repair_fail(struct check *, struct checked_job *, uint32_t chunk, const char *why);
int repair_input(struct checked_job *, const char *words); /* 0: it is set aside */

#endif
