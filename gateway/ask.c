/* Owns nothing but the questions' arguments; turns the broker's errors into HTTP's. Called by
 * handlers. */
#include "ask.h"

#include "base/log.h"
#include "base/own.h"

struct asking {
    struct request *request;
    enum sw_message_type asked, expect;
    ask_then *then;
    void *context;
};

/* clang-format off */
static const struct { const char *code; enum reply_code reply; } broker_codes[] = {
    {"bad_request", REPLY_BAD_REQUEST}, {"not_found", REPLY_NOT_FOUND},
    {"conflict", REPLY_CONFLICT},       {"not_finished", REPLY_NOT_FINISHED},
    {"cancelled", REPLY_CANCELLED},     {"busy", REPLY_BUSY},
    {"too_large", REPLY_TOO_LARGE},     {"disk_full", REPLY_DISK_FULL},
    {"unavailable", REPLY_UNAVAILABLE}, {"quota", REPLY_QUOTA},
    {"spill", REPLY_BUSY},              {"forbidden", REPLY_FORBIDDEN},
};
/* clang-format on */

void ask_failed(struct request *r, const struct sw_message *answer)
{
    if (!answer) {
        reply_error(r, REPLY_UNAVAILABLE, "the broker does not answer");
        return;
    }
    if (answer->type == SW_MSG_ERROR) {
        const struct sw_msg_error *error = &answer->of.error;
        for (size_t i = 0; i < SW_COUNT(broker_codes); i++) {
            if (sw_str_is(error->code, broker_codes[i].code)) {
                reply_error(r, broker_codes[i].reply, "%.*s", (int)error->message.n,
                            error->message.n ? error->message.p : "");
                return;
            }
        }
        sw_log(SW_LOG_WARNING, "broker error unknown code=%.*s", (int)error->code.n,
               error->code.n ? error->code.p : "");
    } else {
        sw_log(SW_LOG_WARNING, "broker answered with type=%d", (int)answer->type);
    }
    reply_error(r, REPLY_UNAVAILABLE, "the broker's answer was not understood");
}

/* A repeat that finds its work done by the copy before it. */
static bool was_done_before(enum sw_message_type asked, const struct sw_message *answer)
{
    if (!answer || answer->type != SW_MSG_ERROR)
        return false;
    return (asked == SW_MSG_FORGET && sw_str_is(answer->of.error.code, "not_found")) ||
           (asked == SW_MSG_RETRY && sw_str_is(answer->of.error.code, "conflict"));
}

static void asked(void *arg, const struct sw_message *answer, bool repeated)
{
    struct asking *asking = arg;
    struct request *r = asking->request;
    static const struct sw_message ok = {.type = SW_MSG_OK};
    if (repeated && was_done_before(asking->asked, answer))
        answer = &ok;
    if (!r->connection)
        ; /* nobody waits any more */
    else if (answer && answer->type == asking->expect)
        asking->then(r, asking->context, answer);
    else
        ask_failed(r, answer);
    sw_release(asking);
    request_release(r);
}

void ask_broker(struct request *r,
                enum sw_message_type type,
                void *message,
                enum sw_message_type expect,
                ask_then *then,
                void *context)
{
    struct asking *asking = sw_alloc(1, sizeof *asking);
    *asking = (struct asking){
        .request = r, .asked = type, .expect = expect, .then = then, .context = context};
    request_hold(r);
    broker_ask(r->gateway->broker, type, message, NULL, 0, BROKER_PATIENCE_MS, asked, asking);
}
