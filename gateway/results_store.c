/* Owns the list of kept layouts and results. Called by results.c; users hold their own references,
 * so that dropping is always safe. */
#include "results_store.h"

#include "base/own.h"
#include "results.h"

#include <stdio.h>
#include <string.h>

static void entry_free(struct results_entry *entry)
{
    layout_release(&entry->layout);
    composed_release(&entry->composed);
    sw_release(entry);
}

/* Takes the job's entry out of the list, NULL when there is none. */
static struct results_entry *take(struct results *results, uint64_t job)
{
    for (struct results_entry **p = &results->first; *p; p = &(*p)->next) {
        struct results_entry *entry = *p;
        if (entry->job == job) {
            *p = entry->next;
            return entry;
        }
    }
    return NULL;
}

static void trim(struct results *results)
{
    size_t bytes = 0, n = 0;
    for (struct results_entry **p = &results->first; *p;) {
        struct results_entry *entry = *p;
        bytes += entry->composed ? composed_bytes(entry->composed) : layout_bytes(entry->layout);
        if (n++ && (bytes > RESULTS_BYTES_MAX || n > RESULTS_JOBS_MAX)) {
            *p = entry->next;
            entry_free(entry);
        } else {
            p = &entry->next;
        }
    }
}

static void put_first(struct results *results, struct results_entry *entry)
{
    entry->next = results->first;
    results->first = entry;
}

struct layout *results_find_layout(struct results *results, uint64_t job, uint64_t adds)
{
    struct results_entry *entry = take(results, job);
    if (!entry)
        return NULL;
    put_first(results, entry);
    return entry->layout->n_adds == adds ? entry->layout : NULL;
}

struct composed *results_find(struct results *results, uint64_t job, const char *key)
{
    struct results_entry *entry = take(results, job);
    if (!entry)
        return NULL;
    put_first(results, entry);
    return entry->composed && strcmp(entry->key, key) == 0 ? entry->composed : NULL;
}

static struct results_entry *replace(struct results *results, uint64_t job)
{
    struct results_entry *old = take(results, job);
    struct results_entry *entry = sw_alloc(1, sizeof *entry);
    if (old)
        entry_free(old);
    entry->job = job;
    put_first(results, entry);
    return entry;
}

void results_put_layout(struct results *results, uint64_t job, struct layout *layout)
{
    struct results_entry *entry = replace(results, job);
    entry->layout = layout_hold(layout);
    trim(results);
}

void results_put(struct results *results, uint64_t job, const char *key, struct composed *composed)
{
    struct results_entry *entry = replace(results, job);
    entry->layout = layout_hold(composed->layout);
    entry->composed = composed_hold(composed);
    snprintf(entry->key, sizeof entry->key, "%s", key);
    trim(results);
}

void results_drop(struct gateway *g, uint64_t job)
{
    struct results_entry *entry = take(g->results, job);
    if (entry)
        entry_free(entry);
}

void results_open(struct gateway *g)
{
    g->results = sw_alloc(1, sizeof *g->results);
}

void results_destroy(struct results **p)
{
    struct results *results = TAKE(*p);
    while (results && results->first) {
        struct results_entry *entry = results->first;
        results->first = entry->next;
        entry_free(entry);
    }
    sw_release(results);
}
