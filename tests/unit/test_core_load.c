/* A core after a restart, and jobs that are loaded again for RETRY. */
#include "core_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// clang-format off
/* after a restart nothing is given out until the known agents said HELLO */
SCRIPT(settles,
    "load 5 pending sealed ->",
    "loadadd 5 k1 3x100 -> 0",
    "loadchunk 5/1 done -> 0",
    "loaded 0 ->",
    "hello 1 s1 i1 -> welcome 1 s1",
    "credit 1 chunks 3 ->",
    "why 5 1 -> settling",
    "hello 0 s2 i2 list 5/0#0.7:r -> welcome 0 s2; assign 1 5/2#1",
    "job 5 -> processing ready 0 leased 2 committing 0 done 1 failed 0 cancelled 0 files 3 bad 0",
    "submit 0 -> save 1 job 6 pending")

SCRIPT(settles_in_time,
    "load 5 processing sealed key 3 ->",
    "loadadd 5 k1 2x100 -> 0",
    "loaded 0 ->",
    "hello 1 s1 i1 -> welcome 1 s1",
    "credit 1 chunks 3 ->",
    "ticks 5 ->",
    "ticks 1 -> assign 1 5/0#1; assign 1 5/1#2",
    "submit 0 r1 key 3 -> reply r1 exists 5")

/* while known agents still come one after the other, it waits on */
SCRIPT(settles_when_no_more_come,
    "load 5 processing sealed ->",
    "loadadd 5 k1 3x100 -> 0",
    "loaded 0 2 3 ->",
    "hello 1 s1 i1 -> welcome 1 s1",
    "credit 1 chunks 3 ->",
    "ticks 5 ->",
    "hello 2 s2 i2 list 5/0#0.7:r -> welcome 2 s2",
    "ticks 5 ->",
    "hello 3 s3 i3 list 5/1#0.8:r -> welcome 3 s3",
    "ticks 5 ->",
    "ticks 1 -> assign 1 5/2#1")

SCRIPT(ends_what_was_done,
    "load 5 pending sealed ->",
    "loadadd 5 k1 1x100 -> 0",
    "loadchunk 5/0 done failed 1 -> 0",
    "load 6 pending sealed ->",
    "loadadd 6 k1 1x100 -> 0",
    "loadchunk 6/0 failed attempts 3 -> 0",
    "load 7 pending ->",
    "loadadd 7 k1 1x100 failed 1 -> 0",
    "loadchunk 7/0 done -> 0",
    "loaded -> save 1 job 5 failed; save 2 job 6 failed",
    "job 7 -> processing ready 0 leased 0 committing 0 done 1 failed 0 cancelled 0 files 1 bad 1",
    "commit -> ended 5; ended 6")

SCRIPT(refusals,
    "loadadd 5 k1 1x100 -> -2",
    "loadchunk 5/0 done -> -2",
    "load 5 pending ->",
    "load 5 pending ->",
    "loadadd 5 k1 1000001x1 -> -7",
    "loadadd 5 k1 2x1 -> 0",
    "loadchunk 5/2 done -> -2",
    "loadchunk 5/1 ready attempts 1 losses 2 -> 0",
    "loadchunk 5/0 cancelled -> 0",
    "loaded ->",
    "chunk 5/0 -> ready 0 leases 0 attempts 0 losses",
    "chunk 5/1 -> ready 0 leases 1 attempts 2 losses")

/* its twin ran on at the last attempt when the broker died */
SCRIPT(one_more_after_a_crash,
    "load 5 pending sealed ->",
    "loadadd 5 k1 1x100 -> 0",
    "loadchunk 5/0 ready attempts 3 -> 0",
    "loaded ->",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 3 -> assign 0 5/0#1 isolate",
    "fail 0 5/0#1 -> save 1 chunk 5/0 failed 3,0; save 2 job 5 failed",
    "commit -> ended 5")

SCRIPT(retry_of_one_that_ended,
    "submit 0 -> save 1 job 1 pending",
    "loaded ->",
    "commit ->",
    "load 5 failed sealed key 4 ->",
    "loadadd 5 k1 2x100 -> 0",
    "loadchunk 5/0 done -> 0",
    "loadchunk 5/1 failed attempts 3 failed 1 -> 0",
    "retry 5 r1 -> save 2 job 5 processing; save 3 chunk 5/1 ready 0,0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 3 -> assign 0 5/1#1",
    "done 0 5/1#1 -> save 4 chunk 5/1 done 0,0; save 5 job 5 completed",
    "commit -> reply r1 ok 5; taken 0 5/1#1; ended 5",
    "submit 0 r2 key 4 -> reply r2 exists 5")

SCRIPT(retry_of_one_with_nothing_failed,
    "submit 0 -> save 1 job 1 pending",
    "loaded ->",
    "load 5 completed sealed key 4 ->",
    "loadadd 5 k1 1x100 -> 0",
    "loadchunk 5/0 done -> 0",
    "retry 5 r1 -> ended 5",
    "load 6 cancelled sealed ->",
    "retry 6 r2 -> ended 6",
    "load 7 failed sealed ->",
    "loadadd 7 k1 1x100 failed 1 -> 0",
    "loadchunk 7/0 done -> 0",
    "retry 7 r3 -> ended 7",
    "commit -> reply r1 nothing-failed 5; reply r2 cancelled 6; reply r3 nothing-failed 7")

SCRIPT(a_refused_retry_leaves_the_key_to_forget,
    "submit 0 -> save 1 job 1 pending",
    "loaded ->",
    "commit ->",
    "load 5 completed sealed key 4 ->",
    "retry 5 r1 -> reply r1 nothing-failed 5; ended 5",
    "submit 0 r2 key 4 -> reply r2 exists 5",
    "forget 5 r3 -> save 2 forget 5",
    "submit 0 r4 key 4 -> save 3 job 6 pending",
    "commit -> ended 5 forgotten; reply r3 ok 5; reply r4 ok 6")

SCRIPT(what_cannot_be_loaded_goes_again,
    "submit 0 -> save 1 job 1 pending",
    "loaded ->",
    "commit ->",
    "load 5 failed sealed key 4 ->",
    "loadadd 5 k1 1x100 -> 0",
    "unload 5 -> ended 5",
    "unload 1 ->",
    "retry 5 r1 -> reply r1 not-found 5",
    "cancel 1 -> save 2 job 1 cancelled",
    "forget 5 -> save 3 forget 5",
    "submit 0 r2 key 4 -> save 4 job 6 pending")

SCRIPT(retry_of_one_that_is_being_forgotten,
    "submit 0 r1 key 4 -> save 1 job 1 pending",
    "seal 1 -> save 2 job 1 completed; save 3 job 1 completed",
    "commit -> reply r1 ok 1; ended 1",
    "forget 1 r2 -> save 4 forget 1",
    "load 1 completed sealed key 4 ->",
    "retry 1 r3 ->",
    "submit 0 r4 key 4 -> save 5 job 2 pending",
    "commit -> ended 1 forgotten; reply r2 ok 1; reply r3 not-found 1; reply r4 ok 2")

SCRIPT(retry_finds_the_key_again,
    "submit 0 r1 key 4 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 3 -> assign 0 1/0#1",
    "fail 0 1/0#1 -> save 4 chunk 1/0 ready 1,0; assign 0 1/0#2",
    "fail 0 1/0#2 -> save 5 chunk 1/0 ready 2,0; assign 0 1/0#3 isolate",
    "fail 0 1/0#3 -> save 6 chunk 1/0 failed 3,0; save 7 job 1 failed",
    "commit -> reply r1 ok 1; ended 1",
    "load 1 failed sealed key 4 ->",
    "loadadd 1 k1 1x100 -> 0",
    "loadchunk 1/0 failed attempts 3 -> 0",
    "retry 1 r3 -> save 8 job 1 processing; save 9 chunk 1/0 ready 0,0",
    "ticks 300 -> drop 0 s1",
    "submit 0 r4 key 4 ->",
    "commit -> reply r3 ok 1; reply r4 exists 1")
/* one whose rows cannot be read goes, with its chunks and its key; the others stay */
SCRIPT(drop_of_one_that_is_damaged,
    "load 5 processing sealed key 3 ->",
    "loadadd 5 k1 3x100 -> 0",
    "loadchunk 5/0 ready attempts 1 -> 0",
    "loadchunk 5/1 done -> 0",
    "load 6 pending sealed ->",
    "loadadd 6 k1 1x100 -> 0",
    "loaddrop 5 ->",
    "loaddrop 5 ->",
    "loaded ->",
    "hello 1 s1 i1 5/0#0.7:r -> welcome 1 s1; taken 1 5/0#0.7",
    "credit 1 chunks 3 -> assign 1 6/0#1",
    "submit 0 r1 key 3 -> save 1 job 7 pending",
    "commit -> reply r1 ok 7")

/* what an agent failed before the cursor came by waits for another one; those behind it do not */
SCRIPT(a_failed_one_does_not_block,
    "load 5 pending sealed ->",
    "loadadd 5 k1 3x100 -> 0",
    "loaded ->",
    "hello 0 s1 i1 5/0#0.5:r -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "fail 0 5/0#0.5 -> save 1 chunk 5/0 ready 1,0",
    "credit 0 chunks 2 -> assign 0 5/1#1; assign 0 5/2#2",
    "credit 1 chunks 2 -> assign 1 5/0#3")
// clang-format on

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(settles),
        cmocka_unit_test(settles_in_time),
        cmocka_unit_test(settles_when_no_more_come),
        cmocka_unit_test(ends_what_was_done),
        cmocka_unit_test(refusals),
        cmocka_unit_test(one_more_after_a_crash),
        cmocka_unit_test(retry_of_one_that_ended),
        cmocka_unit_test(retry_of_one_with_nothing_failed),
        cmocka_unit_test(a_refused_retry_leaves_the_key_to_forget),
        cmocka_unit_test(what_cannot_be_loaded_goes_again),
        cmocka_unit_test(retry_of_one_that_is_being_forgotten),
        cmocka_unit_test(retry_finds_the_key_again),
        cmocka_unit_test(drop_of_one_that_is_damaged),
        cmocka_unit_test(a_failed_one_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
