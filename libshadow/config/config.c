/* Loads a program's options from its table: defaults, then the INI file, then the command line.
 *
 * Called once by each daemon's main before it starts a thread (argp and inih are not made for
 * threads). Owns nothing afterwards: the texts belong to the program's struct until sw_config_done.
 * Never logs. */
#include "config/config.h"

#include "config/load.h"

#include <assert.h>
#include <string.h>

static void zero_targets(const struct sw_config_program *program, void *config)
{
    static const size_t sizes[] = {
        [SW_CONFIG_TEXT] = sizeof(char *),
        [SW_CONFIG_INT] = sizeof(int64_t),
        [SW_CONFIG_SIZE] = sizeof(int64_t),
        [SW_CONFIG_BOOL] = sizeof(bool),
    };
    for (size_t i = 0; i < program->n_keys; i++)
        memset((char *)config + program->keys[i].target, 0, sizes[program->keys[i].type]);
}

static int apply_defaults(struct load *load)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < load->program->n_keys; i++) {
        const struct sw_config_key *key = &load->program->keys[i];
        if (key->fallback)
            r = value_set(key, key->fallback, load->config, load->ret_err);
    }
    return r;
}

int sw_config_load(const struct sw_config_program *program,
                   int argc,
                   char **argv,
                   void *ret_config,
                   struct sw_err *ret_err)
{
    assert(program->n_keys <= CONFIG_KEYS_MAX);
    struct sw_err unread;
    struct load load = {
        .program = program, .config = ret_config, .ret_err = ret_err ? ret_err : &unread};
    zero_targets(program, ret_config);
    int r = command_line_read(&load, argc, argv);
    if (r == 0)
        r = apply_defaults(&load);
    if (r == 0)
        r = file_apply(&load);
    if (r == 0)
        r = command_line_apply(&load);
    if (r < 0)
        sw_config_done(program, ret_config);
    return r;
}

void sw_config_done(const struct sw_config_program *program, void *config)
{
    for (size_t i = 0; i < program->n_keys; i++)
        if (program->keys[i].type == SW_CONFIG_TEXT)
            sw_text_destroy((char **)((char *)config + program->keys[i].target));
    zero_targets(program, config);
}
