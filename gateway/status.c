/* Each link of the chain, in words: what `shadowctl doctor` reads. Called by the table of routes. A
 * broker that does not answer is a finding here, not an error: 200 in any case. */
#include "ask.h"
#include "base/clock.h"
#include "base/own.h"
#include "door.h"
#include "handlers.h"
#include "inlet.h"
#include "proto/json.h"

#include <stdio.h>
#include <string.h>

struct status {
    struct request *request;
    json_t *broker, *store, *disk, *agents;
    unsigned waiting, total, online;
    bool ok;
};

static void status_free(void *arg)
{
    struct status *status = arg;
    json_decref(status->broker);
    json_decref(status->store);
    json_decref(status->disk);
    json_decref(status->agents);
    sw_release(status);
}

static json_t *link_of(bool ok, const char *message)
{
    return json_pack("{s:b, s:s}", "ok", ok, "message", message);
}

static json_t *link_text(struct sw_str error, const char *fine)
{
    json_t *object = link_of(error.n == 0, fine);
    if (error.n)
        json_object_set_new(object, "message", sw_json_text(error));
    return object;
}

static json_t *gateway_link(const struct gateway *g)
{
    json_t *object = link_of(true, "answers");
    json_object_set_new(object, "version", json_string(SHADOW_VERSION));
    json_object_set_new(object, "uptimeSeconds",
                        json_integer((sw_boot_ms() - g->started_ms) / 1000));
    json_object_set_new(object, "connections", json_integer(door_connections(g)));
    return object;
}

static void finish(struct status *status)
{
    struct request *r = status->request;
    if (--status->waiting)
        return;
    json_t *unknown = link_of(false, "unknown: the broker does not answer");
    json_t *links[] = {status->broker, status->store, status->disk, status->agents};
    status->ok = true;
    for (size_t i = 0; i < SW_COUNT(links); i++) {
        links[i] = links[i] ? links[i] : unknown;
        status->ok &= json_is_true(json_object_get(links[i], "ok"));
    }
    json_t *answer = json_pack("{s:b, s:o, s:O, s:O, s:O, s:O}", "ok", status->ok, "gateway",
                               gateway_link(r->gateway), "broker", links[0], "store", links[1],
                               "disk", links[2], "agents", links[3]);
    json_decref(unknown);
    reply_json(r, MHD_HTTP_OK, answer);
}

/* The broker's disk, and the one that uploads go to. */
static json_t *disk_link(const struct gateway *g, struct sw_str broker_error)
{
    uint64_t room = inlet_room(g->uploads_fd);
    char text[64] = "has room";
    if (room != UINT64_MAX)
        snprintf(text, sizeof text, "has room for %ju MB of uploads", (uintmax_t)(room / 1000000));
    if (!broker_error.n && room == 0)
        return link_of(false, "the disk that uploads go to is full");
    return link_text(broker_error, text);
}

static void took_stats(void *arg, const struct sw_message *answer, bool repeated)
{
    struct status *status = arg;
    struct request *r = status->request;
    (void)repeated;
    if (answer && answer->type == SW_MSG_STATS) {
        const struct sw_msg_stats *stats = &answer->of.stats;
        status->broker = link_of(true, "answers");
        json_object_set_new(status->broker, "version", sw_json_text(stats->version));
        status->store = link_text(stats->store_error, "works");
        json_object_set_new(status->store, "kind", sw_json_text(stats->store));
        status->disk = disk_link(r->gateway, stats->disk_error);
    } else {
        status->broker =
            link_of(false, answer ? "refuses this gateway's questions" : "does not answer");
    }
    json_object_set_new(status->broker, "endpoint", json_string(broker_place(r->gateway->broker)));
    finish(status);
    request_release(r);
}

static void ask_agents(struct status *status, struct sw_str after);

static void took_agents(void *arg, const struct sw_message *answer, bool repeated)
{
    struct status *status = arg;
    struct request *r = status->request;
    (void)repeated;
    if (answer && answer->type == SW_MSG_AGENTS) {
        const struct sw_msg_agents *agents = &answer->of.agents;
        status->total += (unsigned)agents->n_rows;
        for (size_t i = 0; i < agents->n_rows; i++)
            status->online += sw_str_is(agents->rows[i].status, "online") ||
                              sw_str_is(agents->rows[i].status, "busy");
        if (agents->next.n && agents->n_rows) {
            ask_agents(status, agents->next);
            request_release(r);
            return;
        }
        status->agents = link_of(status->online > 0, status->online  ? "some are ready to work"
                                                     : status->total ? "none is ready to work"
                                                                     : "none has ever connected");
        json_object_set_new(status->agents, "online", json_integer(status->online));
        json_object_set_new(status->agents, "total", json_integer(status->total));
    }
    finish(status);
    request_release(r);
}

static void ask_agents(struct status *status, struct sw_str after)
{
    struct sw_msg_get_agents get = {.after = after};
    request_hold(status->request);
    broker_ask(status->request->gateway->broker, SW_MSG_GET_AGENTS, &get, NULL, 0, BROKER_GLANCE_MS,
               took_agents, status);
}

void status_show(struct request *r)
{
    struct sw_msg_get_stats get = {0};
    struct status *status = sw_alloc(1, sizeof *status);
    *status = (struct status){.request = r, .waiting = 2};
    request_keep(r, status, status_free);
    request_hold(r);
    broker_ask(r->gateway->broker, SW_MSG_GET_STATS, &get, NULL, 0, BROKER_GLANCE_MS, took_stats,
               status);
    ask_agents(status, (struct sw_str){0});
}
