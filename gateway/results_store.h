/* The kept layouts and results, least recently used first out. */
#ifndef GATEWAY_RESULTS_STORE_H
#define GATEWAY_RESULTS_STORE_H

#include "composed.h"
#include "gateway.h"

#define RESULTS_KEY       128
#define RESULTS_JOBS_MAX  256
#define RESULTS_BYTES_MAX ((size_t)48 << 20) /* of what several keep; one alone may be larger */

struct results_entry {
    uint64_t job;
    struct layout *layout;
    struct composed *composed; /* or NULL */
    char key[RESULTS_KEY];
    struct results_entry *next;
};

struct results {
    struct results_entry *first; /* most recently used */
    unsigned building;
};

struct layout *results_find_layout(struct results *, uint64_t job, uint64_t adds);
struct composed *results_find(struct results *, uint64_t job, const char *key);
void results_put_layout(struct results *, uint64_t job, struct layout *);
void results_put(struct results *, uint64_t job, const char *key, struct composed *);

#endif
