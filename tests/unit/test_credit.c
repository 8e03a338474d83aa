/* The agent's credit: a table of events in, the totals that it would tell out. */
#include "agent/credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>

#define MB ((uint64_t)1 << 20)

enum step { START, RESTART, ASSIGN, FREE, TOOK, CLOSE, OPEN, TELL, QUIET };

struct row {
    enum step step;
    uint64_t n;             /* ASSIGN, FREE: how many; TOOK: microseconds */
    uint64_t bytes;         /* of each */
    uint64_t chunks, total; /* TELL: what it must say */
};

static void play(const struct row *rows, size_t n, uint32_t slots)
{
    struct credit credit;
    uint64_t chunks, bytes;
    int64_t now = 1000;
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &rows[i];
        now++;
        for (uint64_t k = 0; k < row->n && row->step == ASSIGN; k++)
            credit_assigned(&credit, row->bytes);
        for (uint64_t k = 0; k < row->n && row->step == FREE; k++)
            credit_freed(&credit, row->bytes);
        if (row->step == START)
            credit_init(&credit, slots, 512 * MB);
        else if (row->step == RESTART)
            credit_restart(&credit);
        else if (row->step == TOOK)
            credit_took(&credit, row->n);
        else if (row->step == CLOSE || row->step == OPEN)
            credit.closed = row->step == CLOSE;
        else if (row->step == QUIET)
            assert_true(credit_wake(&credit, now) > now);
        if (row->step != TELL)
            continue;
        credit_tell(&credit, now, &chunks, &bytes);
        if (chunks != row->chunks || bytes != row->total * MB)
            fail_msg("row %zu: %ju chunks and %ju MB, not %ju and %ju", i, (uintmax_t)chunks,
                     (uintmax_t)(bytes / MB), (uintmax_t)row->chunks, (uintmax_t)row->total);
    }
}
#define PLAY(rows, slots) play(rows, sizeof(rows) / sizeof((rows)[0]), slots)

// clang-format off
static void test_two_a_slot_while_nothing_is_known(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {START}, {TELL, .chunks = 8, .total = 512}, {QUIET},
        {ASSIGN, 8, 4 * MB}, {TELL, .chunks = 8, .total = 512},
        {FREE, 3, 4 * MB}, {TELL, .chunks = 11, .total = 524},
    };
    PLAY(rows, 4);
}

static void test_grows_to_two_seconds_ahead(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {START}, {TELL, .chunks = 4, .total = 512},
        {ASSIGN, 4, 0}, {TOOK, 99999}, /* a tenth of a second: 20 a slot */
        {TELL, .chunks = 4 + 36, .total = 512},
        {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4},
        {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4},
        {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4}, {TOOK, 4},
        {TELL, .chunks = 4 + 4092, .total = 512}, /* no more than a HELLO can list */
        {ASSIGN, 4092, 0}, {TELL, .chunks = 4096, .total = 512},
        {FREE, 4096, 0}, {TELL, .chunks = 8192, .total = 512},
    };
    PLAY(rows, 2);
}

static void test_the_first_tiny_chunk_opens_the_gate(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {START}, {TELL, .chunks = 2, .total = 512}, {ASSIGN, 2, 0},
        {TOOK, 5}, {FREE, 1, 0}, {TELL, .chunks = 2 + 4095, .total = 512},
    };
    PLAY(rows, 1);
}

static void test_totals_never_fall(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {START}, {TOOK, 1000}, {TELL, .chunks = 1998, .total = 512},
        {TOOK, 10000000}, {TELL, .chunks = 1998, .total = 512},
        {CLOSE}, {TELL, .chunks = 1998, .total = 512},
        {ASSIGN, 1998, 0}, {FREE, 1998, 0}, {TELL, .chunks = 1998, .total = 512}, {QUIET},
        {OPEN}, {TELL, .chunks = 2000, .total = 512}, /* two a slot above what was given */
    };
    PLAY(rows, 1);
}

static void test_what_is_held_takes_room_in_a_new_session(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {START}, {TELL, .chunks = 8, .total = 512}, {ASSIGN, 6, 64 * MB},
        {RESTART}, {TELL, .chunks = 2, .total = 128},
        {FREE, 6, 64 * MB}, {TELL, .chunks = 8, .total = 512},
    };
    PLAY(rows, 4);
}

static void test_held_over_the_byte_limit_grants_none(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {START}, {TELL, .chunks = 8, .total = 512}, {ASSIGN, 5, 110 * MB},
        {TELL, .chunks = 8, .total = 550}, {FREE, 1, 110 * MB},
        {TELL, .chunks = 9, .total = 550 + 72},
    };
    PLAY(rows, 4);
}
// clang-format on

static void test_few_messages(void **state)
{
    (void)state;
    struct credit credit;
    uint64_t chunks, bytes;
    credit_init(&credit, 1, 512 * MB);
    credit_took(&credit, 499); /* a target of 4,000 */
    credit_tell(&credit, 0, &chunks, &bytes);
    for (int i = 0; i < 4000; i++)
        credit_assigned(&credit, 64);
    assert_int_equal(credit_wake(&credit, 5), INT64_MAX);
    for (int i = 0; i < 999; i++)
        credit_freed(&credit, 64);
    assert_int_equal(credit_wake(&credit, 5), CREDIT_QUIET_MS); /* told at 0 */
    credit_freed(&credit, 64);
    assert_int_equal(credit_wake(&credit, 5), 5); /* a quarter: at once */
    credit_tell(&credit, 5, &chunks, &bytes);
    assert_int_equal(chunks, 5000);
    assert_int_equal(credit_wake(&credit, 6), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_a_slot_while_nothing_is_known),
        cmocka_unit_test(test_grows_to_two_seconds_ahead),
        cmocka_unit_test(test_the_first_tiny_chunk_opens_the_gate),
        cmocka_unit_test(test_totals_never_fall),
        cmocka_unit_test(test_what_is_held_takes_room_in_a_new_session),
        cmocka_unit_test(test_held_over_the_byte_limit_grants_none),
        cmocka_unit_test(test_few_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
