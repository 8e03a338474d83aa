/* A binary heap of entries. Called by everything that makes something happen later; never looks
 * into what an entry owns. */
#include "heap.h"

#include "base/own.h"

#include <stdlib.h>

static bool before(const struct entry *a, const struct entry *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    return a->order < b->order;
}

void heap_push(struct heap *heap, struct entry entry)
{
    sw_grow(&heap->items, &heap->room, heap->n + 1, sizeof *heap->items);
    entry.order = ++heap->order;
    size_t i = heap->n++;
    while (i > 0 && before(&entry, &heap->items[(i - 1) / 2])) {
        heap->items[i] = heap->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->items[i] = entry;
}

bool heap_pop(struct heap *heap, struct entry *ret_entry)
{
    if (heap->n == 0)
        return false;
    *ret_entry = heap->items[0];
    struct entry last = heap->items[--heap->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->n)
            break;
        if (child + 1 < heap->n && before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!before(&heap->items[child], &last))
            break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    if (heap->n)
        heap->items[i] = last;
    return true;
}

void heap_done(struct heap *heap)
{
    for (size_t i = 0; i < heap->n; i++)
        free(heap->items[i].owned);
    free(heap->items);
    *heap = (struct heap){0};
}
