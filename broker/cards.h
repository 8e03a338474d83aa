/* Cards: what the core does not need to know of a live job. They belong to the loop. */
#ifndef BROKER_CARDS_H
#define BROKER_CARDS_H

#include "base/own.h"
#include "broker/core/core.h"
#include "files/manifest.h"
#include "files/planfile.h"
#include "kernels/kernel.h"
#include "proto/message.h"

#include <uthash.h>

struct broker;
struct kinds;
struct request;

struct inline_add {
    uint32_t add, first_chunk;
    struct sw_manifest manifest;
    struct sw_plan_file plan;
    struct sw_buf bytes;
};
struct card {
    uint64_t job;
    struct sw_msg_job_row *row;     /* owned clone */
    const struct sw_kernel *kernel; /* NULL: this build has it no more */
    struct sw_param_text *params;
    struct sw_values values;
    uint32_t kind;
    struct inline_add *inlines;
    size_t n_inlines, inline_room;
    size_t inline_bytes;
    uint32_t next_add, next_chunk; /* as prepared so far; core's may be behind */
    uint64_t submit;               /* the request that made it: while that waits, repeats join it */
    uint64_t loading; /* an ended job, coming back for this RETRY: not whole, so nobody sees it */
    bool reopening;   /* its RETRY is not durable yet: it is shown from its row */
    struct request *waiting; /* for the end of that */
    struct request *adding;  /* ADDs of a job are prepared one after the other; head of the queue */
    bool preparing;          /* data has the head */
    bool noted;              /* the feed has it to tell */
    enum core_job_status row_status; /* of its newest row */
    uint64_t counted;                /* bytes that count as its owner's */
    bool gone;                       /* and do not any more: it is being forgotten */
    char *renamed; /* its newest name, if a SET gave one: in rows at once, in `row` when durable */
    UT_hash_handle hh;
};
struct card *card_find(const struct broker *broker, uint64_t job);
struct card *card_live(const struct broker *broker,
                       uint64_t job);                    /* whole and durable: may be shown */
void card_put(struct broker *broker, struct card *card); /* it has its number now */
/* The job is out of the core: whoever still waits for it asks the store. */
void card_end(struct broker *broker, struct card *card);
struct card *card_new(struct sw_msg_job_row *row_take, struct kinds *kinds);
void card_destroy(struct card **card);
/* The kernel's parameters and values from the row; -EINVAL with words. */
int card_check(struct card *card, struct sw_err *err);
/* The input stream of an inline chunk, appended; false: it is not inline. */
bool card_stream(const struct card *card, uint32_t chunk, struct sw_buf *ret_stream);
const struct inline_add *card_inline(const struct card *card, uint32_t chunk);
void card_rename(struct card *card, struct sw_str name); /* shown from now on */
/* Those of all inline ADDs, one after another. */
void card_inline_manifests(const struct card *card, struct sw_buf *ret);
void card_drop_inline(struct card *card); /* the newest one */
struct inline_add *card_add_inline(struct card *card, uint32_t add, uint32_t first_chunk);

#endif
