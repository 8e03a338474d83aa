/* The verbs on devices: devices, device, drain, resume. */
#include "http.h"
#include "paths.h"
#include "verbs.h"

#include <stdio.h>

static void devices_print(const json_t *devices)
{
    struct table table = {.n_columns = 8};
    static const char *const heading[] = {"ID",    "NAME", "STATUS",  "LOAD",
                                          "SLOTS", "DONE", "VERSION", "REASON"};
    const json_t *device;
    size_t i;
    for (i = 0; i < SW_COUNT(heading); i++)
        table_cell(&table, heading[i]);
    json_array_foreach(devices, i, device)
    {
        char load[16];
        double value = json_number_value(json_object_get(device, "currentLoad"));
        snprintf(load, sizeof load, "%.0f%%", value * 100);
        table_cell(&table, show_text(device, "deviceId"));
        table_cell(&table, show_text(device, "name"));
        table_cell(&table, show_text(device, "status"));
        table_cell(&table, load);
        table_number(&table, show_number(device, "slots"));
        table_number(&table, show_number(device, "tasksCompleted"));
        table_cell(&table, show_text(device, "version"));
        table_cell(&table, show_text(device, "reason"));
    }
    table_print(&table);
}

enum ctl_exit verb_devices(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    struct sw_err err = {0};
    (void)call;
    int r = http_get(ctl->http, "/api/devices", &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json)
        show_json(answer.json);
    else
        devices_print(json_object_get(answer.json, "devices"));
    return CTL_DONE;
}

static void device_print(const json_t *device)
{
    struct table table = {.n_columns = 2};
    static const char *const texts[] = {"deviceId", "name",    "kind",        "status",
                                        "reason",   "version", "connectedAt", "lastHeartbeat"};
    const json_t *system = json_object_get(device, "systemInfo"), *kernel;
    AUTO_BUF struct sw_buf memory = {0};
    AUTO_BUF struct sw_buf kernels = {0};
    size_t i;
    for (i = 0; i < SW_COUNT(texts); i++)
        if (show_text(device, texts[i])[0]) {
            table_cell(&table, texts[i]);
            table_cell(&table, show_text(device, texts[i]));
        }
    table_cell(&table, "slots");
    table_number(&table, show_number(device, "slots"));
    table_cell(&table, "tasks completed");
    table_number(&table, show_number(device, "tasksCompleted"));
    table_cell(&table, "platform");
    table_cell(&table, show_text(system, "platform"));
    table_cell(&table, "cores");
    table_number(&table, show_number(system, "cpuCores"));
    table_cell(&table, "memory");
    text_bytes(&memory, (uint64_t)show_number(system, "memory"));
    table_cell(&table, (const char *)memory.data);
    json_array_foreach(json_object_get(device, "kernels"), i, kernel)
    {
        const char *name = json_string_value(kernel);
        sw_buf_printf(&kernels, "%s%s", i ? ", " : "", name ? name : show_text(kernel, "type"));
    }
    table_cell(&table, "kernels");
    table_cell(&table, kernels.data ? (const char *)kernels.data : "");
    table_print(&table);
}

enum ctl_exit verb_device(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = path_of("devices", call->args[0], "");
    struct sw_err err = {0};
    int r = http_get(ctl->http, path, &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json)
        show_json(answer.json);
    else
        device_print(json_object_get(answer.json, "device"));
    return CTL_DONE;
}
