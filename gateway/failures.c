/* Owns the count of failed logins by address; of IPv6 by /64, which one machine has whole. Called
 * by login.c. A table of fixed size: the one that failed longest ago gives way, so that nobody can
 * fill memory from many addresses. Never blocks bearer tokens: those carry 256 random bits. */
#include "failures.h"

#include "base/own.h"

#include <stdbool.h>
#include <string.h>

#define ADDRESSES_MAX 256

struct failing {
    struct in6_addr address;
    unsigned n; /* 0: free */
    int64_t since_ms;
};

struct failures {
    struct failing list[ADDRESSES_MAX];
};

struct failures *failures_new(void)
{
    return sw_alloc(1, sizeof(struct failures));
}

void failures_destroy(struct failures **p)
{
    sw_release(*p);
    *p = NULL;
}

static bool same(const struct in6_addr *a, const struct in6_addr *b)
{
    size_t n = IN6_IS_ADDR_V4MAPPED(a) ? sizeof *a : 8;
    return memcmp(a, b, n) == 0;
}

static const struct failing *
find(const struct failures *f, const struct in6_addr *address, int64_t now_ms)
{
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        if (f->list[i].n && same(&f->list[i].address, address) &&
            now_ms - f->list[i].since_ms < FAILURES_WITHIN_MS)
            return &f->list[i];
    return NULL;
}

void failures_add(struct failures *f, const struct in6_addr *address, int64_t now_ms)
{
    const struct failing *found = find(f, address, now_ms);
    size_t at = found ? (size_t)(found - f->list) : 0;
    for (size_t i = 0; !found && i < ADDRESSES_MAX; i++)
        if (!f->list[i].n || (f->list[at].n && f->list[i].since_ms < f->list[at].since_ms))
            at = i;
    if (!found)
        f->list[at] = (struct failing){.address = *address, .since_ms = now_ms};
    f->list[at].n++;
}

unsigned failures_wait_s(const struct failures *f, const struct in6_addr *address, int64_t now_ms)
{
    const struct failing *found = find(f, address, now_ms);
    if (!found || found->n < FAILURES_MAX)
        return 0;
    return (unsigned)((found->since_ms + FAILURES_WITHIN_MS - now_ms + 999) / 1000);
}
