/* The results that the broker's process keeps while a check decides: HOLD, LET_GO, and the SAVE of
 * what was held. The counterpart of what the broker keeps of a DONE; called by shell.c, gone at a
 * crash. */
#include "world.h"

#include "base/own.h"

struct kept *kept_find(const struct world *w, uint64_t job, uint32_t chunk, uint64_t n)
{
    for (size_t i = 0; i < w->shell.n_kept; i++) {
        struct kept *kept = &w->shell.kept[i];
        if (kept->job == job && kept->chunk == chunk && kept->n == n)
            return kept;
    }
    return NULL;
}

void kept_hold(struct world *w, const struct core_event *event, const struct core_action *a)
{
    struct shell *s = &w->shell;
    sw_grow(&s->kept, &s->kept_room, s->n_kept + 1, sizeof *s->kept);
    s->kept[s->n_kept++] = (struct kept){.job = a->job,
                                         .chunk = a->chunk,
                                         .n = a->n,
                                         .bytes_out = event->of.result.bytes_out,
                                         .item = *(const struct item *)a->payload};
}

struct kept kept_let_go(struct world *w, const struct core_action *a)
{
    struct kept *kept = kept_find(w, a->job, a->chunk, a->n);
    if (!kept)
        world_fail(w, 14, "a result that is not kept is let go");
    struct kept was = *kept;
    *kept = w->shell.kept[--w->shell.n_kept];
    return was;
}

void kept_save(struct world *w, const struct core_action *a, struct row *row)
{
    struct kept kept = kept_let_go(w, a);
    row->result = kept.item.result;
    row->chunk.bytes_out = kept.bytes_out;
    row->chunk.failed_files = kept.item.failed_files;
}
