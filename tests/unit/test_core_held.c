/* Held results beside everything else that happens: liars in quarantine, late results, cancels,
 * restarts, jobs that ask for checks of all, spot checks of native agents. Events in, actions out.
 * Agents 0 and 1 are browsers; 7, 8 and 9 are native. */
#include "core_held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// clang-format off
/* what the liar holds and what of it waits is done again; COMMITTING stays */
SCRIPT(all_of_a_liar,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 4x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "commit ->",
    "hello 0 s1 i1 checked owner 1 engine 5 slots 4 -> welcome 0 s1",
    "credit 0 chunks 5 -> assign 0 1/0#1; assign 0 1/1#2; assign 0 1/2#3; assign 0 1/3#4",
    "done 0 1/0#1 -> hold 0 1/0#1",
    "done 0 1/1#2 -> hold 0 1/1#2",
    "done 0 1/2#3 -> hold 0 1/2#3",
    "hello 8 s8 i8 slots 3 -> welcome 8 s8",
    "credit 8 chunks 3 -> assign 8 1/0#5 verify; of 1/0#1; assign 8 1/1#6 verify; of 1/1#2; assign 8 1/2#7 verify; of 1/2#3",
    "checked 8 1/0#5 right -> taken 8 1/0#5; save 4 chunk 1/0 done 0,0 held",
    "checked 8 1/1#6 -> caught 0; revoke 0 1/3#4; let-go 0 1/1#2; revoke 0 1/1#2; revoke 8 1/2#7; let-go 0 1/2#3; revoke 0 1/2#3",
    "job 1 -> processing ready 3 leased 0 committing 1 done 0 failed 0 cancelled 0 files 4 bad 0",
    "hello 0 s2 i1 checked owner 1 engine 5 1/0#1:f 1/1#2:f 1/3#4:r -> welcome 0 s2; revoke 0 1/1#2; revoke 0 1/3#4",
    "commit -> taken 0 1/0#1; taken 8 1/1#6; taken 0 1/0#1")

/* a late result of a native agent needs no check; of a browser it is one too many */
SCRIPT(late_results,
    ONE_CHUNK,
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 1 -> assign 8 1/0#1",
    "return 8 1/0#1 ->",
    "hello 1 s2 i2 checked owner 2 engine 5 -> welcome 1 s2",
    "credit 1 chunks 1 -> assign 1 1/0#2",
    "return 1 1/0#2 ->",
    "hello 0 s1 i1 checked owner 1 engine 5 -> welcome 0 s1",
    "credit 0 chunks 1 -> assign 0 1/0#3",
    "done 0 1/0#3 -> hold 0 1/0#3",
    "hello 1 s3 i2 checked owner 2 engine 5 1/0#2:f -> welcome 1 s3; revoke 1 1/0#2",
    "done 1 1/0#2 -> revoke 1 1/0#2",
    "done 8 1/0#1 -> let-go 0 1/0#3; save 4 chunk 1/0 done 0,0; save 5 job 1 completed",
    "commit -> taken 8 1/0#1; ended 1; taken 0 1/0#3")

SCRIPT(cancelled,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 1 -> assign 8 1/0#2 verify; of 1/0#1",
    "cancel 1 r1 -> revoke 8 1/0#2; let-go 0 1/0#1; revoke 0 1/0#1; save 4 job 1 cancelled",
    "commit -> ended 1; reply r1 ok 1")

/* all of a native agent's results too, when the job asks; it waits where nobody can */
SCRIPT(verify_all,
    "submit 0 verify -> save 1 job 1 pending",
    "add 1 k1 1x100 -> save 2 add 1.0",
    "seal 1 -> save 3 job 1 pending",
    "commit ->",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#1",
    "done 8 1/0#1 -> hold 8 1/0#1",
    "hello 1 s2 i2 checked owner 2 engine 5 -> welcome 1 s2",
    "credit 1 chunks 1 ->",
    "+250 tick ->",
    "why 1 8 -> unchecked",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 2 -> assign 9 1/0#2 verify; of 1/0#1",
    "checked 9 1/0#2 -> taken 9 1/0#2; let-go 8 1/0#1; revoke 8 1/0#1; assign 1 1/0#3",
    "chunk 1/0 -> leased 1 leases 1 attempts 0 losses")

SCRIPT(verify_all_is_loaded,
    "load 1 pending sealed verify ->",
    "loadadd 1 k1 1x100 -> 0",
    "loaded ->",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#1",
    "done 8 1/0#1 -> hold 8 1/0#1")

/* a spot check needs another native agent, and does not wait for ever for one */
SCRIPT(spot_check,
    "submit 0 -> save 1 job 1 pending",
    "add 1 k1 4x100 -> save 2 add 1.0",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#1; assign 8 1/1#2",
    "done 8 1/0#1 draw 0 -> save 3 chunk 1/0 done 0,0",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 1 -> assign 9 1/2#3",
    "done 8 1/1#2 draw 500 -> save 4 chunk 1/1 done 0,0",
    "credit 8 chunks 3 -> assign 8 1/3#4",
    "done 8 1/3#4 draw 9 -> hold 8 1/3#4",
    "gone 9 -> drop 9 s9",
    "credit 8 chunks 4 -> assign 8 1/2#5",
    "tick -> save 5 chunk 1/3 done 0,0 held",
    "commit -> taken 8 1/0#1; taken 8 1/1#2; taken 8 1/3#4")

/* two native agents against one: who lies in a spot check is caught too */
SCRIPT(spot_check_catches,
    ONE_CHUNK,
    "hello 7 s7 i7 -> welcome 7 s7",
    "credit 7 chunks 1 -> assign 7 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 1 ->",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 1 ->",
    "done 7 1/0#1 draw 0 -> hold 7 1/0#1; assign 8 1/0#2 verify; of 1/0#1",
    "checked 8 1/0#2 -> taken 8 1/0#2; assign 9 1/0#3 verify; of 1/0#1",
    "checked 9 1/0#3 -> taken 9 1/0#3; caught 7; let-go 7 1/0#1; revoke 7 1/0#1")

/* nothing is held over a restart: the browser still has it and says so */
SCRIPT(restart,
    "load 1 pending sealed ->",
    "loadadd 1 k1 1x100 -> 0",
    "loadchunk 1/0 verifying -> 0",
    "loaded ->",
    "chunk 1/0 -> ready 0 leases 0 attempts 0 losses",
    "hello 8 s8 i8 1/0#0.4:c -> welcome 8 s8; revoke 8 1/0#0.4",
    "hello 0 s1 i1 checked owner 1 engine 5 1/0#0.3:f -> welcome 0 s1",
    "done 0 1/0#0.3 -> hold 0 1/0#0.3",
    "credit 8 chunks 1 -> assign 8 1/0#1 verify; of 1/0#0.3",
    "done 8 1/0#1 ->",
    "checked 8 1/0#1 right -> taken 8 1/0#1; save 1 chunk 1/0 done 0,0 held; save 2 job 1 completed")
/* the last credit is for checks: two that wait for each other must not have spent it */
SCRIPT(credit_for_checks,
    "submit 0 verify -> save 1 job 1 pending",
    "add 1 k1 9x100 -> save 2 add 1.0",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#1",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 2 -> assign 9 1/1#2",
    "why 1 9 -> running",
    "done 9 1/1#2 -> hold 9 1/1#2; assign 8 1/1#3 verify; of 1/1#2",
    "why 1 9 -> unchecked",
    "done 8 1/0#1 -> hold 8 1/0#1; assign 9 1/0#4 verify; of 1/0#1",
    "checked 8 1/1#3 right -> save 3 chunk 1/1 done 0,0 held",
    "credit 8 chunks 3 ->",
    "credit 8 chunks 4 -> assign 8 1/2#5")

/* it comes before the HELLO of a browser that nobody has seen since the start */
SCRIPT(result_before_hello,
    "load 1 pending sealed ->",
    "loadadd 1 k1 1x100 -> 0",
    "loaded ->",
    "done 0 1/0#0.3 checked -> again 0 s0; hold 0 1/0#0.3",
    "chunk 1/0 -> verifying 0 leases 0 attempts 0 losses")
// clang-format on

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_liar),
        cmocka_unit_test(late_results),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(verify_all),
        cmocka_unit_test(verify_all_is_loaded),
        cmocka_unit_test(spot_check),
        cmocka_unit_test(spot_check_catches),
        cmocka_unit_test(restart),
        cmocka_unit_test(credit_for_checks),
        cmocka_unit_test(result_before_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
