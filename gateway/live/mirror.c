/* Owns the feed from the broker and what it has told so far; turns changes into events for the
 * WebSockets that want them. Called by events.c when somebody comes, goes or asks; by the broker's
 * connection with what it hears.
 *
 * JSON is made once a change, not once a socket. */
#include "live/mirror.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "broker.h"
#include "job_show.h"
#include "live/audience.h"
#include "live/items.h"
#include "live/socket.h"
#include "proto/json.h"
#include "proto/link.h"
#include "results.h"

#include <string.h>

#define SAY_MS    2000 /* SUBSCRIBE again */
#define SILENT_MS 6000 /* then the feed begins anew */
#define TICK_MS   500

struct mirror {
    struct gateway *gateway;
    uv_timer_t tick;
    struct items *jobs, *devices;
    uint64_t feed, seq; /* feed 0: nobody listens */
    bool whole;         /* the snapshot is there */
    int64_t heard_ms, said_ms;
    struct sw_msg_watched watched[AUDIENCE_WATCHED_MAX];
    size_t n_watched;
};

/* ---- to the sockets ---- */

static json_t *snapshot_of(struct mirror *m, const struct socket *s)
{
    return json_pack("{s:I, s:o, s:o, s:b}", "seq", (json_int_t)s->seq, "jobs",
                     s->wants_jobs ? items_json(m->jobs) : json_array(), "devices",
                     s->wants_devices ? items_json(m->devices) : json_array(), "broker",
                     s->broker_there);
}

static void show(struct mirror *m, struct socket *s)
{
    s->whole = true;
    s->broker_there = broker_is_there(m->gateway->broker);
    socket_send_json(s, "snapshot", ++s->seq, snapshot_of(m, s));
}

static void show_all(struct mirror *m)
{
    for (struct socket *s = sockets_first(m->gateway); s; s = s->next)
        if (role_may(s->caller.role, ROLE_VIEWER))
            show(m, s);
}

void mirror_show(struct socket *s)
{
    struct mirror *m = s->gateway->mirror;
    mirror_wanted(s->gateway);
    if (m->whole)
        show(m, s);
}

/* ---- from the broker ---- */

static void take_job(struct mirror *m, const struct sw_msg_job *row, bool quiet)
{
    char key[32];
    bool final = job_is_final(row) || sw_str_is(row->status, "cancelled");
    snprintf(key, sizeof key, "%ju", (uintmax_t)row->job);
    json_t *json = job_json(row);
    bool is_new = items_learn(&m->jobs, key, json_incref(json));
    if (!quiet)
        audience_tell(m->gateway, TOPIC_JOBS, row->job,
                      final    ? "job-completed"
                      : is_new ? "new-job"
                               : "job-update",
                      json_pack("{s:O}", "job", json));
    json_decref(json);
    if (final)
        items_forget(&m->jobs, key);
}

static void take_device(struct mirror *m, const struct sw_msg_agent *row, bool quiet)
{
    char key[32];
    snprintf(key, sizeof key, "%.*s", (int)SW_MIN(row->device_id.n, sizeof key - 1),
             row->device_id.p ? row->device_id.p : "");
    json_t *json = sw_json(&sw_record_agent, row);
    items_learn(&m->devices, key, json_incref(json));
    if (!quiet)
        audience_tell(m->gateway, TOPIC_DEVICES, 0, "device-update",
                      json_pack("{s:O}", "device", json));
    json_decref(json);
}

/* Neighbours of one job and one kind go together. */
static void take_chunks(struct mirror *m, const struct sw_msg_chunk *rows, size_t n)
{
    for (size_t i = 0, from = 0; i < n; from = i) {
        json_t *list = json_array();
        bool given = sw_str_is(rows[from].status, "assigned");
        for (; i < n && rows[i].job == rows[from].job &&
               sw_str_is(rows[i].status, "assigned") == given;
             i++)
            json_array_append_new(list, sw_json(&sw_record_chunk, &rows[i]));
        json_t *id = json_sprintf("%ju", (uintmax_t)rows[from].job);
        audience_tell(m->gateway, TOPIC_CHUNKS, rows[from].job,
                      given ? "chunk-assigned" : "chunk-completed",
                      json_pack("{s:o, s:o}", "jobId", id, "chunks", list));
    }
}

static void begin(struct mirror *m);

static void take_changes(struct mirror *m, const struct sw_msg_changes *changes)
{
    bool empty =
        !changes->n_jobs && !changes->n_agents && !changes->n_chunks && !changes->n_forgotten;
    if (changes->feed != m->feed || !m->whole)
        return;
    if (changes->seq != m->seq + !empty) {
        begin(m); /* some were lost on the way */
        return;
    }
    m->seq = changes->seq;
    for (size_t i = 0; i < changes->n_jobs; i++)
        take_job(m, &changes->jobs[i], false);
    for (size_t i = 0; i < changes->n_agents; i++)
        take_device(m, &changes->agents[i], false);
    take_chunks(m, changes->chunks, changes->n_chunks);
    for (size_t i = 0; i < changes->n_forgotten; i++) {
        char key[32];
        snprintf(key, sizeof key, "%ju", (uintmax_t)changes->forgotten[i].job);
        items_forget(&m->jobs, key);
        audience_tell(m->gateway, TOPIC_JOBS, changes->forgotten[i].job, "job-removed",
                      json_pack("{s:s}", "jobId", key));
    }
}

static void take_snapshot(struct mirror *m, const struct sw_msg_snapshot *part)
{
    if (part->feed != m->feed)
        return;
    if (part->part == 0) {
        items_clear(&m->jobs);
        items_clear(&m->devices);
        m->whole = false;
        m->seq = part->seq;
    } else if (part->seq != m->seq || m->whole) {
        return; /* of another one: its first part was lost */
    }
    for (size_t i = 0; i < part->n_jobs; i++)
        take_job(m, &part->jobs[i], true);
    for (size_t i = 0; i < part->n_agents; i++)
        take_device(m, &part->agents[i], true);
    m->whole = part->last;
    if (m->whole)
        show_all(m);
}

static void hear(void *arg, const struct sw_message *message)
{
    struct mirror *m = arg;
    m->heard_ms = sw_boot_ms();
    if (message->type == SW_MSG_SNAPSHOT)
        take_snapshot(m, &message->of.snapshot);
    else
        take_changes(m, &message->of.changes);
}

static void say(struct mirror *m)
{
    struct sw_msg_subscribe subscribe = {.feed = m->feed,
                                         .seq = m->whole ? m->seq : 0,
                                         .watched = m->watched,
                                         .n_watched = m->n_watched};
    m->said_ms = sw_boot_ms();
    broker_say(m->gateway->broker, SW_MSG_SUBSCRIBE, &subscribe);
}

static void begin(struct mirror *m)
{
    m->feed = sw_random_u64() | 1;
    m->whole = false;
    m->heard_ms = sw_boot_ms();
    say(m);
}

static void stop(struct mirror *m)
{
    m->feed = 0; /* the broker forgets it by itself */
    m->whole = false;
    items_clear(&m->jobs);
    items_clear(&m->devices);
}

/* ---- who listens ---- */

void mirror_wanted(struct gateway *g)
{
    struct mirror *m = g->mirror;
    struct sw_msg_watched watched[AUDIENCE_WATCHED_MAX] = {0};
    size_t n = audience_watched(m->gateway, watched);
    bool same = n == m->n_watched && memcmp(watched, m->watched, n * sizeof *watched) == 0;
    memcpy(m->watched, watched, sizeof watched);
    m->n_watched = n;
    if (!audience_is_there(m->gateway) || g->stopping)
        stop(m);
    else if (!m->feed)
        begin(m);
    else if (!same)
        say(m);
}

static void tell_of_broker(struct mirror *m)
{
    bool there = broker_is_there(m->gateway->broker);
    for (struct socket *s = sockets_first(m->gateway); s; s = s->next) {
        if (!s->whole || s->broker_there == there)
            continue;
        s->broker_there = there;
        socket_send_json(s, "broker", ++s->seq, json_pack("{s:b}", "there", there));
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct mirror *m = timer->data;
    int64_t now_ms = sw_boot_ms();
    tell_of_broker(m);
    if (!m->feed || !broker_is_there(m->gateway->broker))
        return;
    if (now_ms - m->heard_ms >= SILENT_MS)
        begin(m);
    else if (now_ms - m->said_ms >= SAY_MS)
        say(m);
}

void mirror_open(struct gateway *g)
{
    struct mirror *m = sw_alloc(1, sizeof *m);
    m->gateway = g;
    uv_timer_init(g->loop, &m->tick);
    m->tick.data = m;
    uv_timer_start(&m->tick, on_tick, TICK_MS, TICK_MS);
    broker_listen(g->broker, hear, m);
    g->mirror = m;
}

void mirror_destroy(struct mirror **p)
{
    struct mirror *m = *p;
    if (!m)
        return;
    broker_listen(m->gateway->broker, NULL, NULL);
    stop(m);
    uv_close((uv_handle_t *)&m->tick, NULL);
    uv_run(m->gateway->loop, UV_RUN_NOWAIT);
    sw_release(m);
    *p = NULL;
}
