/* Words for people, on standard error, and the exit status that an error code stands for. Called by
 * the verbs; writes to standard output only the error object that --json promises. */
#include "ctl.h"

#include "progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool wanted, done;
    char code[32], job[32];
    char message[256];
} json;

static const char *code_of(int status)
{
    switch ((enum ctl_exit)status) {
    case CTL_USAGE:
        return "usage";
    case CTL_UNREACHABLE:
        return "unavailable";
    case CTL_CANCELLED:
        return "cancelled";
    case CTL_INTERRUPTED:
        return "interrupted";
    case CTL_DONE:
    case CTL_SOME_FAILED:
    case CTL_REFUSED:
        break;
    }
    return status == CTL_REFUSED && json.code[0] ? json.code : "failed";
}

static void at_exit(int status, void *arg)
{
    (void)arg;
    if (!status || json.done)
        return;
    json_t *object =
        json_pack("{s:b, s:{s:s, s:s}}", "success", 0, "error", "code", code_of(status), "message",
                  json.message[0] ? json.message : "see standard error");
    if (json.job[0])
        json_object_set_new(object, "jobId", json_string(json.job));
    show_json(object);
    json_decref(object);
}

void say_json(void)
{
    if (!json.wanted)
        on_exit(at_exit, NULL);
    json.wanted = true;
}

void say_json_done(void)
{
    json.done = true;
}

void say_json_code(const char *code)
{
    snprintf(json.code, sizeof json.code, "%s", code);
}

void say_json_job(const char *id)
{
    snprintf(json.job, sizeof json.job, "%s", id);
}

void say(const char *format, ...)
{
    AUTO_BUF struct sw_buf line = {0};
    char text[16384]; /* a name of 4096 bytes, escaped, and the reason */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_escape(&line, text, n < 0 ? 0 : SW_MIN((size_t)n, sizeof text - 1));
    snprintf(json.message, sizeof json.message, "%s",
             text_short((const char *)line.data, CTL_MESSAGE_BYTES).text);
    progress_hide();
    fprintf(stderr, "shadowctl: %s\n", (const char *)line.data);
}

enum ctl_exit exit_of(int code)
{
    switch (-code) {
    case 0:
        return CTL_DONE;
    case CTL_ERR_USAGE:
        return CTL_USAGE;
    case CTL_ERR_UNREACHABLE:
        return CTL_UNREACHABLE;
    case CTL_ERR_REFUSED:
        return CTL_REFUSED;
    case CTL_ERR_CANCELLED:
        return CTL_CANCELLED;
    case CTL_ERR_INTERRUPTED:
        return CTL_INTERRUPTED;
    default:
        return CTL_SOME_FAILED;
    }
}

enum ctl_exit say_failed(int code, const struct sw_err *err)
{
    if (code && err->text[0]) /* empty: said already */
        say("%s", err->text);
    return exit_of(code);
}
