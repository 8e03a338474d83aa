/* The command line of a program, made by argp from the program's table.
 *
 * Called by config.c alone. Reads every flag before the file is known (--config names it), sets
 * targets after the file did. Never accepts a secret: other users can read /proc/PID/cmdline. */
#include "base/buf.h"
#include "config/load.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    FIRST_OPTION = 0x1000, /* argp keys: above any character, so that no short option exists */
};

/* Where an argument without a flag goes. */
static const char **argument_slot(struct load *load)
{
    for (size_t i = 0; i < load->program->n_keys; i++)
        if (load->program->keys[i].flags & SW_CONFIG_ARGUMENT && !load->given[i])
            return &load->given[i];
    return NULL;
}

static error_t take_option(int option, char *arg, struct argp_state *state)
{
    struct load *load = state->input;
    const struct sw_config_program *program = load->program;
    if (option == ARGP_KEY_ARG) {
        const char **argument = argument_slot(load);
        if (argument)
            *argument = arg;
        else
            argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    }
    if (option < FIRST_OPTION || option > FIRST_OPTION + (int)program->n_keys)
        return ARGP_ERR_UNKNOWN;
    size_t i = (size_t)(option - FIRST_OPTION);
    bool is_config = i == program->n_keys;
    const char **slot = is_config ? &load->path : &load->given[i];
    if (*slot)
        argp_error(state, "--%s is given twice", is_config ? "config" : program->keys[i].name);
    *slot = arg ? arg : "yes"; /* only switches have an optional value */
    return 0;
}

/* argp's help filter: appends the default. argp frees what differs from `text`. */
static char *explain(int option, const char *text, void *input)
{
    const struct load *load = input;
    size_t i = (size_t)(option - FIRST_OPTION);
    if (!load || option < FIRST_OPTION || i >= load->program->n_keys)
        return (char *)text;
    const char *fallback = load->program->keys[i].fallback;
    if (!fallback || !fallback[0])
        return (char *)text;
    struct sw_buf help = {0};
    sw_buf_printf(&help, "%s (default %s)", text, fallback);
    return sw_buf_take_text(&help);
}

static struct argp_option make_option(const struct sw_config_key *key, int option)
{
    static const char *const arguments[] = {
        [SW_CONFIG_TEXT] = "TEXT",
        [SW_CONFIG_INT] = "N",
        [SW_CONFIG_SIZE] = "SIZE",
        [SW_CONFIG_BOOL] = "yes|no",
    };
    bool is_switch = key->type == SW_CONFIG_BOOL;
    bool is_hidden = key->flags & (SW_CONFIG_SECRET | SW_CONFIG_ARGUMENT);
    return (struct argp_option){
        .name = key->name,
        .key = option,
        .arg = key->argument ? key->argument : arguments[key->type],
        .flags = (is_switch ? OPTION_ARG_OPTIONAL : 0) | (is_hidden ? OPTION_HIDDEN : 0),
        .doc = key->help,
    };
}

int command_line_read(struct load *load, int argc, char **argv)
{
    static char version[64]; /* argp reads it through a global */
    const struct sw_config_program *program = load->program;
    struct argp_option options[CONFIG_KEYS_MAX + 2] = {0};
    for (size_t i = 0; i < program->n_keys; i++)
        options[i] = make_option(&program->keys[i], FIRST_OPTION + (int)i);
    options[program->n_keys] = (struct argp_option){
        .name = "config",
        .key = FIRST_OPTION + (int)program->n_keys,
        .arg = "FILE",
        .doc = "Read this file instead of the one in /etc/shadowwork",
    };
    snprintf(version, sizeof version, "shadow-%s %s", program->name, SHADOW_VERSION);
    argp_program_version = version;
    argp_err_exit_status = 2;
    const struct argp argp = {
        .options = options, .parser = take_option, .doc = program->about, .help_filter = explain};
    int code = argp_parse(&argp, argc, argv, 0, NULL, load);
    return code ? sw_fail(load->ret_err, code, "command line: %s", strerror(code)) : 0;
}

static int apply(struct load *load, const struct sw_config_key *key, const char *text)
{
    if (key->flags & SW_CONFIG_SECRET)
        return sw_fail(load->ret_err, EPERM,
                       "--%s is allowed in the file only: any user can see a "
                       "command line",
                       key->name);
    if (key->flags & SW_CONFIG_SECRET_URI && value_has_password(text))
        return sw_fail(load->ret_err, EPERM,
                       "--%s: a URI with a password is allowed in the file "
                       "only: any user can see a command line",
                       key->name);
    struct sw_err why = {0};
    int r = value_set(key, text, load->config, &why);
    return r < 0 ? sw_fail(load->ret_err, -r, "--%s", why.text) : 0;
}

int command_line_apply(struct load *load)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < load->program->n_keys; i++)
        if (load->given[i])
            r = apply(load, &load->program->keys[i], load->given[i]);
    return r;
}
