/* The verb `types`: the kinds of work that this gateway knows, as it tells them (it may be newer).
 */
#include "http.h"
#include "verbs.h"

#include <stdio.h>

static void type_print(const json_t *type)
{
    struct table table = {.n_columns = 3};
    const json_t *param;
    size_t i;
    const char *name = show_text(type, "type");
    table_cell(&table, name[0] ? name : show_text(type, "name"));
    table_cell(&table, "");
    table_cell(&table, show_text(type, "title"));
    json_array_foreach(json_object_get(type, "params"), i, param)
    {
        AUTO_BUF struct sw_buf key = {0};
        sw_buf_printf(&key, "  %s", show_text(param, "name"));
        table_cell(&table, (const char *)key.data);
        table_cell(&table, show_text(param, "type"));
        table_cell(&table, show_text(param, "help"));
    }
    table_print(&table);
}

enum ctl_exit verb_types(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    struct sw_err err = {0};
    const json_t *type;
    size_t i;
    (void)call;
    int r = http_get(ctl->http, "/api/types", &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json) {
        show_json(answer.json);
        return CTL_DONE;
    }
    json_array_foreach(json_object_get(answer.json, "types"), i, type) type_print(type);
    return CTL_DONE;
}
