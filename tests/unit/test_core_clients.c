/* What clients ask of the core and every answer there is; priorities, keys and the end of open
 * jobs. */
#include "core_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// clang-format off
SCRIPT(submit_codes,
    "submit 0 r1 key 7 body 1 -> save 1 job 1 pending",
    "submit 0 r2 key 7 body 1 ->",
    "submit 0 r3 key 7 body 2 ->",
    "submit 0 r4 key 8 body 1 -> save 2 job 2 pending",
    "commit -> reply r1 ok 1; reply r2 exists 1; reply r3 conflict 1; reply r4 ok 2",
    "submit 0 r5 key 7 body 1 -> reply r5 exists 1",
    "submit 0 r6 -> save 3 job 3 pending")

/* the key of an ended job is known for a minute, longer than a look-up in the store may take */
SCRIPT(submit_key_after_the_end,
    "submit 0 r1 key 7 -> save 1 job 1 pending",
    "seal 1 r2 -> save 2 job 1 completed; save 3 job 1 completed",
    "commit -> reply r1 ok 1; ended 1; reply r2 ok 1",
    "submit 0 r3 key 7 -> reply r3 exists 1",
    "ticks 239 ->",
    "submit 0 r4 key 7 -> reply r4 exists 1",
    "ticks 1 ->",
    "submit 0 r5 key 7 -> save 4 job 2 pending")

SCRIPT(key_is_free_from_forget_on,
    "submit 0 r1 key 7 -> save 1 job 1 pending",
    "forget 1 r2 -> save 2 forget 1",
    "submit 0 r3 key 7 body 2 -> save 3 job 2 pending",
    "set 1 r4 prio 3 ->",
    "commit -> reply r1 ok 1; ended 1 forgotten; reply r2 ok 1; reply r3 ok 2; reply r4 not-found 1",
    "submit 0 r5 key 7 body 2 -> reply r5 exists 2",
    "seal 2 r6 -> save 4 job 2 completed; save 5 job 2 completed",
    "commit -> ended 2; reply r6 ok 2",
    "forget 2 r7 -> save 6 forget 2",
    "submit 0 r8 key 7 -> save 7 job 3 pending")

SCRIPT(submit_in_one_message,
    "submit 0 r1 more -> save 1 job 1 pending",
    "add 1 r1 k1 2x100 more -> save 2 add 1.0",
    "seal 1 r1 -> save 3 job 1 pending",
    "commit -> reply r1 ok 1")

SCRIPT(add_codes,
    "submit 0 r1 -> save 1 job 1 pending",
    "add 1 r2 k1 2x100 -> save 2 add 1.0",
    "add 1 r3 k1 2x100 ->",
    "add 1 r4 k2 1000001x1 -> reply r4 too-many 1",
    "add 9 r5 k1 1x1 ->",
    "add 1 r6 k3 0x0 -> save 3 add 1.1",
    "add 1 r7 k4 1x5 failed 1 -> save 4 add 1.2",
    "commit -> reply r1 ok 1; reply r2 ok 1; reply r3 ok 1; reply r5 not-found 9; reply r6 ok 1; reply r7 ok 1",
    "job 1 -> pending ready 3 leased 0 committing 0 done 0 failed 0 cancelled 0 files 3 bad 1",
    "seal 1 r8 -> save 5 job 1 pending",
    "add 1 r9 k5 1x1 ->",
    "add 1 r10 k1 2x100 ->",
    "commit -> reply r8 ok 1; reply r9 sealed 1; reply r10 ok 1",
    "cancel 1 r11 -> save 6 job 1 cancelled",
    "add 1 r12 k6 1x1 ->",
    "commit -> ended 1; reply r11 ok 1; reply r12 cancelled 1",
    "add 1 r13 k6 1x1 -> reply r13 not-found 1")

/* 0 is no key: each is new */
SCRIPT(add_without_a_key,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k0 1x1 -> save 2 add 1.0",
    "add 1 k0 1x1 -> save 3 add 1.1",
    "job 1 -> pending ready 2 leased 0 committing 0 done 0 failed 0 cancelled 0 files 2 bad 0")

/* the share counts the lease that was given while the job had one chunk */
SCRIPT(add_after_one_that_is_leased,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "add 1 k2 1x100 -> save 3 add 1.1",
    "return 0 1/0#1 ->",
    "credit 0 chunks 3 -> assign 0 1/0#2; assign 0 1/1#3",
    "job 1 -> processing ready 0 leased 2 committing 0 done 0 failed 0 cancelled 0 files 2 bad 0")

SCRIPT(seal_codes,
    "submit 0 r1 -> save 1 job 1 pending",
    "seal 1 r2 -> save 2 job 1 completed; save 3 job 1 completed",
    "seal 1 r3 ->",
    "seal 9 r4 ->",
    "commit -> reply r1 ok 1; ended 1; reply r2 ok 1; reply r3 ok 1; reply r4 not-found 9",
    "seal 1 r5 -> reply r5 not-found 1")

SCRIPT(seal_while_running,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "done 0 1/0#1 -> save 3 chunk 1/0 done 0,0",
    "commit -> taken 0 1/0#1",
    "job 1 -> processing ready 0 leased 0 committing 0 done 1 failed 0 cancelled 0 files 1 bad 0",
    "seal 1 r1 -> save 4 job 1 completed; save 5 job 1 completed",
    "commit -> ended 1; reply r1 ok 1")

SCRIPT(cancel_codes,
    "submit 0 r1 -> save 1 job 1 pending",
    "cancel 1 r2 -> save 2 job 1 cancelled",
    "cancel 1 r3 ->",
    "cancel 9 r4 ->",
    "commit -> reply r1 ok 1; ended 1; reply r2 ok 1; reply r3 ok 1; reply r4 not-found 9",
    "submit 0 -> save 3 job 2 pending",
    "add 2 k1 1x1 -> save 4 add 2.0",
    "seal 2 -> save 5 job 2 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 2/0#1",
    "done 0 2/0#1 -> save 6 chunk 2/0 done 0,0; save 7 job 2 completed",
    "cancel 2 r5 ->",
    "commit -> taken 0 2/0#1; ended 2; reply r5 final 2",
    "cancel 2 r6 -> reply r6 not-found 2")

SCRIPT(retry_codes,
    "submit 0 r1 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "retry 1 r2 ->",
    "retry 9 r3 ->",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1  -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1; assign 0 1/1#2",
    "done 0 1/0#1 -> save 4 chunk 1/0 done 0,0",
    "retry 1 r4 ->",
    "fail 0 1/1#2 -> save 5 chunk 1/1 ready 1,0; assign 0 1/1#3",
    "fail 0 1/1#3 -> save 6 chunk 1/1 ready 2,0; assign 0 1/1#4 isolate",
    "fail 0 1/1#4 -> save 7 chunk 1/1 failed 3,0; save 8 job 1 failed",
    "retry 1 r5 ->",
    "commit -> reply r1 ok 1; reply r2 not-finished 1; reply r3 not-found 9; taken 0 1/0#1; reply r4 not-finished 1; ended 1; reply r5 not-finished 1",
    "retry 1 r6 -> reply r6 not-found 1",
    "submit 0 -> save 9 job 2 pending",
    "cancel 2 -> save 10 job 2 cancelled",
    "retry 2 r7 ->")

SCRIPT(set_codes,
    "submit 0 r1 -> save 1 job 1 pending",
    "add 1 k1 1x1 -> save 2 add 1.0",
    "set 1 r2 prio 5 -> save 3 job 1 pending",
    "set 1 r3 -> save 4 job 1 pending",
    "set 1 r4 prio 5 -> save 5 job 1 pending",
    "set 9 r5 prio 5 ->",
    "commit -> reply r1 ok 1; reply r2 ok 1; reply r3 ok 1; reply r4 ok 1; reply r5 not-found 9")

SCRIPT(forget_codes,
    "submit 0 r1 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "forget 1 r2 -> revoke 0 1/0#1; save 3 forget 1",
    "forget 1 r3 -> save 4 forget 1",
    "cancel 1 r4 ->",
    "retry 1 r5 ->",
    "add 1 r6 k1 2x100 ->",
    "commit -> reply r1 ok 1; ended 1 forgotten; reply r2 ok 1; ended 1 forgotten; reply r3 ok 1; reply r4 not-found 1; reply r5 not-found 1; reply r6 not-found 1",
    "forget 1 r7 -> save 5 forget 1",
    "commit -> ended 1 forgotten; reply r7 ok 1")

SCRIPT(drain_replies,
    "hello 0 s1 i1 -> welcome 0 s1",
    "drain 0 r1 -> reply r1 ok 0",
    "agent 0 -> online draining held 0 running 0 spent 0 of 0",
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x1 -> save 2 add 1.0",
    "credit 0 chunks 1 ->",
    "why 1 0 -> draining",
    "resume 0 r2 -> reply r2 ok 0; assign 0 1/0#1",
    "agent 0 -> online held 1 running 0 spent 1 of 1")

SCRIPT(unsealed_timeout,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x1 -> save 2 add 1.0",
    "commit ->",
    "+250 tick ->",
    /* time in which the broker stood still does not count */
    "+700000 tick ->",
    "job 1 -> pending ready 1 leased 0 committing 0 done 0 failed 0 cancelled 0 files 1 bad 0")

SCRIPT(unsealed_for_ten_minutes,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x1 -> save 2 add 1.0",
    "commit ->",
    "ticks 2399 ->",
    "ticks 1 -> save 3 job 1 cancelled",
    "job 1 -> pending ready 0 leased 0 committing 0 done 0 failed 0 cancelled 1 files 1 bad 0",
    "commit -> ended 1")

/* a SET says that the sender is there */
SCRIPT(unsealed_but_alive,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x1 -> save 2 add 1.0",
    "commit ->",
    "ticks 2399 ->",
    "set 1 r1 prio 0 -> save 3 job 1 pending",
    "commit -> reply r1 ok 1",
    "ticks 2399 ->",
    "ticks 1 -> save 4 job 1 cancelled")

/* higher first, also when it changes; then in turn */
SCRIPT(priorities,
    "submit 0 prio 0 -> save 1 job 1 pending",
    "submit 0 prio 1 -> save 2 job 2 pending",
    "submit 0 prio 1 -> save 3 job 3 pending",
    "submit 0 prio -100 -> save 4 job 4 pending",
    "submit 0 prio 100 -> save 5 job 5 pending",
    "add 1 k1 2x100 -> save 6 add 1.0",
    "add 2 k1 2x100 -> save 7 add 2.0",
    "add 3 k1 2x100 -> save 8 add 3.0",
    "add 4 k1 1x100 -> save 9 add 4.0",
    "add 5 k1 1x100 -> save 10 add 5.0",
    "hello 0 s1 i1 slots 9 -> welcome 0 s1",
    "set 1 prio 50 -> save 11 job 1 pending",
    "credit 0 chunks 9 -> assign 0 5/0#1; assign 0 1/0#2; assign 0 1/1#3; assign 0 2/0#4; assign 0 3/0#5; assign 0 2/1#6; assign 0 3/1#7; assign 0 4/0#8",
    "why 4 0 -> running")

SCRIPT(notes,
    "notes submit 0 -> save 1 job 1 pending; note 0 1/0 0",
    "notes add 1 k1 1x1 -> save 2 add 1.0; note 0 1/0 0",
    "notes hello 0 s1 i1 -> welcome 0 s1; note 2 0/0 0",
    "notes credit 0 chunks 1 -> note 0 1/0 0; assign 0 1/0#1",
    "notes done 0 1/0#1 -> save 3 chunk 1/0 done 0,0",
    "notes seal 1 -> save 4 job 1 completed; save 5 job 1 completed",
    "notes commit -> note 1 1/0 0; taken 0 1/0#1; note 0 1/0 0; ended 1")
// clang-format on

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(submit_codes),
        cmocka_unit_test(submit_key_after_the_end),
        cmocka_unit_test(key_is_free_from_forget_on),
        cmocka_unit_test(submit_in_one_message),
        cmocka_unit_test(add_codes),
        cmocka_unit_test(add_without_a_key),
        cmocka_unit_test(add_after_one_that_is_leased),
        cmocka_unit_test(seal_codes),
        cmocka_unit_test(seal_while_running),
        cmocka_unit_test(cancel_codes),
        cmocka_unit_test(retry_codes),
        cmocka_unit_test(set_codes),
        cmocka_unit_test(forget_codes),
        cmocka_unit_test(drain_replies),
        cmocka_unit_test(unsealed_timeout),
        cmocka_unit_test(unsealed_for_ten_minutes),
        cmocka_unit_test(unsealed_but_alive),
        cmocka_unit_test(priorities),
        cmocka_unit_test(notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
