/* The chunk state table of the design (section 3), cell by cell: events in, actions out. */
#include "core_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// clang-format off
/* READY is given to an agent with credit */
SCRIPT(ready_assigned,
    "submit 0 r1 more -> save 1 job 1 pending",
    "add 1 r1 k1 1x100 more -> save 2 add 1.0",
    "seal 1 r1 -> save 3 job 1 pending",
    "commit -> reply r1 ok 1",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "chunk 1/0 -> leased 1 leases 0 attempts 0 losses",
    "job 1 -> processing ready 0 leased 1 committing 0 done 0 failed 0 cancelled 0 files 1 bad 0")

/* a late result of a lease that was returned still counts */
SCRIPT(ready_done,
    "submit 0 r1 more -> save 1 job 1 pending",
    "add 1 r1 k1 1x100 more -> save 2 add 1.0",
    "seal 1 r1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "return 0 1/0#1 ->",
    "chunk 1/0 -> ready 0 leases 0 attempts 0 losses",
    "done 0 1/0#1 -> save 4 chunk 1/0 done 0,0; save 5 job 1 completed",
    "chunk 1/0 -> committing 0 leases 0 attempts 0 losses",
    "commit -> reply r1 ok 1; taken 0 1/0#1; ended 1",
    "chunk 1/0 ->")

/* FAIL and RETURN without a live n do nothing; CANCEL ends it */
SCRIPT(ready_fail_return_cancel,
    "submit 0 r1 -> save 1 job 1 pending",
    "add 1 r2 k1 2x100 -> save 2 add 1.0",
    "seal 1 r3 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "fail 0 1/0#7 ->",
    "return 0 1/1#7 ->",
    "job 1 -> pending ready 2 leased 0 committing 0 done 0 failed 0 cancelled 0 files 2 bad 0",
    "cancel 1 r4 -> save 4 job 1 cancelled",
    "commit -> reply r1 ok 1; reply r2 ok 1; reply r3 ok 1; ended 1; reply r4 ok 1",
    "job 1 ->")

SCRIPT(leased_done,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "done 0 1/0#1 -> save 4 chunk 1/0 done 0,0; save 5 job 1 completed",
    "chunk 1/0 -> committing 0 leases 0 attempts 0 losses",
    "job 1 -> processing ready 0 leased 0 committing 1 done 0 failed 0 cancelled 0 files 1 bad 0",
    "commit -> taken 0 1/0#1; ended 1",
    "job 1 ->")

/* the other lease is revoked */
SCRIPT(leased_done_by_twin,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 0 chunks 2 -> assign 0 1/0#1",
    "credit 1 chunks 2 ->",
    "+600 tick -> assign 1 1/0#2",
    "chunk 1/0 -> leased 2 leases 0 attempts 0 losses",
    "done 1 1/0#2 -> revoke 0 1/0#1; save 4 chunk 1/0 done 0,0; save 5 job 1 completed",
    "commit -> taken 1 1/0#2; ended 1",
    "done 0 1/0#1 -> taken 0 1/0#1")

SCRIPT(leased_fail_one_of_two,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 0 chunks 2 -> assign 0 1/0#1",
    "credit 1 chunks 2 ->",
    "+600 tick -> assign 1 1/0#2",
    "fail 0 1/0#1 -> save 4 chunk 1/0 ready 1,0",
    "chunk 1/0 -> leased 1 leases 1 attempts 0 losses",
    "return 1 1/0#2 -> assign 1 1/0#3",
    "chunk 1/0 -> leased 1 leases 1 attempts 0 losses")

/* three failures, on different agents where there are that many; isolated at the last */
SCRIPT(leased_fail_to_the_limit,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1",
    "fail 0 1/0#1 -> save 4 chunk 1/0 ready 1,0; assign 0 1/0#2",
    "fail 0 1/0#2 -> save 5 chunk 1/0 ready 2,0; assign 0 1/0#3 isolate",
    "chunk 1/0 -> leased 1 leases 2 attempts 0 losses",
    "fail 0 1/0#3 -> save 6 chunk 1/0 failed 3,0; save 7 job 1 failed",
    "chunk 1/0 -> committing 0 leases 3 attempts 0 losses",
    "commit -> ended 1",
    "chunk 1/0 ->")

SCRIPT(leased_fails_on_different_agents,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 1 chunks 9 -> assign 1 1/0#1",
    "credit 0 chunks 9 ->",
    "fail 1 1/0#1 -> save 3 chunk 1/0 ready 1,0; assign 0 1/0#2",
    "fail 0 1/0#2 -> save 4 chunk 1/0 ready 2,0; assign 0 1/0#3 isolate",
    "why 1 0 -> running")

/* five losses on three agents */
SCRIPT(leased_lost,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1",
    "unreachable 0 -> drop 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 1 chunks 9 -> assign 1 1/0#2",
    "unreachable 1 -> drop 1 s2",
    "hello 2 s3 i3 -> welcome 2 s3",
    "credit 2 chunks 9 -> assign 2 1/0#3",
    "unreachable 2 -> drop 2 s3",
    "hello 2 s4 i4 -> welcome 2 s4",
    "credit 2 chunks 9 -> assign 2 1/0#4",
    "unreachable 2 -> drop 2 s4",
    "chunk 1/0 -> ready 0 leases 0 attempts 4 losses",
    "hello 2 s5 i5 -> welcome 2 s5",
    "credit 2 chunks 9 -> assign 2 1/0#5",
    "unreachable 2 -> save 4 chunk 1/0 failed 0,5; save 5 job 1 failed; drop 2 s5",
    "chunk 1/0 -> committing 0 leases 0 attempts 5 losses",
    "commit -> ended 1")

/* as many losses on two agents are not enough */
SCRIPT(leased_lost_on_two,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1",
    "unreachable 0 -> drop 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 1 chunks 9 -> assign 1 1/0#2",
    "unreachable 1 -> drop 1 s2",
    "hello 1 s3 i3 -> welcome 1 s3",
    "credit 1 chunks 9 -> assign 1 1/0#3",
    "unreachable 1 -> drop 1 s3",
    "hello 1 s4 i4 -> welcome 1 s4",
    "credit 1 chunks 9 -> assign 1 1/0#4",
    "unreachable 1 -> drop 1 s4",
    "hello 1 s5 i5 -> welcome 1 s5",
    "credit 1 chunks 9 -> assign 1 1/0#5",
    "unreachable 1 -> drop 1 s5",
    "chunk 1/0 -> ready 0 leases 0 attempts 5 losses")

/* BYE counts nothing, nor does RETURN */
SCRIPT(leased_gone,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 slots 2 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1; assign 0 1/1#2",
    "return 0 1/0#1 ->",
    "gone 0 -> drop 0 s1",
    "chunk 1/0 -> ready 0 leases 0 attempts 0 losses",
    "chunk 1/1 -> ready 0 leases 0 attempts 0 losses")

SCRIPT(leased_cancel,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "cancel 1 r1 -> revoke 0 1/0#1; save 3 job 1 cancelled",
    "chunk 1/0 -> cancelled 0 leases 0 attempts 0 losses",
    "commit -> ended 1; reply r1 ok 1")

/* never assigned, surplus counted once, cancelled only after the commit */
SCRIPT(committing,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "commit ->",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1; assign 0 1/1#2",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 1 chunks 9 ->",
    "done 0 1/0#1 -> save 3 chunk 1/0 done 0,0",
    "+600 tick -> assign 1 1/1#3",
    "done 1 1/0#1 ->",
    "fail 0 1/0#1 ->",
    "cancel 1 r1 -> revoke 0 1/1#2; revoke 1 1/1#3; save 4 job 1 cancelled",
    "chunk 1/0 -> committing 0 leases 0 attempts 0 losses",
    "commit -> taken 0 1/0#1; taken 1 1/0#1; ended 1; reply r1 ok 1")

SCRIPT(done_surplus,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1; assign 0 1/1#2",
    "done 0 1/0#1 -> save 3 chunk 1/0 done 0,0",
    "commit -> taken 0 1/0#1",
    "done 0 1/0#1 -> taken 0 1/0#1",
    "fail 0 1/0#1 ->",
    "return 0 1/0#1 ->",
    "chunk 1/0 -> done 0 leases 0 attempts 0 losses",
    "cancel 1 r1 -> revoke 0 1/1#2; save 4 job 1 cancelled",
    "chunk 1/0 -> done 0 leases 0 attempts 0 losses")

SCRIPT(failed_retry,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 failed 1 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1; assign 0 1/1#2",
    "fail 0 1/0#1 -> save 4 chunk 1/0 ready 1,0; assign 0 1/0#3",
    "fail 0 1/0#3 failed 2 -> save 5 chunk 1/0 ready 2,0; assign 0 1/0#4 isolate",
    "fail 0 1/0#4 failed 2 -> save 6 chunk 1/0 failed 3,0",
    "chunk 1/0 -> committing 0 leases 3 attempts 0 losses",
    "job 1 -> processing ready 0 leased 1 committing 1 done 0 failed 0 cancelled 0 files 2 bad 3",
    "retry 1 r1 -> save 7 job 1 processing; save 8 chunk 1/0 ready 0,0; assign 0 1/0#5",
    "chunk 1/0 -> leased 1 leases 0 attempts 0 losses",
    "commit -> reply r1 ok 1",
    "done 0 1/0#5 -> save 9 chunk 1/0 done 0,0",
    "done 0 1/1#2 failed 1 -> save 10 chunk 1/1 done 0,0; save 11 job 1 failed",
    "commit -> taken 0 1/0#5; taken 0 1/1#2; ended 1")

SCRIPT(wrong_token,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "commit ->",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "done 0 1/0#1:bad ->",
    "fail 0 1/0#1:bad ->",
    "return 0 1/0#1:bad ->",
    "done 0 1/9#1 -> taken 0 1/9#1",
    "done 0 8/0#1 -> taken 0 8/0#1",
    "fail 0 8/0#1 ->",
    "fail 0 1/9#1 ->",
    "chunk 1/0 -> leased 1 leases 0 attempts 0 losses")

SCRIPT(failed_shown_after_commit,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 -> assign 0 1/0#1; assign 0 1/1#2",
    "fail 0 1/0#1 -> save 3 chunk 1/0 ready 1,0; assign 0 1/0#3",
    "fail 0 1/0#3 -> save 4 chunk 1/0 ready 2,0; assign 0 1/0#4 isolate",
    "fail 0 1/0#4 -> save 5 chunk 1/0 failed 3,0",
    "retry 1 r1 -> save 6 job 1 processing; save 7 chunk 1/0 ready 0,0; assign 0 1/0#5",
    "fail 0 1/0#5 -> save 8 chunk 1/0 ready 1,0; assign 0 1/0#6",
    "fail 0 1/0#6 -> save 9 chunk 1/0 ready 2,0; assign 0 1/0#7 isolate",
    "fail 0 1/0#7 -> save 10 chunk 1/0 failed 3,0",
    "commit 6 ->",
    "chunk 1/0 -> committing 0 leases 3 attempts 0 losses",
    "job 1 -> processing ready 0 leased 1 committing 1 done 0 failed 0 cancelled 0 files 2 bad 0",
    "commit -> reply r1 ok 1",
    "chunk 1/0 -> failed 0 leases 3 attempts 0 losses",
    "job 1 -> processing ready 0 leased 1 committing 0 done 0 failed 1 cancelled 0 files 2 bad 0")
// clang-format on

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_assigned),
        cmocka_unit_test(ready_done),
        cmocka_unit_test(ready_fail_return_cancel),
        cmocka_unit_test(leased_done),
        cmocka_unit_test(leased_done_by_twin),
        cmocka_unit_test(leased_fail_one_of_two),
        cmocka_unit_test(leased_fail_to_the_limit),
        cmocka_unit_test(leased_fails_on_different_agents),
        cmocka_unit_test(leased_lost),
        cmocka_unit_test(leased_lost_on_two),
        cmocka_unit_test(leased_gone),
        cmocka_unit_test(leased_cancel),
        cmocka_unit_test(committing),
        cmocka_unit_test(done_surplus),
        cmocka_unit_test(failed_retry),
        cmocka_unit_test(wrong_token),
        cmocka_unit_test(failed_shown_after_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
