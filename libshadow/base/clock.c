/* Reads the clocks; called by programs' loops, never by core or kernels. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t sw_boot_ms(void)
{
    return read_ms(CLOCK_BOOTTIME);
}

int64_t sw_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

void sw_time_text(int64_t wall_ms, char *ret_text)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char date[24];
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret_text, SW_TIME_TEXT, "%s.%03dZ", date, (int)(wall_ms % 1000));
}
