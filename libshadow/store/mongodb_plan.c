/* The order in which a batch is written: pure. Called by mongodb_write.c. */
#include "store/mongodb.h"

#include <assert.h>
#include <stdlib.h>

struct seen {     /* what a job's last row was */
    uint64_t job; /* 0: free */
    uint32_t level;
    enum mongodb_collection collection;
};

/* Jobs' numbers are the broker's own, in order: they spread by themselves. */
static struct seen *look_up(struct seen *table, size_t room, uint64_t job)
{
    size_t at = job & (room - 1);
    while (table[at].job && table[at].job != job)
        at = (at + 1) & (room - 1);
    return &table[at];
}

static int compare(const void *a, const void *b)
{
    const struct mongodb_step *x = a, *y = b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->collection != y->collection)
        return x->collection < y->collection ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static uint64_t job_of(const struct sw_row *row, enum mongodb_collection *ret)
{
    switch (row->kind) {
    case SW_ROW_JOB:
    case SW_ROW_FORGET:
        *ret = MONGODB_JOBS;
        return row->of.job.job;
    case SW_ROW_ADD:
        *ret = MONGODB_ADDS;
        return row->of.add.job;
    case SW_ROW_CHUNK:
        *ret = MONGODB_CHUNKS;
        return row->of.chunk.job;
    case SW_ROW_DEVICE:
        break;
    }
    *ret = MONGODB_DEVICES;
    return 0;
}

void mongodb_plan(const struct sw_row *rows, size_t n, struct mongodb_step *ret)
{
    size_t room = 64;
    while (room < 2 * n)
        room *= 2;
    struct seen *table = sw_alloc(room, sizeof *table);
    uint32_t base = 0, last = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct mongodb_step *step = &ret[i];
        uint64_t job = job_of(&rows[i], &step->collection);
        step->row = i;
        step->level = base;
        if (rows[i].kind == SW_ROW_FORGET) {
            step->level = i ? last + 1 : 0;
            base = step->level + 1;
        } else if (job) {
            struct seen *seen = look_up(table, room, job);
            if (seen->job && seen->level >= base)
                step->level = seen->level + (seen->collection != step->collection);
            *seen = (struct seen){job, step->level, step->collection};
        }
        last = SW_MAX(last, step->level);
    }
    sw_release(table);
    qsort(ret, n, sizeof *ret, compare);
}
