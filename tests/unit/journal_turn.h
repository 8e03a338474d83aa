/* What both tests of the journal share: putting a numbered row, and a turn of the loop. */
#ifndef TEST_JOURNAL_TURN_H
#define TEST_JOURNAL_TURN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/journal.h"

#include <errno.h>
#include <string.h>

static inline void put(struct journal *journal, uint32_t k, uint64_t seq, size_t bytes)
{
    static uint8_t body[1 << 20];
    memcpy(body, &k, sizeof k);
    struct sw_row row = {.kind = SW_ROW_CHUNK,
                         .of.chunk = {.job = 1, .chunk = k, .body = body, .body_size = bytes}};
    journal_put(journal, &row, seq);
    memset(body, 0xee, sizeof k); /* the caller's memory is its own again */
}

/* Waits for the socket, then reads; a turn of the loop. */
static inline int turn(struct journal *journal, uint64_t *ret_seq, struct sw_err *err)
{
    zmq_pollitem_t item = {zsock_resolve(journal_socket(journal)), 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, 20000), 1);
    int r = journal_committed(journal, ret_seq, err);
    journal_flush(journal);
    return r;
}

static inline void wait_for(struct journal *journal, uint64_t seq)
{
    uint64_t told = 0;
    while (told < seq)
        assert_int_equal(turn(journal, &told, NULL), 0);
    assert_int_equal(told, seq);
}

#endif
