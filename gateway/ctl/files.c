/* The list of a job's files, page after page: the verb `files`, and what fetching results goes by.
 * Reads only. */
#include "files.h"

#include "http.h"
#include "paths.h"
#include "verbs.h"

#include <string.h>

int job_files(struct ctl *ctl, const char *id, const char *status, json_t **ret, struct sw_err *err)
{
    AUTO(sw_text) char *base = path_of("jobs", id, "/files");
    AUTO(sw_text) char *cursor = NULL;
    json_t *all = json_array();
    int r;
    do {
        AUTO_ANSWER struct http_answer answer = {0};
        AUTO_BUF struct sw_buf path = {0};
        sw_buf_text(&path, base);
        path_query(&path, "status", status);
        path_query(&path, "cursor", cursor);
        r = http_get(ctl->http, (const char *)path.data, &answer, err);
        const char *next = r ? "" : show_text(answer.json, "nextCursor");
        sw_release(cursor);
        cursor = next[0] ? sw_copy_text(next, strlen(next)) : NULL;
        if (!r)
            json_array_extend(all, json_object_get(answer.json, "files"));
    } while (!r && cursor);
    if (r)
        json_decref(all);
    else
        *ret = all;
    return r;
}

static void files_rows(struct table *table, const json_t *files)
{
    const json_t *file;
    size_t i;
    json_array_foreach(files, i, file)
    {
        table_cell(table, show_text(file, "status"));
        table_bytes(table, show_number(file, "size"));
        table_bytes(table, show_number(file, "outputSize"));
        table_cell(table, show_text(file, "name"));
        table_cell(table, show_text(file, "error"));
    }
}

enum ctl_exit verb_files(struct ctl *ctl, const struct call *call)
{
    static const char *const heading[] = {"STATUS", "SIZE", "OUTPUT", "NAME", "ERROR"};
    struct table table = {.n_columns = SW_COUNT(heading)};
    struct sw_err err = {0};
    json_t *all = NULL;
    const char *status = call_list(call, "status", "pending completed failed skipped");
    if (status && strchr(status, ','))
        options_usage(call->verb, "--status takes one of them, not a list");
    int r = job_files(ctl, call->args[0], status, &all, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json) {
        json_t *object = json_pack("{s:b, s:O, s:n}", "success", 1, "files", all, "nextCursor");
        show_json(object);
        json_decref(object);
    } else {
        for (size_t i = 0; i < SW_COUNT(heading); i++)
            table_cell(&table, heading[i]);
        files_rows(&table, all);
        table_print(&table);
    }
    json_decref(all);
    return CTL_DONE;
}
