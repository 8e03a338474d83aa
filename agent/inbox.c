/* What the broker says on control: judged by session and serial first, then carried out. Called by
 * session.c for each message. */
#include "agent.h"

#include "base/log.h"

#include <string.h>

static void
assign(struct agent *agent, const struct sw_msg_assign *assign, struct sw_frames *frames)
{
    const uint8_t *payload = frames->n > 1 ? sw_frame_data(frames, 1) : NULL;
    size_t left = frames->n > 1 ? sw_frame_size(frames, 1) : 0;
    struct recipe *recipe = recipe_get(agent, assign);
    for (size_t i = 0; i < assign->n_leases; i++) {
        const struct sw_msg_grant *grant = &assign->leases[i];
        if (grant->inline_bytes > left) {
            session_lost(agent, "an ASSIGN shorter than it says", 0);
            break;
        }
        struct work *work = work_new(agent, recipe, assign->job, grant, payload);
        if (grant->inline_bytes)
            payload += grant->inline_bytes;
        left -= grant->inline_bytes;
        if (!work)
            continue;
        if (!*recipe->type)
            work_back(agent, work, "this agent cannot run it", true);
        else if (agent->stopping)
            work_back(agent, work, "the agent stops", false);
        else if (grant->inline_bytes)
            work_ready(agent, work);
        else
            fetch_begin(agent, work);
    }
    recipe_drop(agent, recipe);
}

static void forget(struct agent *agent, const struct sw_msg_lease *leases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct work *work = work_find(agent, leases[i].job, leases[i].chunk, leases[i].n);
        if (work)
            work_forget(agent, work);
    }
}

/* The answer to our own, or a question: does this session still live? */
static void beat(struct agent *agent)
{
    struct session *session = &agent->session;
    session->heard_ms = agent->now_ms;
    if (session->beats_open)
        session->beats_open--;
    else
        beat_send(agent);
}

static void error(struct agent *agent, const struct sw_msg_error *error)
{
    struct session *session = &agent->session;
    if (error->session && error->session != session->id)
        return;
    if (sw_str_is(error->code, "duplicate-key")) {
        if (!session->told_duplicate)
            sw_log(SW_LOG_ERROR, "another running agent uses this key: each needs its own");
        session->told_duplicate = true;
        session_lost(agent, "duplicate-key", AGENT_BEAT_MS);
        return;
    }
    if (!sw_str_is(error->code, "again"))
        sw_log(SW_LOG_WARNING, "refused code=%.*s message=%.*s", (int)error->code.n,
               error->code.p ? error->code.p : "", (int)SW_MIN(error->message.n, (size_t)160),
               error->message.p ? error->message.p : "");
    session_lost(agent, "refused", 0);
}

static void act(struct agent *agent, const struct sw_message *message, struct sw_frames *frames)
{
    switch ((int)message->type) {
    case SW_MSG_WELCOME:
        hello_welcomed(agent, &message->of.welcome);
        break;
    case SW_MSG_ASSIGN:
        assign(agent, &message->of.assign, frames);
        break;
    case SW_MSG_REVOKE:
        forget(agent, message->of.revoke.leases, message->of.revoke.n_leases);
        break;
    case SW_MSG_TAKEN:
        forget(agent, message->of.taken.leases, message->of.taken.n_leases);
        break;
    case SW_MSG_BEAT:
        beat(agent);
        break;
    default: /* of a newer broker */
        break;
    }
}

void inbox_take(struct agent *agent, struct sw_frames *frames)
{
    struct session *session = &agent->session;
    struct sw_message *message = &agent->message;
    struct sw_err err;
    if (sw_decode(sw_frame_data(frames, 0), sw_frame_size(frames, 0), &agent->arena, message,
                  &err) < 0) {
        sw_log(SW_LOG_WARNING, "bad message from the broker error=%s", err.text);
        session_lost(agent, "bad message", 0);
        return;
    }
    if (message->type == SW_MSG_ERROR) {
        error(agent, &message->of.error);
        return;
    }
    uint64_t numbers[2]; /* session and serial: every other message begins with them */
    memcpy(numbers, &message->of, sizeof numbers);
    if (numbers[0] != session->id)
        return; /* of another session */
    /* A second WELCOME answers a repeated HELLO: what came between the two was dropped there, so
     * both sides begin anew. */
    if (numbers[1] != session->serial_in + 1 ||
        session->welcomed == (message->type == SW_MSG_WELCOME)) {
        if (session->welcomed || message->type == SW_MSG_WELCOME)
            session_lost(agent, "a message was lost", 0);
        return;
    }
    session->serial_in++;
    act(agent, message, frames);
}
