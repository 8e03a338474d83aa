/* The broker's process without its sockets: turns messages, requests, commits and time into events
 * and feeds them, starts the core from the store and forgets it at a crash. The counterpart of
 * broker/main; called by world.c. */
#include "world.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

enum { SPOT_PERMILLE = 100 }; /* far more than in production */

static struct core_lease_ref reference(const struct world *w, const struct item *item, uint32_t key)
{
    return (struct core_lease_ref){.job = item->job,
                                   .chunk = item->chunk,
                                   .n = item->n,
                                   .phase = item->phase,
                                   .permille = item->permille,
                                   .check = item->check,
                                   .valid = item->token ==
                                            shell_token(w, item->job, item->chunk, item->n, key)};
}

void control_plan_tick(struct world *w)
{
    int64_t wake = core_wake(w->core);
    if (wake >= w->shell.tick_ms)
        return;
    w->shell.tick_ms = wake;
    int64_t late = w->laboratory ? 0 : rng_between(&w->network_rng, 0, 2);
    heap_push(&w->heap, (struct entry){.at_ms = SW_MAX(wake, w->now_ms) + late,
                                       .kind = ENTRY_TICK,
                                       .number = (uint64_t)wake,
                                       .generation = w->shell.generation});
}

static void feed(struct world *w, struct core_event *event, const struct message *from)
{
    oracle_before(w, event);
    core_feed(w->core, event, w->now_ms);
    shell_act(w, event, from);
    oracle_after(w, event);
}

/* Feeds one event, then what the transport found out while its actions were carried out. */
void control_feed(struct world *w, struct core_event *event, const struct message *from)
{
    if (!w->core)
        return;
    feed(w, event, from);
    for (uint32_t i = 0; i < w->options.agents; i++) {
        struct link *link = &w->shell.links[i];
        if (!link->unreachable)
            continue;
        link->unreachable = false;
        struct core_event gone = {.type = EV_UNREACHABLE, .agent = i, .session = link->session};
        feed(w, &gone, NULL);
        if (link->probed && event->type == EV_HELLO && event->agent == i)
            feed(w, event, from);
        link->probed = false;
    }
    control_plan_tick(w);
}

void control_tick(struct world *w, const struct entry *e)
{
    if (!w->core || e->generation != w->shell.generation || (int64_t)e->number != w->shell.tick_ms)
        return;
    w->shell.tick_ms = INT64_MAX;
    oracle_tick(w, w->now_ms - (int64_t)e->number);
    struct core_event event = {.type = EV_TICK};
    control_feed(w, &event, NULL);
}

static void hello(struct world *w, struct core_event *event, const struct message *m)
{
    struct link *link = &w->shell.links[event->agent];
    link->hello_session = m->session;
    link->hello_connection = m->connection;
    link->hello_process = m->process;
    event->of.hello.instance = m->instance;
    event->of.hello.kinds = m->kinds;
    event->of.hello.slots = m->slots;
    event->of.hello.bytes_limit = m->bytes_limit;
    const struct process *p = &w->processes[m->process];
    static uint32_t engines[CORE_KINDS_MAX]; /* borrowed until the event's actions are taken */
    for (uint32_t i = 0; i < CORE_KINDS_MAX; i++)
        engines[i] = p->engine;
    event->of.hello.checked = p->browser;
    event->of.hello.owner = p->owner;
    event->of.hello.engines = p->browser ? engines : NULL;
}

static void results(struct world *w, struct core_event *event, const struct message *m)
{
    for (uint32_t i = 0; i < m->n && w->core; i++) {
        struct item *copy = sw_alloc(1, sizeof *copy); /* borrowed: gone after the actions */
        *copy = m->items[i];
        event->payload = copy;
        event->of.result.lease = reference(w, copy, event->agent);
        event->of.result.took_ms = copy->took_ms;
        event->of.result.bytes_out = copy->bytes / 2;
        event->of.result.failed_files = copy->failed_files;
        event->of.result.hash = rng_mix(copy->result, copy->failed_files);
        event->of.result.draw = (uint16_t)(rng_mix(copy->n, w->options.seed) % 1000);
        event->of.result.agrees = copy->agrees;
        event->of.result.checked = w->processes[event->agent].browser;
        control_feed(w, event, m);
        free(copy);
    }
}

void control_message(struct world *w, const struct message *m)
{
    if (!w->core)
        return;
    uint32_t key = w->processes[m->process].key;
    const struct link *link = &w->shell.links[key];
    bool known = link->connection == m->connection && link->process == m->process;
    struct core_event event = {.agent = key, .serial = m->serial};
    event.session = known || m->type == MESSAGE_HELLO ? m->session : 0;
    struct core_lease_ref *refs = sw_alloc(m->n, sizeof *refs);
    for (uint32_t i = 0; i < m->n; i++)
        refs[i] = reference(w, &m->items[i], key);
    switch ((int)m->type) {
    case MESSAGE_HELLO:
        event.type = EV_HELLO;
        hello(w, &event, m);
        event.of.hello.held = refs;
        event.of.hello.n_held = m->n;
        control_feed(w, &event, m);
        break;
    case MESSAGE_CREDIT:
        event.type = EV_CREDIT;
        event.of.credit.chunks = m->chunks;
        event.of.credit.bytes = m->bytes;
        control_feed(w, &event, m);
        break;
    case MESSAGE_BEAT:
        event.type = EV_BEAT;
        event.of.beat.running = refs;
        event.of.beat.n_running = m->n;
        control_feed(w, &event, m);
        break;
    case MESSAGE_DONE:
    case MESSAGE_FAIL:
    case MESSAGE_RETURN:
    case MESSAGE_CHECKED:
        event.type = m->type == MESSAGE_DONE     ? EV_DONE
                     : m->type == MESSAGE_FAIL   ? EV_FAIL
                     : m->type == MESSAGE_RETURN ? EV_RETURN
                                                 : EV_CHECKED;
        results(w, &event, m);
        break;
    case MESSAGE_BYE:
        event.type = EV_GONE;
        control_feed(w, &event, m);
        break;
    default:
        break;
    }
    free(refs);
}

void control_start(struct world *w)
{
    struct shell *s = &w->shell;
    if (w->core)
        return;
    w->counts[COUNT_STARTS]++;
    w->store.epoch += !BUG(epoch_not_raised) || w->store.epoch == 0;
    s->tick_ms = INT64_MAX;
    s->stalled_until_ms = 0;
    for (size_t i = 0; i < w->store.n_jobs; i++) {
        const struct stored_job *job = &w->store.jobs[i];
        if (!job->exists)
            continue;
        shell_open_folder(w, i, job->client);
        for (uint32_t k = 0; k < job->n_adds; k++)
            shell_add(&s->folders[i], job->adds[k]);
    }
    w->core = core_new(
        &(struct core_config){.epoch = w->store.epoch,
                              .last_job = w->store.last_job,
                              .spot_permille =
                                  w->options.faults >> FAULT_browsers & 1 ? SPOT_PERMILLE : 0},
        w->now_ms);
    oracle_restart(w);
    store_load(w);
    uint32_t *known = sw_alloc(w->options.agents, sizeof *known);
    size_t n = 0;
    for (uint32_t i = 0; i < w->options.agents; i++)
        if (s->links[i].session) /* the device's row said online */
            known[n++] = i;
    memset(s->links, 0, w->options.agents * sizeof *s->links);
    oracle_loaded(w, known, n);
    core_loaded(w->core, known, n, w->now_ms);
    free(known);
    struct core_event tick = {.type = EV_TICK};
    control_feed(w, &tick, NULL);
    for (uint32_t i = 0; i < w->options.agents; i++) {
        struct core_event event = {.type = w->quarantined[i] ? EV_QUARANTINE : EV_DRAIN,
                                   .agent = i};
        if (w->quarantined[i] || w->draining[i])
            control_feed(w, &event, NULL);
    }
}

/* kill -9: nothing is left but the store, the folders of jobs with a row, and what is under way. */
void control_stop(struct world *w)
{
    struct shell *s = &w->shell;
    if (!w->core)
        return;
    store_crash(w);
    core_destroy(&w->core);
    s->n_waiters = s->n_kept = 0;
    s->generation++;
    for (size_t i = 0; i < s->n_folders; i++) {
        free(s->folders[i].adds);
        s->folders[i] = (struct folder){0};
    }
    for (uint32_t i = 0; i < w->n_processes; i++) /* every connection is closed */
        network_break(w, &w->processes[i], true);
    world_later(w, rng_between(&w->fault_rng, 50, 4000), ENTRY_START, 0, 0, 0);
}

void control_done(struct world *w)
{
    struct shell *s = &w->shell;
    core_destroy(&w->core);
    for (size_t i = 0; i < s->n_folders; i++)
        free(s->folders[i].adds);
    free(s->folders);
    free(s->links);
    free(s->kept);
    free(s->waiters);
}
