/* What is going to happen, by time; what is due at the same millisecond comes in the order it was
 * put. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum entry_kind {
    ENTRY_TO_BROKER, /* owned: struct message */
    ENTRY_TO_AGENT,  /* owned: struct message */
    ENTRY_PROCESS,   /* a timer of agent process `who`: what, number */
    ENTRY_REQUEST,   /* who: client job; what: enum core_event_type; number: add */
    ENTRY_REPLY,     /* who: client job; owned: struct reply */
    ENTRY_CLIENT,    /* a timer of client job `who` */
    ENTRY_LOOKUP,    /* the store's answer to "who has this key" for client job `who` */
    ENTRY_TICK,
    ENTRY_COMMIT,
    ENTRY_START, /* the broker starts */
    ENTRY_FAULT, /* what: enum fault */
};

struct entry {
    int64_t at_ms;
    uint64_t order;
    enum entry_kind kind;
    uint32_t who;
    uint32_t what;
    uint64_t number;
    uint64_t generation; /* of the one it is for: what belongs to an earlier life is void */
    void *owned;
};

struct heap {
    struct entry *items;
    size_t n, room;
    uint64_t order;
};

void heap_push(struct heap *heap, struct entry entry); /* sets its order */
bool heap_pop(struct heap *heap, struct entry *ret_entry);
void heap_done(struct heap *heap); /* frees what the entries own */

#endif
