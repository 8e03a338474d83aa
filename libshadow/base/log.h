/* One event, one line: logfmt on standard error with a journald priority (convention 21). Programs
 * log; libraries and core never do. */
#ifndef SW_LOG_H
#define SW_LOG_H

#include "base/own.h"

enum sw_log_level {
    SW_LOG_ERROR = 3,
    SW_LOG_WARNING = 4,
    SW_LOG_NOTICE = 5,
    SW_LOG_INFO = 6,
    SW_LOG_DEBUG = 7, /* only with SHADOW_DEBUG set in the environment */
};

/* sw_log(SW_LOG_INFO, "chunk done job=%ju chunk=%u", ...). Control characters, ESC and bytes above
 * 0x7e in the finished line are written as \xNN and the line is cut at 512 bytes: text from outside
 * cannot forge another line (T14 of reliability.md). */
void sw_log(enum sw_log_level level, const char *format, ...) SW_PRINTF(2, 3);

#endif
