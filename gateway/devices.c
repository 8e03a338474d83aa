/* The routes of devices. Called by the table of routes; everything comes from the broker. */
#include "ask.h"
#include "base/own.h"
#include "handlers.h"
#include "proto/json.h"

#include <string.h>

#define DEVICES_MAX 10000 /* of one answer: 5 MB of JSON */

static void ask_page(struct request *r, json_t *list, struct sw_str after);

static void list_free(void *list)
{
    json_decref(list);
}

static void took_page(struct request *r, void *arg, const struct sw_message *answer)
{
    const struct sw_msg_agents *agents = &answer->of.agents;
    json_t *list = arg;
    for (size_t i = 0; i < agents->n_rows; i++)
        json_array_append_new(list, sw_json(&sw_record_agent, &agents->rows[i]));
    if (agents->next.n && agents->n_rows && json_array_size(list) < DEVICES_MAX)
        ask_page(r, list, agents->next);
    else
        reply_json(r, MHD_HTTP_OK, json_pack("{s:O}", "devices", list));
}

static void ask_page(struct request *r, json_t *list, struct sw_str after)
{
    struct sw_msg_get_agents get = {.after = after};
    ask_broker(r, SW_MSG_GET_AGENTS, &get, SW_MSG_AGENTS, took_page, list);
}

void devices_list(struct request *r)
{
    json_t *list = json_array();
    request_keep(r, list, list_free);
    ask_page(r, list, (struct sw_str){0});
}

static void took_one(struct request *r, void *arg, const struct sw_message *answer)
{
    const struct sw_msg_agents *agents = &answer->of.agents;
    (void)arg;
    if (agents->n_rows != 1)
        reply_error(r, REPLY_NOT_FOUND, "no such device");
    else
        reply_json(r, MHD_HTTP_OK,
                   json_pack("{s:o}", "device", sw_json(&sw_record_agent, agents->rows)));
}

void devices_get(struct request *r)
{
    struct sw_msg_get_agents get = {.device_id = sw_str_of(r->argument)};
    ask_broker(r, SW_MSG_GET_AGENTS, &get, SW_MSG_AGENTS, took_one, NULL);
}

static void changed(struct request *r, void *arg, const struct sw_message *answer)
{
    (void)arg, (void)answer;
    devices_get(r);
}

void devices_drain(struct request *r)
{
    struct sw_msg_drain drain = {.device_id = sw_str_of(r->argument)};
    ask_broker(r, SW_MSG_DRAIN, &drain, SW_MSG_OK, changed, NULL);
}

void devices_resume(struct request *r)
{
    struct sw_msg_resume resume = {.device_id = sw_str_of(r->argument)};
    ask_broker(r, SW_MSG_RESUME, &resume, SW_MSG_OK, changed, NULL);
}
