/* What jobs may take and keep: room on the disk, what each token's jobs hold, and ended jobs that
 * go by themselves. All of it belongs to the loop. */
#ifndef BROKER_HOLDINGS_H
#define BROKER_HOLDINGS_H

#include "broker/history.h"
#include "proto/message.h"

struct broker;
struct card;

/* ---- disk.c: room on the state directory's disk ---- */
struct disk {
    uint64_t free;
    int64_t next_look_ms;
    bool told; /* in the log: it is low */
    char words[256];
};
/* NULL: there is room for new work. Else how much there is, what is needed, and what to do. */
const char *disk_words(struct broker *broker);
uint64_t disk_free(struct broker *broker);

/* ---- stall.c: a store that does not answer ---- */
struct stall {
    bool told; /* in the log */
    int64_t ms;
    char words[256];
};
/* NULL: the store works. Else for how long it has not, and what to do. */
const char *stall_words(struct broker *broker);
/* The same, or NULL while it is still worth to wait for the store. */
const char *stall_refuses(struct broker *broker);

/* ---- holdings.c: what each token's jobs hold ---- */
struct holdings {
    struct holder *by_owner;
    uint64_t bytes;      /* of all; 0 where no limit asks for it */
    uint64_t gone[4096]; /* forgotten last, a batch of them: their bytes are taken off once */
    size_t n_gone;
};
void holdings_live(struct broker *broker, const struct card *card, bool lives);
void holdings_changed(struct broker *broker, struct card *card); /* after a row of it was saved */
/* false: it is being forgotten already. */
bool holdings_forget(struct broker *broker, const struct sw_job_row *row);
void holdings_forget_live(struct broker *broker, struct card *card);
int holdings_load(struct broker *broker, struct sw_err *err); /* before the journal starts */
void holdings_done(struct broker *broker);
struct refusal {
    const char *code; /* of ERROR */
    char text[256];
};
/* True: new work of this owner may not come in. `size` as far as it is known. */
bool holdings_refuse(
    struct broker *broker, struct sw_str owner, uint64_t size, bool new_job, struct refusal *ret);

/* ---- retention.c: ended jobs that go by themselves ---- */
#define RETENTION_REF 0 /* no request's number */
struct retention {
    bool asked; /* history, for the oldest */
    int64_t next_look_ms;
    uint64_t jobs; /* that went */
};
void retention_tick(struct broker *broker);
void retention_answered(struct broker *broker, const struct history_reply *reply);

#endif
