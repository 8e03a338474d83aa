/* The verbs that change a job or a device: cancel, retry, delete, set, drain, resume. One request
 * each. */
#include "http.h"
#include "paths.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

struct thing {
    const char *collection, *word;
};
static const struct thing a_job = {"jobs", "job"}, a_device = {"devices", "device"};

static enum ctl_exit change(struct ctl *ctl,
                            const struct thing *thing,
                            const struct call *call,
                            const char *method,
                            const char *tail,
                            const json_t *body,
                            const char *said)
{
    AUTO_ANSWER struct http_answer answer = {0};
    AUTO(sw_text) char *path = path_of(thing->collection, call->args[0], tail);
    struct sw_err err = {0};
    int r = http_json(ctl->http, method, path, body, &answer, &err);
    if (r)
        return say_failed(r, &err);
    if (ctl->json && answer.json)
        show_json(answer.json);
    else if (ctl->json)
        puts("{\"success\": true}");
    else
        say("%s %s %s", thing->word, call->args[0], said);
    return CTL_DONE;
}

enum ctl_exit verb_cancel(struct ctl *ctl, const struct call *call)
{
    return change(ctl, &a_job, call, "POST", "/cancel", NULL, "is cancelled");
}

enum ctl_exit verb_retry(struct ctl *ctl, const struct call *call)
{
    return change(ctl, &a_job, call, "POST", "/retry", NULL, "runs its failed chunks again");
}

enum ctl_exit verb_delete(struct ctl *ctl, const struct call *call)
{
    return change(ctl, &a_job, call, "DELETE", "", NULL, "is forgotten");
}

enum ctl_exit verb_set(struct ctl *ctl, const struct call *call)
{
    int64_t priority = call_number(call, "priority", -100, 100, INT64_MIN);
    const char *name = call_option(call, "name");
    if (!name && priority == INT64_MIN)
        options_usage(call->verb, "set needs --priority or --name");
    if (name && !text_is_utf8(name, strlen(name)))
        options_usage(call->verb, "the name must be UTF-8");
    json_t *body = json_object();
    if (name)
        json_object_set_new(body, "name", json_string(name));
    if (priority != INT64_MIN)
        json_object_set_new(body, "priority", json_integer(priority));
    enum ctl_exit status = change(ctl, &a_job, call, "PATCH", "", body, "is changed");
    json_decref(body);
    return status;
}

enum ctl_exit verb_drain(struct ctl *ctl, const struct call *call)
{
    return change(ctl, &a_device, call, "POST", "/drain", NULL,
                  "finishes what it has and takes no more");
}

enum ctl_exit verb_resume(struct ctl *ctl, const struct call *call)
{
    return change(ctl, &a_device, call, "POST", "/resume", NULL, "takes work again");
}
