/* The devices this broker has ever seen, one a key: what they said of themselves and how to reach
 * them now. */
#include "broker/broker.h"

#include "base/clock.h"

#include <string.h>

struct device *device_get(struct devices *devices, const char *key)
{
    struct device *device = NULL;
    HASH_FIND_STR(devices->by_key, key, device);
    if (device || devices->n >= CORE_AGENTS_MAX)
        return device;
    device = sw_alloc(1, sizeof *device);
    device->index = (uint32_t)devices->n;
    device->fd = -1;
    memcpy(device->key, key, SW_KEY_TEXT);
    sw_device_id(key, device->id);
    struct sw_msg_device_row row = {.public_key = sw_str_of(device->key)};
    device->row = sw_record_clone(&sw_record_device_row, &row);
    HASH_ADD_STR(devices->by_key, key, device);
    sw_grow(&devices->by_index, &devices->room, devices->n + 1, sizeof(struct device *));
    devices->by_index[devices->n++] = device;
    return device;
}

struct device *device_find(const struct devices *devices, struct sw_str id)
{
    for (size_t i = 0; i < devices->n; i++)
        if (sw_str_is(id, devices->by_index[i]->id))
            return devices->by_index[i];
    return NULL;
}

void devices_done(struct devices *devices)
{
    struct device *device, *next_device;
    HASH_ITER(hh, devices->by_key, device, next_device)
    {
        HASH_DEL(devices->by_key, device);
        sw_release(device->row);
        sw_release(device->out.grants);
        sw_release(device->out.leases);
        sw_buf_done(&device->out.payload);
        sw_release(device);
    }
    sw_release(devices->by_index);
    *devices = (struct devices){0};
}

void device_save(struct broker *broker, struct device *device)
{
    struct core_agent_view view = {0};
    device->unsaved = journal_full(broker->journal);
    if (device->unsaved) /* sessions may come and go as often as they like: one row is enough */
        return;
    core_agent(broker->core, device->index, &view);
    device->row->online = view.online;
    device->row->draining = view.draining;
    sw_buf_clear(&broker->body);
    sw_encode_record(&sw_record_device_row, device->row, &broker->body);
    struct sw_row row = {.kind = SW_ROW_DEVICE,
                         .of.device = {.device = device->id,
                                       .body = broker->body.data,
                                       .body_size = broker->body.size}};
    journal_put(broker->journal, &row, core_seq(broker->core)); /* nobody waits for it */
}
