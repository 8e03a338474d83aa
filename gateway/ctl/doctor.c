/* The verb `doctor`: tries each link of the chain from here to the devices, in order, and says what
 * mends the first that is broken. Reads only. */
#include "http.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define EXAM_MS                                                                                    \
    5000 /* for the gateway, and for what is behind it: a link that needs longer is broken */

struct exam {
    struct ctl *ctl;
    json_t *links;      /* [{link, ok, detail, fix?}] */
    const char *broken; /* the first */
};

/* One link: what was seen, and the fix when it is broken. */
static void found(struct exam *exam, const char *link, bool ok, const char *detail, const char *fix)
{
    bool known = !exam->broken || strcmp(exam->broken, "broker") != 0;
    if (!ok && !known) { /* behind a dead broker nobody can tell; one fix at a time */
        detail = "not known: the broker does not answer";
        fix = NULL;
    }
    json_t *entry = json_pack("{s:s, s:b, s:s}", "link", link, "ok", ok, "detail", detail);
    if (!ok && fix)
        json_object_set_new(entry, "fix", json_string(fix));
    json_array_append_new(exam->links, entry);
    if (!ok && !exam->broken)
        exam->broken = json_string_value(json_object_get(entry, "link"));
    if (exam->ctl->json)
        return;
    AUTO_BUF struct sw_buf line = {0};
    text_escape(&line, detail, strlen(detail));
    printf("%-7s %-14s %s\n", ok ? "ok" : known ? "BROKEN" : "?", link, (const char *)line.data);
    if (!ok && fix)
        printf("%22s  -> %s\n", "", fix);
}

static void check_config(struct exam *exam)
{
    struct ctl *ctl = exam->ctl;
    AUTO_BUF struct sw_buf text = {0};
    sw_buf_printf(&text, "gateway %s%s%s", ctl->gateway, ctl->config_found ? ", from " : "",
                  ctl->config_found ? ctl->config_file : "");
    found(exam, "configuration", true, (const char *)text.data, "");
}

static void check_token(struct exam *exam)
{
    struct ctl *ctl = exam->ctl;
    AUTO_BUF struct sw_buf text = {0};
    struct stat st;
    if (!ctl->token) {
        sw_buf_printf(&text, "no token%s%s", ctl->token_file ? " in " : "",
                      ctl->token_file ? ctl->token_file : "");
        found(exam, "token", false, (const char *)text.data,
              "run ./deploy/quickstart, or name the file with --token-file or SHADOW_TOKEN_FILE");
        return;
    }
    if (stat(ctl->token_file, &st) == 0 && (st.st_mode & 077)) {
        AUTO_BUF struct sw_buf fix = {0};
        sw_buf_printf(&text, "%s can be read by others (mode %04o)", ctl->token_file,
                      (unsigned)st.st_mode & 07777);
        sw_buf_printf(&fix, "chmod 600 %s", ctl->token_file);
        found(exam, "token", false, (const char *)text.data, (const char *)fix.data);
        return;
    }
    found(exam, "token", true, ctl->token_file, "");
}

/* False when nothing behind it can be asked. */
static bool check_gateway(struct exam *exam)
{
    AUTO_BUF struct sw_buf detail = {0};
    bool is_there = http_find(exam->ctl->http, EXAM_MS, &detail);
    const char *fix = http_trust_fix(exam->ctl->http);
    found(exam, "gateway", is_there, (const char *)detail.data,
          fix[0] ? fix
                 : "start it (./deploy/quickstart start, or systemctl start shadow-gateway), or "
                   "correct the "
                   "address");
    return is_there;
}

/* A link as /api/status tells it: {ok, detail?, fix?, ...}; other members are shown as they are. */
static void
check_link(struct exam *exam, const char *name, const json_t *link, const char *usual_fix)
{
    AUTO_BUF struct sw_buf detail = {0};
    const json_t *ok = json_object_get(link, "ok"), *value;
    const char *key, *fix = show_text(link, "fix");
    json_object_foreach((json_t *)link, key, value)
    {
        if (!strcmp(key, "ok") || !strcmp(key, "fix"))
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        const char *plain = json_string_value(value);
        bool bare = !strcmp(key, "detail") || !strcmp(key, "message");
        sw_buf_printf(&detail, "%s%s%s%s", detail.size ? ", " : "", bare ? "" : key,
                      bare ? "" : " ", plain ? plain : text);
        free(text);
    }
    found(exam, name, json_is_true(ok), detail.data ? (const char *)detail.data : "",
          fix[0] ? fix : usual_fix);
}

static void
found_access(struct exam *exam, const struct http_answer *answer, const struct sw_err *err)
{
    bool is_known = answer->status != 401, is_allowed = answer->status != 403;
    found(exam, "access", is_known && is_allowed,
          is_known && is_allowed ? "the token is accepted" : err->text,
          is_allowed
              ? "the token is unknown to this gateway or was withdrawn; a new one comes from "
                "its administrator"
              : "this token is good, but its role is not enough (a device's?): use one of "
                "the role viewer, submitter or admin");
}

static int check_status(struct exam *exam, struct sw_err *err)
{
    static const struct {
        const char *name, *fix;
    } order[] = {
        {"broker",
         "start it (./deploy/quickstart start, or systemctl start shadow-broker); its log says "
         "why it ended"},
        {"store",
         "see that its server runs and the broker reaches it (MongoDB), or that its disk works "
         "(SQLite); the broker's log says more"},
        {"disk", "make room where the broker's state is, or delete jobs that nobody needs"},
        {"agents",
         "start one (./deploy/quickstart start, or systemctl start shadow-agent on a device); "
         "`shadowctl devices` says why one does not work; the log of one that runs says whether it "
         "finds a broker of its `broker` list"},
    };
    AUTO_ANSWER struct http_answer answer = {0};
    int r = http_get(exam->ctl->http, "/api/status", &answer, err);
    if (answer.status)
        found_access(exam, &answer, err);
    if (!answer.status) { /* it answered a moment ago, so it waits for the one behind it */
        found(exam, order[0].name, false, "the gateway waits for its answer", order[0].fix);
        return 0;
    }
    if (r)
        return r;
    for (size_t i = 0; i < SW_COUNT(order); i++) {
        const json_t *link = json_object_get(answer.json, order[i].name);
        if (json_is_object(link))
            check_link(exam, order[i].name, link, order[i].fix);
    }
    return 0;
}

enum ctl_exit verb_doctor(struct ctl *ctl, const struct call *call)
{
    struct exam exam = {.ctl = ctl, .links = json_array()};
    struct sw_err err = {0};
    int r = 0;
    (void)call;
    check_config(&exam);
    check_token(&exam);
    bool is_there = check_gateway(&exam);
    http_deadline(ctl->http, EXAM_MS);
    if (is_there)
        r = check_status(&exam, &err);
    if (r && !exam.broken)
        found(&exam, "status", false, err.text, "see the gateway's log");
    if (ctl->json) {
        json_t *object = json_pack("{s:b, s:O, s:s?}", "success", !exam.broken, "links", exam.links,
                                   "broken", exam.broken);
        show_json(object);
        json_decref(object);
    } else if (!exam.broken)
        puts("everything works");
    enum ctl_exit status = !is_there ? CTL_UNREACHABLE : r ? exit_of(r) : CTL_DONE;
    status = exam.broken && !status ? CTL_SOME_FAILED : status;
    json_decref(exam.links);
    return status;
}
