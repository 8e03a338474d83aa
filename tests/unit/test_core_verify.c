/* Results of browsers that count only when a check agrees: by native agents, by other browsers.
 * Events in, actions out. Agents 0 to 3 are browsers of owner 1, 2, 3, 1; 8 and 9 are native. */
#include "core_held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// clang-format off
/* held, not shown, until a native agent agrees; then it is DONE with what was held */
SCRIPT(native_agrees,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "chunk 1/0 -> verifying 0 leases 0 attempts 0 losses",
    "job 1 -> processing ready 0 leased 0 verifying 1 committing 0 done 0 failed 0 cancelled 0 files 1 bad 0",
    "why 1 0 -> unchecked",
    "done 0 1/0#1 ->",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 1 -> assign 8 1/0#2 verify; of 1/0#1",
    "why 1 0 -> nothing-ready",
    "chunk 1/0 -> verifying 1 leases 0 attempts 0 losses",
    "checked 8 1/0#2 right -> taken 8 1/0#2; save 4 chunk 1/0 done 0,0 held; save 5 job 1 completed",
    "chunk 1/0 -> committing 0 leases 0 attempts 0 losses",
    "commit -> taken 0 1/0#1; ended 1")

/* the only native agent there is is believed */
SCRIPT(native_refuses,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#2 verify; of 1/0#1",
    "checked 8 1/0#2 -> taken 8 1/0#2; caught 0; let-go 0 1/0#1; revoke 0 1/0#1; assign 8 1/0#3",
    "agent 0 -> online quarantined held 0 running 0 spent 1 of 1",
    "done 0 1/0#1 -> revoke 0 1/0#1",
    "done 8 1/0#3 -> save 4 chunk 1/0 done 0,0; save 5 job 1 completed",
    "commit -> taken 8 1/0#3; ended 1")

/* where there are two native agents, the second decides: against the browser ... */
SCRIPT(third_refuses,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#2 verify; of 1/0#1",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 2 ->",
    "checked 8 1/0#2 -> taken 8 1/0#2; assign 9 1/0#3 verify; of 1/0#1",
    "checked 9 1/0#3 -> taken 9 1/0#3; caught 0; let-go 0 1/0#1; revoke 0 1/0#1; assign 8 1/0#4")

/* ... or against the first */
SCRIPT(third_agrees,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#2 verify; of 1/0#1",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 2 ->",
    "checked 8 1/0#2 -> taken 8 1/0#2; assign 9 1/0#3 verify; of 1/0#1",
    "checked 9 1/0#3 right -> taken 9 1/0#3; save 4 chunk 1/0 done 0,0 held; save 5 job 1 completed; caught 8",
    "agent 8 -> online quarantined held 0 running 0 spent 1 of 2")

/* the third goes away before it spoke: the first is believed */
SCRIPT(third_leaves,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 1 -> assign 8 1/0#2 verify; of 1/0#1",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 2 ->",
    "checked 8 1/0#2 -> taken 8 1/0#2; assign 9 1/0#3 verify; of 1/0#1",
    "gone 9 -> drop 9 s9",
    "tick -> caught 0; let-go 0 1/0#1; revoke 0 1/0#1",
    "chunk 1/0 -> ready 0 leases 0 attempts 0 losses")

/* without native agents: another owner with the same engine, which does not know that it checks */
SCRIPT(device_agrees,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 hash 7 -> hold 0 1/0#1",
    "hello 3 s4 i4 checked owner 1 engine 5 -> welcome 3 s4",
    "credit 3 chunks 2 ->",
    "hello 2 s3 i3 checked owner 3 engine 6 -> welcome 2 s3",
    "credit 2 chunks 2 ->",
    "hello 4 s5 i5 checked engine 5 -> welcome 4 s5",
    "credit 4 chunks 2 ->",
    "tick ->",
    "why 1 3 -> unchecked",
    "hello 1 s2 i2 checked owner 2 engine 5 -> welcome 1 s2",
    "credit 1 chunks 2 -> assign 1 1/0#2 repeat; of 1/0#1",
    "done 1 1/0#2 hash 7 -> save 4 chunk 1/0 done 0,0 held; save 5 job 1 completed",
    "commit -> taken 0 1/0#1; ended 1; taken 1 1/0#2")

/* two devices against each other wait for a third owner */
#define TWO_DEVICES                                                                                \
    ONE_CHUNK, BROWSER_0,                                                                          \
    "done 0 1/0#1 hash 7 -> hold 0 1/0#1",                                                         \
    "hello 1 s2 i2 checked owner 2 engine 5 -> welcome 1 s2",                                      \
    "credit 1 chunks 1 -> assign 1 1/0#2 repeat; of 1/0#1",                                        \
    "done 1 1/0#2 hash 8 ->",                                                                      \
    "done 1 1/0#2 hash 8 ->",                                                                      \
    "tick ->",                                                                                     \
    "hello 3 s4 i4 checked owner 1 engine 5 -> welcome 3 s4",                                      \
    "credit 3 chunks 2 ->",                                                                        \
    "hello 1 s6 i2 checked owner 2 engine 5 1/0#2:f -> welcome 1 s6",                              \
    "chunk 1/0 -> verifying 0 leases 0 attempts 0 losses"

SCRIPT(third_device_agrees,
    TWO_DEVICES,
    "hello 2 s3 i3 checked owner 3 engine 5 -> welcome 2 s3",
    "credit 2 chunks 1 -> assign 2 1/0#3 repeat; of 1/0#1",
    "done 2 1/0#3 hash 7 -> revoke 1 1/0#2; save 4 chunk 1/0 done 0,0 held; save 5 job 1 completed; caught 1",
    "commit -> taken 0 1/0#1; ended 1; taken 2 1/0#3")

SCRIPT(third_device_agrees_with_the_second,
    TWO_DEVICES,
    "hello 2 s3 i3 checked owner 3 engine 5 -> welcome 2 s3",
    "credit 2 chunks 1 -> assign 2 1/0#3 repeat; of 1/0#1",
    "done 2 1/0#3 hash 8 -> revoke 2 1/0#3; caught 0; revoke 1 1/0#2; let-go 0 1/0#1; revoke 0 1/0#1; assign 3 1/0#4")

/* nobody knows who lies: it counts as a failure */
SCRIPT(three_minds,
    TWO_DEVICES,
    "hello 2 s3 i3 checked owner 3 engine 5 -> welcome 2 s3",
    "credit 2 chunks 1 -> assign 2 1/0#3 repeat; of 1/0#1",
    "done 2 1/0#3 hash 9 -> revoke 2 1/0#3; revoke 1 1/0#2; let-go 0 1/0#1; revoke 0 1/0#1; assign 3 1/0#4",
    "chunk 1/0 -> leased 1 leases 1 attempts 0 losses")

SCRIPT(native_decides_between_devices,
    TWO_DEVICES,
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 1 -> assign 8 1/0#3 verify; of 1/0#1",
    "checked 8 1/0#3 -> taken 8 1/0#3; caught 0; revoke 1 1/0#2; let-go 0 1/0#1; revoke 0 1/0#1; assign 3 1/0#4")

/* the second is put in quarantine: what it said does not count, a check begins again */
SCRIPT(the_second_is_distrusted,
    TWO_DEVICES,
    "quarantine 1 -> revoke 1 1/0#2",
    "resume 1 ->",
    "credit 1 chunks 1 -> assign 1 1/0#3 repeat; of 1/0#1",
    "done 1 1/0#3 hash 7 -> save 4 chunk 1/0 done 0,0 held; save 5 job 1 completed")

/* a checker that vanishes, returns or fails */
SCRIPT(checker_vanishes,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 8 s8 i8 -> welcome 8 s8",
    "credit 8 chunks 2 -> assign 8 1/0#2 verify; of 1/0#1",
    "unreachable 8 -> drop 8 s8",
    "chunk 1/0 -> verifying 0 leases 0 attempts 1 losses",
    "hello 9 s9 i9 -> welcome 9 s9",
    "credit 9 chunks 1 -> assign 9 1/0#3 verify; of 1/0#1",
    "return 9 1/0#3 ->",
    "hello 8 s88 i8 1/0#2:c -> welcome 8 s88; revoke 8 1/0#2",
    "credit 8 chunks 2 -> assign 8 1/0#4 verify; of 1/0#1",
    "hello 8 s89 i8 1/0#4:c -> welcome 8 s89",
    "chunk 1/0 -> verifying 1 leases 0 attempts 1 losses",
    "checked 8 1/0#2 right -> taken 8 1/0#2",
    "checked 8 1/0#4:bad right ->",
    "chunk 1/0 -> verifying 1 leases 0 attempts 1 losses",
    "credit 9 chunks 2 ->",
    "fail 8 1/0#4 -> let-go 0 1/0#1; revoke 0 1/0#1; save 4 chunk 1/0 ready 1,1; assign 9 1/0#5",
    "checked 9 1/0#5 right ->",
    "checked 9 2/0#5 right ->",
    "commit -> taken 9 2/0#5",
    "checked 9 1/7#5 right -> taken 9 1/7#5")

/* five losses on three agents: what kills machines when it is checked ends as it would when run */
SCRIPT(check_kills,
    ONE_CHUNK, BROWSER_0,
    "done 0 1/0#1 -> hold 0 1/0#1",
    "hello 5 s5 i5 -> welcome 5 s5",
    "credit 5 chunks 1 -> assign 5 1/0#2 verify; of 1/0#1",
    "unreachable 5 -> drop 5 s5",
    "hello 5 s6 i5 -> welcome 5 s6",
    "credit 5 chunks 1 -> assign 5 1/0#3 verify; of 1/0#1",
    "unreachable 5 -> drop 5 s6",
    "hello 6 s7 i6 -> welcome 6 s7",
    "credit 6 chunks 1 -> assign 6 1/0#4 verify; of 1/0#1",
    "unreachable 6 -> drop 6 s7",
    "hello 6 s8 i6 -> welcome 6 s8",
    "credit 6 chunks 1 -> assign 6 1/0#5 verify; of 1/0#1",
    "unreachable 6 -> drop 6 s8",
    "hello 7 s9 i7 -> welcome 7 s9",
    "credit 7 chunks 1 -> assign 7 1/0#6 verify; of 1/0#1",
    "unreachable 7 -> let-go 0 1/0#1; revoke 0 1/0#1; save 4 chunk 1/0 failed 0,5; save 5 job 1 failed; drop 7 s9",
    "chunk 1/0 -> committing 0 leases 0 attempts 5 losses")

// clang-format on

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_agrees),
        cmocka_unit_test(native_refuses),
        cmocka_unit_test(third_refuses),
        cmocka_unit_test(third_agrees),
        cmocka_unit_test(third_leaves),
        cmocka_unit_test(device_agrees),
        cmocka_unit_test(third_device_agrees),
        cmocka_unit_test(third_device_agrees_with_the_second),
        cmocka_unit_test(three_minds),
        cmocka_unit_test(native_decides_between_devices),
        cmocka_unit_test(the_second_is_distrusted),
        cmocka_unit_test(checker_vanishes),
        cmocka_unit_test(check_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
