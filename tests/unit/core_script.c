/* Plays the lines of a script on a core and compares what comes out with what the line says. Used
 * by test_core_*.c; knows the format of events and actions, no rule of scheduling. */
#include "core_script.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void script_say(struct script *s, const char *format, ...)
{
    size_t n = strlen(s->text);
    va_list args;
    if (n)
        n += (size_t)snprintf(s->text + n, SCRIPT_TEXT - n, "; ");
    va_start(args, format);
    vsnprintf(s->text + n, SCRIPT_TEXT - n, format, args);
    va_end(args);
}

static const char *lease_text(uint64_t job, uint32_t chunk, uint64_t n)
{
    static char text[64];
    if (n >> 32 == 1)
        snprintf(text, sizeof text, "%lu/%u#%u", (unsigned long)job, chunk, (uint32_t)n);
    else
        snprintf(text, sizeof text, "%lu/%u#%u.%u", (unsigned long)job, chunk, (uint32_t)(n >> 32),
                 (uint32_t)n);
    return text;
}

static void render_save(struct script *s, const struct core_action *a)
{
    struct core_job_view view;
    unsigned long job = (unsigned long)a->job, seq = (unsigned long)a->seq;
    if (a->row == ROW_JOB) {
        assert_true(core_job(s->core, a->job, &view));
        script_say(s, "save %lu job %lu %s", seq, job, script_statuses[view.row_status]);
    } else if (a->row == ROW_ADD) {
        script_say(s, "save %lu add %lu.%u", seq, job, a->add);
    } else if (a->row == ROW_FORGET) {
        script_say(s, "save %lu forget %lu", seq, job);
    } else {
        script_say(s, "save %lu chunk %lu/%u %s %u,%u%s", seq, job, a->chunk,
                   script_states[a->state], a->attempts, a->losses, a->held ? " held" : "");
    }
}

static void render(struct script *s, const struct core_action *a)
{
    static const char *const simple[] = {
        [ACT_WELCOME] = "welcome", [ACT_PROBE] = "probe", [ACT_DUPLICATE] = "duplicate",
        [ACT_AGAIN] = "again",     [ACT_BEAT] = "beat",   [ACT_DROP] = "drop"};
    static const char *const of_lease[] = {[ACT_REVOKE] = "revoke",
                                           [ACT_TAKEN] = "taken",
                                           [ACT_HOLD] = "hold",
                                           [ACT_LET_GO] = "let-go"};
    static const char *const checks[] = {"", " verify", " repeat"};
    const char *lease = lease_text(a->job, a->chunk, a->n);
    switch (a->type) {
    case ACT_WELCOME:
    case ACT_PROBE:
    case ACT_DUPLICATE:
    case ACT_AGAIN:
    case ACT_BEAT:
    case ACT_DROP:
        script_say(s, "%s %u s%lu", simple[a->type], a->agent, (unsigned long)a->session);
        break;
    case ACT_ASSIGN:
        script_say(s, "assign %u %s%s%s", a->agent, lease, checks[a->check],
                   a->isolate ? " isolate" : "");
        if (a->check)
            script_say(s, "of %s", lease_text(a->job, a->chunk, a->candidate_n));
        break;
    case ACT_REVOKE:
    case ACT_TAKEN:
    case ACT_HOLD:
    case ACT_LET_GO:
        script_say(s, "%s %u %s", of_lease[a->type], a->agent, lease);
        break;
    case ACT_SAVE:
        render_save(s, a);
        break;
    case ACT_REPLY:
        script_say(s, "reply r%lu %s %lu", (unsigned long)a->ref, script_codes[a->code],
                   (unsigned long)a->job);
        break;
    case ACT_NOTE:
        if (s->notes)
            script_say(s, "note %d %lu/%u %u", a->note, (unsigned long)a->job, a->chunk, a->agent);
        break;
    case ACT_CAUGHT:
        script_say(s, "caught %u", a->agent);
        break;
    case ACT_ENDED:
        script_say(s, "ended %lu%s", (unsigned long)a->job, a->forgotten ? " forgotten" : "");
        break;
    }
}

static void take_actions(struct script *s)
{
    struct core_action a;
    while (core_next(s->core, &a))
        render(s, &a);
    core_check(s->core);
}

/* `notes` and `+MS` in front, then the event */
static void play(struct script *s, const char *line)
{
    s->notes = strncmp(line, "notes ", 6) == 0;
    line += s->notes ? 6 : 0;
    if (*line == '+') {
        char *rest;
        s->now_ms += strtol(line + 1, &rest, 10);
        line = rest + 1;
    }
    int ticks = strncmp(line, "ticks ", 6) == 0 ? atoi(line + 6) : 0;
    for (int i = 0; i < ticks; i++) {
        s->now_ms += CORE_TICK_MS;
        script_do(s, "tick");
        take_actions(s);
    }
    if (!ticks)
        script_do(s, line);
    take_actions(s);
}

void core_script(const char *const *lines)
{
    struct script *s = calloc(1, sizeof *s);
    s->now_ms = 1000000;
    s->core =
        core_new(&(struct core_config){.epoch = 1, .spot_permille = CORE_SPOT_PERMILLE}, s->now_ms);
    for (; *lines; lines++) {
        const char *arrow = strstr(*lines, " ->");
        char event[512];
        assert_non_null(arrow);
        snprintf(event, sizeof event, "%.*s", (int)(arrow - *lines), *lines);
        const char *wanted = arrow + 3 + (arrow[3] == ' ');
        s->text[0] = '\0';
        play(s, event);
        if (strcmp(s->text, wanted) != 0)
            fail_msg("%s\n  wanted: %s\n  got:    %s", event, wanted, s->text);
    }
    core_destroy(&s->core);
    core_destroy(&s->core); /* of nothing, does nothing */
    free(s);
}
