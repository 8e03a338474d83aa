/* Chooses the store that a URI names. Called by the broker at start; opens nothing itself and never
 * repeats a URI in its words, since it may hold a password. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
    const char *scheme;
    const struct sw_store_ops *ops;
} stores[] = {
    {"sqlite", &sw_store_sqlite},
#ifdef SW_WITH_MONGODB
    {"mongodb", &sw_store_mongodb},
    {"mongodb+srv", &sw_store_mongodb},
#endif
};

/* The MongoDB driver makes a file of counters in /dev/shm as soon as it is loaded, and a process
 * that is killed would leave it there. */
static void remove_counters(void)
{
#ifdef SW_WITH_MONGODB
    char name[32];
    snprintf(name, sizeof name, "/mongoc-%d", (int)getpid());
    shm_unlink(name);
#endif
}

const struct sw_store_ops *sw_store_for(const char *uri, struct sw_err *err)
{
    remove_counters();
    if (*uri == '/' || *uri == '.')
        return &sw_store_sqlite; /* a path */
    size_t scheme = strcspn(uri, ":");
    if (!strcmp(uri, "sqlite:")) {
        sw_fail(err, EINVAL, "store: sqlite: wants the name of a file behind it, or no colon");
        return NULL;
    }
    for (size_t i = 0; i < SW_COUNT(stores); i++)
        if (strlen(stores[i].scheme) == scheme && !memcmp(stores[i].scheme, uri, scheme))
            return stores[i].ops;
#ifndef SW_WITH_MONGODB
    if (!strncmp(uri, "mongodb", strlen("mongodb"))) {
        sw_fail(
            err, EINVAL,
            "store: this build has no MongoDB: use one made with -Dmongodb=enabled, or `sqlite`");
        return NULL;
    }
#endif
    sw_fail(err, EINVAL, "store: '%.*s' is not a store this build knows; use `sqlite`%s",
            (int)SW_MIN(scheme, (size_t)24), uri, SW_COUNT(stores) > 1 ? " or mongodb://..." : "");
    return NULL;
}
