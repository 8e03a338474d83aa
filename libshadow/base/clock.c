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

/* The years 0 to 9999: times also come from outside. */
#define TEXT_MIN_MS (INT64_C(-62167219200) * 1000)
#define TEXT_MAX_MS (INT64_C(253402300800) * 1000 - 1)

void sw_time_text(int64_t wall_ms, char *ret_text)
{
    if (wall_ms < TEXT_MIN_MS || wall_ms > TEXT_MAX_MS)
        wall_ms = wall_ms < 0 ? TEXT_MIN_MS : TEXT_MAX_MS;
    int64_t ms = (wall_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(ret_text, SW_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
             (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, (unsigned)ms);
}
