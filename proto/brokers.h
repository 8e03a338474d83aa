/* The brokers of one system, one working and others waiting: whoever speaks to them is given all
 * their addresses and tries one after the other. They have one key, so one server key serves all.
 */
#ifndef SW_BROKERS_H
#define SW_BROKERS_H

#include "base/err.h"

#include <stddef.h>

#define SW_BROKERS_MAX       8 /* a round of tries stays short */
#define SW_BROKERS_TEXT_MAX  2048
#define SW_BROKER_PLACE_TEXT 256 /* HOST:PORT */

struct sw_brokers {
    struct {
        char place[SW_BROKER_PLACE_TEXT]; /* as it was given */
        char control[SW_BROKER_PLACE_TEXT + 8], data[SW_BROKER_PLACE_TEXT + 8]; /* endpoints */
    } at[SW_BROKERS_MAX];
    size_t n;
};

/* `HOST:PORT, HOST2:PORT2`: control ports; data is the next one. -EINVAL with words. */
int sw_brokers_parse(const char *text, struct sw_brokers *ret, struct sw_err *err);

#endif
