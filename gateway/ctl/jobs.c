/* The verbs that look at jobs: jobs, job, why. They read and print, they change nothing. */
#include "http.h"
#include "paths.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2026-11-24T22:38:00.123Z" as the local "2026-11-24 23:38:00". */
static void time_cell(struct table *table, const char *text)
{
    struct tm tm = {0}, local;
    char shown[32] = "";
    if (strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) {
        time_t at = timegm(&tm);
        localtime_r(&at, &local);
        strftime(shown, sizeof shown, "%Y-%m-%d %H:%M:%S", &local);
    }
    table_cell(table, shown);
}

static void progress_cell(struct table *table, const json_t *job)
{
    char text[32];
    double progress = json_number_value(json_object_get(job, "progress"));
    snprintf(text, sizeof text, "%.0f%%",
             progress * 100 - (progress < 1 && progress > 0.995 ? 1 : 0));
    table_cell(table, text);
}

static const char *type_option(const struct call *call)
{
    AUTO_BUF struct sw_buf known = {0};
    for (size_t i = 0; sw_kernels[i]; i++)
        sw_buf_printf(&known, "%s%s", i ? " " : "", sw_kernels[i]->name);
    const char *type = call_option(call, "type");
    if (type && !sw_kernel_find(type))
        options_usage(call->verb, "--type `%.40s`: allowed are %s", type, (const char *)known.data);
    return type;
}

enum ctl_exit verb_jobs(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO_BUF struct sw_buf path = {0};
    struct sw_err err = {0};
    int64_t limit = call_number(call, "limit", 1, 1000, 50);
    const json_t *job;
    size_t i;

    sw_buf_printf(&path, "/api/jobs?limit=%jd", (intmax_t)limit);
    path_query(&path, "status",
               call_list(call, "status", "pending processing completed failed cancelled"));
    path_query(&path, "type", type_option(call));
    path_query(&path, "cursor", call_option(call, "cursor"));
    int r = http_get(ctl->http, (const char *)path.data, &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json) {
        show_json(answer.json);
        return CTL_DONE;
    }
    struct table table = {.n_columns = 7};
    static const char *const heading[] = {"ID",    "TYPE",    "STATUS", "DONE",
                                          "FILES", "CREATED", "NAME"};
    for (i = 0; i < SW_COUNT(heading); i++)
        table_cell(&table, heading[i]);
    json_array_foreach(json_object_get(answer.json, "jobs"), i, job)
    {
        table_cell(&table, show_text(job, "jobId"));
        table_cell(&table, show_text(job, "type"));
        table_cell(&table, show_text(job, "status"));
        progress_cell(&table, job);
        table_number(&table, show_number(job, "totalFiles"));
        time_cell(&table, show_text(job, "createdAt"));
        table_cell(&table, show_text(job, "name"));
    }
    table_print(&table);
    const char *cursor = show_text(answer.json, "nextCursor");
    if (cursor[0])
        say("there are more: --limit, or --cursor %s", cursor);
    return CTL_DONE;
}

static void job_print(const json_t *job)
{
    struct table table = {.n_columns = 2};
    static const char *const texts[] = {"jobId", "name", "type", "status", "error"};
    static const char *const times[] = {"createdAt", "startedAt", "completedAt"};
    char text[64];
    for (size_t i = 0; i < SW_COUNT(texts); i++)
        if (show_text(job, texts[i])[0]) {
            table_cell(&table, texts[i]);
            table_cell(&table, show_text(job, texts[i]));
        }
    table_cell(&table, "priority");
    table_number(&table, show_number(job, "priority"));
    table_cell(&table, "progress");
    progress_cell(&table, job);
    table_cell(&table, "chunks");
    snprintf(text, sizeof text, "%jd of %jd done, %jd failed",
             (intmax_t)show_number(job, "completedChunks"),
             (intmax_t)show_number(job, "totalChunks"), (intmax_t)show_number(job, "failedChunks"));
    table_cell(&table, text);
    table_cell(&table, "files");
    snprintf(text, sizeof text, "%jd, %jd failed", (intmax_t)show_number(job, "totalFiles"),
             (intmax_t)show_number(job, "failedFiles"));
    table_cell(&table, text);
    table_cell(&table, "bytes in");
    table_bytes(&table, show_number(job, "bytesIn"));
    table_cell(&table, "bytes out");
    table_bytes(&table, show_number(job, "bytesOut"));
    for (size_t i = 0; i < SW_COUNT(times); i++)
        if (show_text(job, times[i])[0]) {
            table_cell(&table, times[i]);
            time_cell(&table, show_text(job, times[i]));
        }
    table_print(&table);
}

static void chunks_print(const json_t *chunks)
{
    struct table table = {.n_columns = 5};
    static const char *const heading[] = {"CHUNK", "STATUS", "DEVICE", "FAILURES", "ERROR"};
    const json_t *chunk;
    size_t i;
    for (i = 0; i < SW_COUNT(heading); i++)
        table_cell(&table, heading[i]);
    json_array_foreach(chunks, i, chunk)
    {
        table_cell(&table, show_text(chunk, "chunkId"));
        table_cell(&table, show_text(chunk, "status"));
        table_cell(&table, show_text(chunk, "assignedTo"));
        table_number(&table, show_number(chunk, "attempts"));
        table_cell(&table, show_text(chunk, "error"));
    }
    putchar('\n');
    table_print(&table);
}

enum ctl_exit verb_job(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = path_of("jobs", call->args[0], "");
    struct sw_err err = {0};
    int r = http_get(ctl->http, path, &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json) {
        show_json(answer.json);
        return CTL_DONE;
    }
    job_print(json_object_get(answer.json, "job"));
    chunks_print(json_object_get(answer.json, "chunks"));
    if (show_text(answer.json, "nextChunkCursor")[0])
        say("these are the first chunks only");
    return CTL_DONE;
}

/* The name of a device, "" when it is not known. */
static const char *device_name(const json_t *devices, const char *id)
{
    const json_t *device;
    size_t i;
    json_array_foreach(devices, i, device)
    {
        if (!strcmp(show_text(device, "deviceId"), id))
            return show_text(device, "name");
    }
    return "";
}

static void reason_print(const json_t *reason, const json_t *devices)
{
    AUTO_BUF struct sw_buf line = {0};
    const char *id = show_text(reason, "deviceId"), *fix = show_text(reason, "fix");
    const char *name = device_name(devices, id), *what = show_text(reason, "reason");
    const char *who = name[0] ? name : id;
    text_escape(&line, who, strlen(who));
    sw_buf_text(&line, who[0] ? ": " : "");
    text_escape(&line, what, strlen(what));
    sw_buf_text(&line, fix[0] ? " -> " : "");
    text_escape(&line, fix, strlen(fix));
    puts((const char *)line.data);
}

enum ctl_exit verb_why(struct ctl *ctl, const struct call *call)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO_ANSWER struct http_answer devices = {0};
    AUTO(sw_text) char *path = path_of("jobs", call->args[0], "/why");
    struct sw_err err = {0}, ignored;
    const json_t *reason;
    size_t i;
    int r = http_get(ctl->http, path, &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json) {
        show_json(answer.json);
        return CTL_DONE;
    }
    http_get(ctl->http, "/api/devices", &devices, &ignored); /* for their names only */
    json_array_foreach(json_object_get(answer.json, "reasons"), i, reason)
        reason_print(reason, json_object_get(devices.json, "devices"));
    if (!i)
        puts("nothing waits");
    return CTL_DONE;
}
