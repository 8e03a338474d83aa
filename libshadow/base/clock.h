/* The two clocks. Boot time is for leases and deadlines (it counts suspended time, it never jumps);
 * wall time is for people. Code that decides anything takes `now` as an argument instead
 * (convention 34). */
#ifndef SW_CLOCK_H
#define SW_CLOCK_H

#include <stdint.h>

int64_t sw_boot_ms(void); /* CLOCK_BOOTTIME */
int64_t sw_wall_ms(void); /* CLOCK_REALTIME, since 1970 */

/* `2026-11-24T22:38:00.123Z`; ret_text holds at least SW_TIME_TEXT bytes. */
#define SW_TIME_TEXT 32
void sw_time_text(int64_t wall_ms, char *ret_text);

#endif
