/* Agents at the core: sessions and serials, HELLO, silence, credit, shares, twins, and why one does
 * not run. */
#include "core_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// clang-format off
SCRIPT(session_and_serials,
    "beat 0 -> again 0 s0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "beat 0 -> beat 0 s1",
    "skip 0 ->",
    "beat 0 -> again 0 s1",
    "hello 0 s2 i1 -> welcome 0 s2",
    "as 0 s1 ->",
    "beat 0 -> again 0 s1",
    "credit 0 chunks 3 -> again 0 s1",
    "gone 0 -> again 0 s1",
    "fail 0 1/0#1 -> again 0 s1",
    "agent 0 -> online held 0 running 0 spent 0 of 0")

SCRIPT(done_of_an_old_session,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x1 -> save 2 add 1.0",
    "commit ->",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "as 0 s9 ->",
    "done 0 1/0#1 -> again 0 s9; save 3 chunk 1/0 done 0,0",
    "commit -> taken 0 1/0#1")

SCRIPT(heartbeats,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 slots 1 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1; assign 0 1/1#2",
    "beat 0 1/0#1:500 1/1#9 1/7#1 4/0#1 -> beat 0 s1",
    "agent 0 -> online held 2 running 1 spent 2 of 2",
    "ticks 23 ->",
    "ticks 1 -> drop 0 s1",
    "chunk 1/0 -> ready 0 leases 0 attempts 1 losses",
    "chunk 1/1 -> ready 0 leases 0 attempts 0 losses",
    "agent 0 -> away held 0 running 0 spent 0 of 0")

SCRIPT(late_tick,
    "hello 0 s1 i1 -> welcome 0 s1",
    "+5900 tick ->",
    "+250 tick ->",
    "ticks 30 -> drop 0 s1")

SCRIPT(unreachable_of_another_session,
    "hello 0 s1 i1 -> welcome 0 s1",
    "as 0 s2 ->",
    "unreachable 0 ->",
    "unreachable 1 ->",
    "as 0 s1 ->",
    "unreachable 0 -> drop 0 s1")

/* the first has a second to answer; then the next HELLO of the other is let in */
SCRIPT(other_instance,
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 0 s2 i2 -> probe 0 s1",
    "+999 tick ->",
    "hello 0 s3 i2 ->",
    "+1 tick ->",
    "hello 0 s4 i2 -> drop 0 s1; welcome 0 s4")

SCRIPT(other_instance_of_one_that_answers,
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 0 s2 i2 -> probe 0 s1",
    "as 0 s1 ->",
    "beat 0 -> beat 0 s1",
    "hello 0 s3 i2 -> duplicate 0 s3",
    "+3001 tick ->",
    "hello 0 s4 i2 -> probe 0 s1")

SCRIPT(other_instance_of_one_that_is_unreachable,
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 0 s2 i2 -> probe 0 s1",
    "as 0 s1 ->",
    "unreachable 0 -> drop 0 s1",
    "hello 0 s2 i2 -> welcome 0 s2")

SCRIPT(hello_adopts,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 4x100 -> save 2 add 1.0",
    "hello 0 s1 i1 list 1/0#0.5:r 1/1#0.6:q 1/2#0.7:f 1/3#0.8:bad -> welcome 0 s1; revoke 0 1/3#0.8",
    "chunk 1/0 -> leased 1 leases 0 attempts 0 losses",
    "agent 0 -> online held 3 running 1 spent 0 of 0",
    "hello 0 s2 i1 list 1/0#0.5:r -> welcome 0 s2",
    "chunk 1/0 -> leased 1 leases 0 attempts 0 losses",
    "chunk 1/1 -> ready 0 leases 0 attempts 0 losses",
    "hello 1 s3 i3 list 1/0#0.9:r -> welcome 1 s3",
    "chunk 1/0 -> leased 2 leases 0 attempts 0 losses",
    "hello 2 s4 i4 list 1/0#0.11:q 1/9#1 7/0#1 -> welcome 2 s4; revoke 2 1/0#0.11",
    "hello 0 s5 i1 list 1/0#0.5:q 1/0#0.12:q -> welcome 0 s5; revoke 0 1/0#0.12")

SCRIPT(hello_of_another_process_loses,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1; assign 0 1/1#2",
    "hello 0 s2 i1 -> welcome 0 s2",
    "chunk 1/0 -> ready 0 leases 0 attempts 0 losses",
    "credit 0 chunks 2 -> assign 0 1/0#3; assign 0 1/1#4",
    "gone 0 -> drop 0 s2",
    "hello 0 s3 i1 -> welcome 0 s3",
    "credit 0 chunks 2 -> assign 0 1/0#5; assign 0 1/1#6",
    "unreachable 0 -> drop 0 s3",
    "chunk 1/0 -> ready 0 leases 0 attempts 1 losses",
    "chunk 1/1 -> ready 0 leases 0 attempts 0 losses")

SCRIPT(hello_lists_what_is_over,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1; assign 0 1/1#2",
    "done 0 1/0#1 -> save 3 chunk 1/0 done 0,0",
    "hello 0 s2 i1 list 1/0#1:f 1/1#2:r -> welcome 0 s2",
    "commit -> taken 0 1/0#1; taken 0 1/0#1",
    "hello 0 s3 i1 list 1/0#1:f 1/1#2:r -> welcome 0 s3; taken 0 1/0#1",
    "cancel 1 -> revoke 0 1/1#2; save 4 job 1 cancelled",
    "hello 0 s4 i1 list 1/1#2:r -> welcome 0 s4",
    "commit -> ended 1; taken 0 1/1#2")

SCRIPT(quarantine,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1; assign 0 1/1#2",
    "quarantine 0 -> revoke 0 1/0#1; revoke 0 1/1#2",
    "agent 0 -> online quarantined held 0 running 0 spent 2 of 2",
    "why 1 0 -> quarantined",
    "hello 0 s2 i1 list 1/0#1:r -> welcome 0 s2; revoke 0 1/0#1",
    "credit 0 chunks 2 ->",
    "resume 0 -> assign 0 1/0#3; assign 0 1/1#4",
    "quarantine 3 ->")

SCRIPT(drain,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 3x100 -> save 2 add 1.0",
    "drain 0 ->",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 9 ->",
    "resume 0 -> assign 0 1/0#1; assign 0 1/1#2; assign 0 1/2#3",
    "drain 0 ->",
    "return 0 1/0#1 ->")

SCRIPT(credit,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 5x100 -> save 2 add 1.0",
    "hello 0 s1 i1 limit 150 -> welcome 0 s1",
    "credit 0 chunks 2 bytes 150 -> assign 0 1/0#1",
    "credit 0 chunks 1 bytes 900 -> assign 0 1/1#2",
    "why 1 0 -> running",
    "return 0 1/0#1 ->",
    "credit 0 chunks 3 bytes 150 -> assign 0 1/0#3",
    "credit 0 chunks 9 bytes 450 -> assign 0 1/2#4; assign 0 1/3#5; assign 0 1/4#6")

SCRIPT(one_larger_than_all_credit,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x1000 -> save 2 add 1.0",
    "hello 0 s1 i1 limit 500 -> welcome 0 s1",
    "credit 0 chunks 2 bytes 0 -> assign 0 1/0#1",
    "hello 0 s2 i1 limit 500 list -> welcome 0 s2",
    "credit 0 chunks 2 bytes 500 -> assign 0 1/0#2")

SCRIPT(why,
    "submit 0 -> save 1 job 1 pending",
    "why 1 0 -> offline",
    "why 9 0 -> offline",
    "hello 0 s1 i1 kinds 2 -> welcome 0 s1",
    "why 1 0 -> no-kernel",
    "hello 0 s2 i1 -> welcome 0 s2",
    "why 1 0 -> nothing-ready",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "why 1 0 -> no-credit",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "why 1 0 -> running",
    "submit 0 -> save 3 job 2 pending",
    "add 2 k2 1x1 -> save 4 add 2.0",
    "why 2 0 -> priority",
    "quarantine 0 -> revoke 0 1/0#1",
    "why 1 0 -> quarantined")

SCRIPT(kinds,
    "submit 0 kind 3 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "hello 0 s1 i1 kinds 7 -> welcome 0 s1",
    "credit 0 chunks 2 ->",
    "hello 1 s2 i2 kinds 8 -> welcome 1 s2",
    "credit 1 chunks 2 -> assign 1 1/0#1")

/* nobody holds more than its part of what remains */
SCRIPT(shares,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 8x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "hello 2 s3 i3 -> welcome 2 s3",
    "hello 3 s4 i4 -> welcome 3 s4",
    "credit 0 chunks 9 -> assign 0 1/0#1; assign 0 1/1#2",
    "credit 1 chunks 9 -> assign 1 1/2#3; assign 1 1/3#4",
    "credit 2 chunks 9 -> assign 2 1/4#5; assign 2 1/5#6",
    "credit 3 chunks 9 -> assign 3 1/6#7; assign 3 1/7#8",
    "why 1 0 -> running",
    "done 0 1/0#1 took 100 -> save 3 chunk 1/0 done 0,0",
    "done 1 1/2#3 took 200 -> save 4 chunk 1/2 done 0,0",
    "+1 tick ->")

SCRIPT(share_of_the_only_one,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 0 chunks 9 -> assign 0 1/0#1",
    "why 1 0 -> running")

SCRIPT(twin_goes_to_the_slowest,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 2x1000 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "hello 1 s2 i2 -> welcome 1 s2",
    "hello 2 s3 i3 kinds 2 -> welcome 2 s3",
    "hello 3 s4 i4 -> welcome 3 s4",
    "credit 0 chunks 1 -> assign 0 1/0#1",
    "credit 1 chunks 1 -> assign 1 1/1#2",
    "credit 2 chunks 4 ->",
    "ticks 2 ->",
    "done 1 1/1#2 took 10 -> save 3 chunk 1/1 done 0,0",
    "credit 1 chunks 3 ->",
    "ticks 1 -> assign 1 1/0#3",
    "ticks 8 ->")

/* one of two fails the last attempt, the other runs on: nobody else gets it, and its RETURN ends the chunk */
SCRIPT(no_twin_beyond_the_limit,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "hello 0 s1 i1 -> welcome 0 s1",
    "credit 0 chunks 2 -> assign 0 1/0#1",
    "fail 0 1/0#1 -> save 3 chunk 1/0 ready 1,0; assign 0 1/0#2",
    "hello 1 s2 i2 -> welcome 1 s2",
    "credit 1 chunks 9 ->",
    "fail 0 1/0#2 -> save 4 chunk 1/0 ready 2,0; assign 1 1/0#3 isolate",
    "hello 2 s3 i3 -> welcome 2 s3",
    "credit 2 chunks 9 ->",
    "ticks 3 -> assign 2 1/0#4 isolate",
    "hello 3 s4 i4 -> welcome 3 s4",
    "credit 3 chunks 9 ->",
    "fail 1 1/0#3 -> save 5 chunk 1/0 ready 3,0",
    "ticks 4 ->",
    "return 2 1/0#4 -> save 6 chunk 1/0 failed 3,0")
// clang-format on

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_and_serials),
        cmocka_unit_test(done_of_an_old_session),
        cmocka_unit_test(heartbeats),
        cmocka_unit_test(late_tick),
        cmocka_unit_test(unreachable_of_another_session),
        cmocka_unit_test(other_instance),
        cmocka_unit_test(other_instance_of_one_that_answers),
        cmocka_unit_test(other_instance_of_one_that_is_unreachable),
        cmocka_unit_test(hello_adopts),
        cmocka_unit_test(hello_of_another_process_loses),
        cmocka_unit_test(hello_lists_what_is_over),
        cmocka_unit_test(quarantine),
        cmocka_unit_test(drain),
        cmocka_unit_test(credit),
        cmocka_unit_test(one_larger_than_all_credit),
        cmocka_unit_test(why),
        cmocka_unit_test(kinds),
        cmocka_unit_test(shares),
        cmocka_unit_test(share_of_the_only_one),
        cmocka_unit_test(twin_goes_to_the_slowest),
        cmocka_unit_test(no_twin_beyond_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
