/* The words of a script: a line becomes an event, a row to load or a question. Used by
 * core_script.c alone. */
#include "core_script.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const script_states[] = {"ready",  "leased",    "committing", "done",
                                     "failed", "cancelled", "verifying"};
const char *const script_statuses[] = {"pending", "processing", "completed", "failed", "cancelled"};
const char *const script_codes[] = {"ok",        "exists",         "conflict",    "not-found",
                                    "busy",      "too-many",       "sealed",      "final",
                                    "cancelled", "nothing-failed", "not-finished"};
const char *const script_whys[] = {"offline",   "draining",      "quarantined", "no-kernel",
                                   "settling",  "no-credit",     "share",       "priority",
                                   "failed-it", "nothing-ready", "running",     "unchecked"};

static void parse_lease(struct script *s, const char *word)
{
    struct core_lease_ref *ref = &s->refs[s->n_refs++];
    unsigned long job, chunk, n, epoch = 1;
    *ref = (struct core_lease_ref){.valid = !strstr(word, ":bad")};
    assert_true(s->n_refs < SCRIPT_LEASES);
    if (sscanf(word, "%lu/%lu#%lu.%lu", &job, &chunk, &epoch, &n) != 4) {
        epoch = 1;
        assert_int_equal(sscanf(word, "%lu/%lu#%lu", &job, &chunk, &n), 3);
    }
    ref->job = job;
    ref->chunk = (uint32_t)chunk;
    ref->n = (uint64_t)epoch << 32 | n;
    const char *colon = strchr(word, ':');
    if (colon && colon[1] == 'r')
        ref->phase = PHASE_RUNNING;
    else if (colon && colon[1] == 'f')
        ref->phase = PHASE_FINISHED;
    else if (colon && colon[1] == 'c') {
        ref->check = true;
        ref->phase = PHASE_RUNNING;
    } else if (colon && ref->valid)
        ref->permille = (uint16_t)atoi(colon + 1);
}

/* The number in or after the word `name`; `missing` when the line has no such word. */
static uint64_t option(const char *line, const char *name, uint64_t missing)
{
    size_t n = strlen(name);
    const char *at = strchr(line, ' ');
    for (; at; at = strchr(at + 1, ' '))
        if (strncmp(at + 1, name, n) == 0 &&
            (at[1 + n] == ' ' || (at[1 + n] >= '0' && at[1 + n] <= '9')))
            break;
    if (!at)
        return missing;
    return strtoull(at + 1 + n, NULL, 10);
}

static int64_t priority_of(const char *line)
{
    const char *at = strstr(line, " prio ");
    return at ? atoi(at + strlen(" prio ")) : 0;
}

/* `NxBYTES` of an ADD, and its key `kK` */
static void parse_add(struct script *s, const char *line, struct core_event *event)
{
    const char *at = strstr(line, " k");
    unsigned long key = 0, n = 0, bytes = 0;
    assert_non_null(at);
    assert_int_equal(sscanf(at, " k%lu %lux%lu", &key, &n, &bytes), 3);
    for (unsigned long i = 0; i < n && i < SCRIPT_SIZES; i++)
        s->sizes[i] = bytes;
    event->of.add.key = key;
    event->of.add.sizes = s->sizes;
    event->of.add.n_chunks = (uint32_t)n;
    event->of.add.files = n;
    event->of.add.failed_files = option(line, "failed", 0);
    event->of.add.more = strstr(line, " more") != NULL;
}

static int index_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    fail_msg("no such word: %s", name);
    return -1;
}

static void session_of(struct script *s, struct core_event *event, const char *line)
{
    if (event->type == EV_HELLO) {
        s->session[event->agent] = option(line, "s", 0);
        s->serial[event->agent] = 0;
    }
    event->session = s->session[event->agent];
    if (event->type != EV_UNREACHABLE)
        event->serial = ++s->serial[event->agent];
}

static void agent_event(struct script *s, struct core_event *event, const char *line)
{
    session_of(s, event, line);
    struct core_lease_ref *first = s->refs;
    switch ((int)event->type) {
    case EV_HELLO:
        event->of.hello.instance = option(line, "i", 1);
        event->of.hello.kinds = option(line, "kinds", 1);
        event->of.hello.slots = (uint32_t)option(line, "slots", 1);
        event->of.hello.bytes_limit = option(line, "limit", 1000000);
        event->of.hello.held = first;
        event->of.hello.n_held = s->n_refs;
        event->of.hello.checked = strstr(line, " checked") != NULL;
        event->of.hello.owner = (uint32_t)option(line, "owner", 0);
        for (int i = 0; i < CORE_KINDS_MAX; i++)
            s->engines[i] = (uint32_t)option(line, "engine", 0);
        event->of.hello.engines = s->engines[0] ? s->engines : NULL;
        break;
    case EV_BEAT:
        event->of.beat.running = first;
        event->of.beat.n_running = s->n_refs;
        break;
    case EV_CREDIT:
        event->of.credit.chunks = option(line, "chunks", 0);
        event->of.credit.bytes = option(line, "bytes", 1000000);
        break;
    case EV_DONE:
    case EV_FAIL:
    case EV_RETURN:
    case EV_CHECKED:
        event->of.result.lease = *first;
        event->of.result.took_ms = (uint32_t)option(line, "took", 100);
        event->of.result.bytes_out = 10;
        event->of.result.failed_files = (uint32_t)option(line, "failed", 0);
        event->of.result.hash = option(line, "hash", 0);
        event->of.result.draw = (uint16_t)option(line, "draw", 999);
        event->of.result.checked = strstr(line, " checked") != NULL;
        event->of.result.agrees = strstr(line, " right") != NULL;
        break;
    default:
        break;
    }
}

static void client_event(struct script *s, struct core_event *event, const char *line)
{
    event->ref = option(line, "r", 0);
    if (event->type == EV_SUBMIT) {
        event->of.submit.kind = (uint32_t)option(line, "kind", 0);
        event->of.submit.priority = (int32_t)priority_of(line);
        event->of.submit.has_key = strstr(line, " key ") != NULL;
        event->of.submit.key[0] = (uint8_t)option(line, "key", 0);
        event->of.submit.body_hash = option(line, "body", 0);
        event->of.submit.more = strstr(line, " more") != NULL;
        event->of.submit.verify_all = strstr(line, " verify") != NULL;
    } else if (event->type == EV_ADD) {
        parse_add(s, line, event);
    } else if (event->type == EV_SET) {
        event->of.set.has_priority = strstr(line, " prio ") != NULL;
        event->of.set.priority = (int32_t)priority_of(line);
    }
}

static void
feed(struct script *s, enum core_event_type type, unsigned long number, const char *line)
{
    struct core_event event = {.type = type, .payload = "payload"};
    if (type >= EV_HELLO && type <= EV_QUARANTINE) {
        event.agent = (uint32_t)number;
        event.ref = type == EV_DRAIN || type == EV_RESUME ? option(line, "r", 0) : 0;
        if (type <= EV_UNREACHABLE)
            agent_event(s, &event, line);
    } else if (type == EV_COMMITTED) {
        event.of.committed = number ? number : core_seq(s->core);
    } else if (type != EV_TICK) {
        event.job = number;
        client_event(s, &event, line);
    }
    core_feed(s->core, &event, s->now_ms);
}

static bool load(struct script *s, const char *verb, unsigned long job, const char *line)
{
    char word[32] = "";
    if (strcmp(verb, "load") == 0) {
        sscanf(line, "%*s %*s %31s", word);
        core_load_job(s->core,
                      &(struct core_load_job){
                          .job = job,
                          .status = (enum core_job_status)index_of(script_statuses, 5, word),
                          .sealed = strstr(line, " sealed") != NULL,
                          .verify_all = strstr(line, " verify") != NULL,
                          .has_key = strstr(line, " key ") != NULL,
                          .key = {(uint8_t)option(line, "key", 0)}},
                      s->now_ms);
    } else if (strcmp(verb, "loadadd") == 0) {
        struct core_event event = {0};
        parse_add(s, line, &event);
        script_say(s, "%d",
                   core_load_add(s->core, job, event.of.add.key, s->sizes, event.of.add.n_chunks,
                                 event.of.add.files, event.of.add.failed_files));
    } else if (strcmp(verb, "loadchunk") == 0) {
        unsigned chunk = 0;
        sscanf(line, "%*s %*u/%u %31s", &chunk, word);
        struct core_load_chunk row = {.chunk = chunk,
                                      .state =
                                          (enum core_chunk_state)index_of(script_states, 7, word),
                                      .attempts = (uint32_t)option(line, "attempts", 0),
                                      .losses = (uint32_t)option(line, "losses", 0),
                                      .failed_files = (uint32_t)option(line, "failed", 0)};
        script_say(s, "%d", core_load_chunk(s->core, job, &row));
    } else if (strcmp(verb, "loaddrop") == 0) {
        core_load_drop(s->core, job);
    } else if (strcmp(verb, "unload") == 0) {
        core_unload(s->core, job, s->now_ms);
    } else if (strcmp(verb, "loaded") == 0) {
        uint32_t agents[4];
        size_t n = 0;
        for (const char *at = strchr(line, ' '); at && n < 4; at = strchr(at + 1, ' '))
            agents[n++] = (uint32_t)strtoul(at, NULL, 10);
        core_loaded(s->core, agents, n, s->now_ms);
    } else {
        return false;
    }
    return true;
}

static const char *verifying_text(uint32_t n)
{
    static char text[32];
    snprintf(text, sizeof text, n ? " verifying %u" : "", n);
    return text;
}

static bool question(struct script *s, const char *verb, unsigned long number, const char *line)
{
    struct core_chunk_view chunk;
    struct core_job_view job;
    struct core_agent_view agent;
    unsigned index = 0;
    if (strcmp(verb, "chunk") == 0) {
        sscanf(line, "%*s %*u/%u", &index);
        if (core_chunk(s->core, number, index, &chunk))
            script_say(s, "%s %u leases %u attempts %u losses", script_states[chunk.state],
                       chunk.n_leases, chunk.attempts, chunk.losses);
    } else if (strcmp(verb, "job") == 0) {
        if (core_job(s->core, number, &job))
            script_say(s,
                       "%s ready %u leased %u%s committing %u done %u failed %u cancelled %u "
                       "files %lu bad %lu",
                       script_statuses[job.status], job.ready, job.leased,
                       verifying_text(job.verifying), job.committing, job.done, job.failed,
                       job.cancelled, (unsigned long)job.files, (unsigned long)job.failed_files);
    } else if (strcmp(verb, "agent") == 0) {
        if (core_agent(s->core, (uint32_t)number, &agent))
            script_say(s, "%s%s%s held %u running %u spent %lu of %lu",
                       agent.online ? "online" : "away", agent.draining ? " draining" : "",
                       agent.quarantined ? " quarantined" : "", agent.held, agent.running,
                       (unsigned long)agent.spent_chunks, (unsigned long)agent.granted_chunks);
    } else if (strcmp(verb, "why") == 0) {
        sscanf(line, "%*s %*u %u", &index);
        script_say(s, "%s", script_whys[core_why(s->core, number, index)]);
    } else {
        return false;
    }
    return true;
}

void script_do(struct script *s, const char *line)
{
    static const char *const verbs[] = {
        "tick",   "commit",  "hello", "beat",        "credit", "done",   "fail",
        "return", "checked", "gone",  "unreachable", "drain",  "resume", "quarantine",
        "submit", "add",     "seal",  "cancel",      "retry",  "set",    "forget"};
    char verb[32] = "", word[64];
    unsigned long number = 0;
    sscanf(line, "%31s %lu", verb, &number);
    s->n_refs = 0;
    if (load(s, verb, number, line) || question(s, verb, number, line))
        return;
    if (strcmp(verb, "skip") == 0) { /* a message that is lost */
        s->serial[number]++;
        return;
    }
    if (strcmp(verb, "as") == 0) { /* its next messages are of this session */
        s->session[number] = option(line, "s", 0);
        return;
    }
    for (const char *at = line; sscanf(at, "%63s", word) == 1;) {
        if (strchr(word, '#'))
            parse_lease(s, word);
        at = strstr(at, word) + strlen(word);
    }
    feed(s, (enum core_event_type)index_of(verbs, 21, verb), number, line);
}
