/* Reads the list of brokers from a configuration. Called by agent and gateway at start. */
#include "proto/brokers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_one(const char *text, size_t n, struct sw_brokers *brokers, struct sw_err *err)
{
    char place[SW_BROKER_PLACE_TEXT];
    if (brokers->n == SW_BROKERS_MAX)
        return sw_fail(err, EINVAL, "broker: more than %d are named", SW_BROKERS_MAX);
    if (n >= sizeof place)
        return sw_fail(err, EINVAL, "broker: HOST:PORT has at most %zu bytes", sizeof place - 1);
    memcpy(place, text, n);
    place[n] = 0;
    const char *colon = strrchr(place, ':');
    char *end = NULL;
    long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : 0;
    if (port < 1 || port > 65534 || *end || colon == place || strpbrk(place, " \t"))
        return sw_fail(err, EINVAL,
                       "broker is HOST:PORT, port 1 to 65534, or several with commas, not `%.60s`",
                       place);
    int host = (int)(colon - place);
    size_t i = brokers->n++;
    memcpy(brokers->at[i].place, place, n + 1);
    snprintf(brokers->at[i].control, sizeof brokers->at[i].control, "tcp://%.*s:%ld", host, place,
             port);
    snprintf(brokers->at[i].data, sizeof brokers->at[i].data, "tcp://%.*s:%ld", host, place,
             port + 1);
    return 0;
}

int sw_brokers_parse(const char *text, struct sw_brokers *ret, struct sw_err *err)
{
    static const char blank[] = " \t";
    struct sw_brokers brokers = {.n = 0};
    for (const char *rest = text; rest;) {
        rest += strspn(rest, blank);
        size_t size = strcspn(rest, ","), n = size;
        while (n && strchr(blank, rest[n - 1]))
            n--;
        int r = parse_one(rest, n, &brokers, err);
        if (r < 0)
            return r;
        rest = rest[size] ? rest + size + 1 : NULL;
    }
    *ret = brokers;
    return 0;
}
