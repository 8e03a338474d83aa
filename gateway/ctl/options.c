/* The command line: global flags, the verb, its options and arguments, all from the table of verbs
 * through argp. Ends the process with status 2 and a hint for anything it does not understand.
 * Called once by main. */
#include "ctl.h"

#include "generate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_GATEWAY = 1000, KEY_TOKEN_FILE, KEY_CA_FILE, KEY_JSON, KEY_GENERATE };

const struct argp_option ctl_global_options[] = {
    {0, 0, 0, 0, "Everywhere:", 9},
    {"gateway", KEY_GATEWAY, "URL,...", 0, "Where the gateway is (SHADOW_GATEWAY)", 9},
    {"token-file", KEY_TOKEN_FILE, "FILE", 0, "The file that holds the token (SHADOW_TOKEN_FILE)",
     9},
    {"ca-file", KEY_CA_FILE, "FILE", 0, "Trust this certificate authority for https", 9},
    {"json", KEY_JSON, 0, 0, "Print one JSON object on standard output", 9},
    {"generate", KEY_GENERATE, "man|bash", OPTION_HIDDEN, "", 9},
    {0}};

struct reading {
    struct ctl_flags *flags;
    struct call *call;
    size_t args_room, options_room;
};

static error_t read_global(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    switch (key) {
    case KEY_GATEWAY:
        reading->flags->gateway = text;
        return 0;
    case KEY_TOKEN_FILE:
        reading->flags->token_file = text;
        return 0;
    case KEY_CA_FILE:
        reading->flags->ca_file = text;
        return 0;
    case KEY_JSON:
        reading->flags->json = true;
        return 0;
    case KEY_GENERATE:
        exit(generate(text));
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t read_head(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = reading;
        return 0;
    }
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    reading->call->verb = verb_find(text);
    if (!reading->call->verb) {
        const char *near = verb_nearest(text);
        options_usage(NULL, "no verb `%s`%s%s%s", text, near ? "; did you mean `" : "",
                      near ? near : "", near ? "`?" : "");
    }
    reading->call->args = (const char *const *)&state->argv[state->next];
    state->next = state->argc; /* the rest is the verb's */
    return 0;
}

static error_t read_verb(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct call *call = reading->call;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = reading;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        sw_grow(&call->args, &reading->args_room, call->n_args + 1, sizeof *call->args);
        ((const char **)call->args)[call->n_args++] = text;
        return 0;
    }
    for (const struct argp_option *o = call->verb->options; o && (o->name || o->key || o->doc); o++)
        if (o->key && o->key == key) {
            size_t n = call->n_options, room = reading->options_room;
            sw_grow(&call->option_names, &room, n + 1, sizeof *call->option_names);
            sw_grow(&call->option_values, &reading->options_room, n + 1,
                    sizeof *call->option_values);
            call->option_names[n] = o->name;
            call->option_values[n] = text ? text : "";
            call->n_options++;
            return 0;
        }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp global_argp = {ctl_global_options, read_global, 0, 0, 0, 0, 0};
static const struct argp_child children[] = {{&global_argp, 0, 0, 9}, {0}};

static void help_head(struct sw_buf *text)
{
    size_t n;
    const struct verb *verbs = verbs_all(&n);
    sw_buf_text(text, "Hand files to the devices of a ShadowWork and get the results back.\v");
    for (int group = 0; group < VERB_GROUPS; group++) {
        sw_buf_printf(text, "%s:\n", verb_group_titles[group]);
        for (size_t i = 0; i < n; i++)
            if ((int)verbs[i].group == group)
                sw_buf_printf(text, "  %-10s  %s\n", verbs[i].name, verbs[i].summary);
        sw_buf_text(text, "\n");
    }
    sw_buf_text(
        text,
        "`shadowctl VERB --help` tells more, `man shadowctl` all of it.\n\n"
        "Exit status: 0 done, 1 some inputs failed (listed), 2 usage, 3 gateway not reachable, "
        "4 refused, 5 cancelled, 130 interrupted.");
}

void options_read(int argc, char **argv, struct ctl_flags *ret_flags, struct call *ret_call)
{
    AUTO_BUF struct sw_buf text = {0};
    AUTO_BUF struct sw_buf name = {0};
    struct reading reading = {.flags = ret_flags, .call = ret_call};

    *ret_flags = (struct ctl_flags){0};
    *ret_call = (struct call){0};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strcmp(argv[i], "--json")) /* known before anything can be wrong with the rest */
            say_json();
    argp_err_exit_status = CTL_USAGE;
    argp_program_version = "shadowctl " SHADOW_VERSION;
    argv[0] = "shadowctl";
    setenv("ARGP_HELP_FMT", "no-dup-args-note",
           1); /* its note on short options is not for people */
    help_head(&text);
    struct argp head = {0, read_head, "VERB [ARGUMENT...]", (const char *)text.data, children,
                        0, 0};
    argp_parse(&head, argc, argv, ARGP_IN_ORDER, NULL, &reading);
    const struct verb *verb = ret_call->verb;
    if (!verb)
        options_usage(NULL, "what is to be done? No verb given");

    char **rest = (char **)ret_call->args - 1; /* the verb's own word becomes its argv[0] */
    sw_buf_printf(&name, "shadowctl %s", verb->name);
    rest[0] = (char *)name.data;
    sw_buf_clear(&text);
    sw_buf_printf(&text, "%s.\v%s", verb->summary, verb->text);
    ret_call->args = NULL;
    struct argp tail = {verb->options, read_verb, verb->args, (const char *)text.data,
                        children,      0,         0};
    argp_program_version = NULL;
    argp_parse(&tail, argc - (int)(rest - argv), rest, 0, NULL, &reading);
    if (ret_call->n_args < verb->n_args_min)
        options_usage(verb, "%s needs %s", verb->name, verb->args);
    if (ret_call->n_args > verb->n_args_max)
        options_usage(verb, "too many arguments: %s takes %s", verb->name,
                      verb->args[0] ? verb->args : "none");
    const char *output = call_option(ret_call, "output");
    if (output && !output[0])
        options_usage(verb, "-o: an empty name");
}

void options_usage(const struct verb *verb, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say("%s", text);
    fprintf(stderr, "Try `shadowctl%s%s --help`.\n", verb ? " " : "", verb ? verb->name : "");
    exit(CTL_USAGE);
}

const char *call_option(const struct call *call, const char *name)
{
    for (size_t i = call->n_options; i-- > 0;)
        if (!strcmp(call->option_names[i], name))
            return call->option_values[i];
    return NULL;
}

bool call_has(const struct call *call, const char *name)
{
    return call_option(call, name) != NULL;
}

int64_t
call_number(const struct call *call, const char *name, int64_t min, int64_t max, int64_t fallback)
{
    const char *text = call_option(call, name);
    char *end;
    if (!text)
        return fallback;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < min || number > max)
        options_usage(call->verb, "--%s `%s`: expected a whole number from %jd to %jd", name, text,
                      (intmax_t)min, (intmax_t)max);
    return number;
}

static bool is_one_of(const char *word, size_t n, const char *allowed)
{
    for (const char *at = allowed; *at; at += strcspn(at, " ") + strspn(at + strcspn(at, " "), " "))
        if (strcspn(at, " ") == n && !memcmp(at, word, n))
            return true;
    return false;
}

const char *call_list(const struct call *call, const char *name, const char *allowed)
{
    const char *text = call_option(call, name);
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!is_one_of(at, strcspn(at, ","), allowed))
            options_usage(call->verb, "--%s `%.40s`: allowed are %s", name, text, allowed);
    return text;
}
