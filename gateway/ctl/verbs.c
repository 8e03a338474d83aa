/* The table of verbs. The work verbs are not written down here: each kernel is one, with its
 * parameters as options, its required ones as first arguments. Called by options.c and generate.c.
 */
#include "verbs.h"

#include "ctl.h"

#include <stdio.h>
#include <string.h>

#define KEY(n) (300 + (n))

const char *const verb_group_titles[VERB_GROUPS] = {
    [VERB_WORK] = "Work: waits and writes the results",
    [VERB_JOBS] = "Jobs",
    [VERB_DEVICES] = "Devices",
    [VERB_SYSTEM] = "The system",
};

static const struct argp_option work_options[] = {
    {0, 0, 0, 0, "The job:", 2},
    {"detach", KEY(0), 0, 0, "Do not wait: print the job's id once all is sent", 2},
    {"name", KEY(1), "TEXT", 0, "Call the job so in lists", 2},
    {"priority", KEY(2), "N", 0, "-100 to 100, higher runs first (0)", 2},
    {"chunk-count", KEY(3), "N", 0, "Cut the work into at most N chunks instead of by size", 2},
    {"force", KEY(4), 0, 0, "Replace outputs that exist, never links or devices", 2},
};
static const struct argp_option jobs_options[] = {
    {"status", KEY(0), "LIST", 0, "Only these: pending,processing,completed,failed,cancelled", 1},
    {"type", KEY(1), "TYPE", 0, "Only jobs of this type", 1},
    {"limit", KEY(2), "N", 0, "At most N, 1 to 1000 (50)", 1},
    {"cursor", KEY(3), "CURSOR", 0, "Go on where `nextCursor` of the last answer stands", 1},
    {0}};
static const struct argp_option files_options[] = {
    {"status", KEY(0), "STATUS", 0, "Only one of pending, completed, failed, skipped", 1}, {0}};
static const struct argp_option result_options[] = {
    {"output", 'o', "DIR", 0, "Write below DIR", 1},
    {"force", KEY(0), 0, 0, "Replace files that exist", 1},
    {0}};
static const struct argp_option set_options[] = {
    {"priority", KEY(0), "N", 0, "-100 to 100, higher runs first", 1},
    {"name", KEY(1), "TEXT", 0, "Call it so in lists", 1},
    {0}};

static const struct argp_option login_options[] = {
    {"fingerprint", KEY(0), "HEX", 0, "Trust the authority if it has this SHA-256, without asking",
     1},
    {0}};

/* clang-format off */
static const struct verb fixed_verbs[] = {
    {"jobs", VERB_JOBS, "", 0, 0, "List jobs, newest first", "", jobs_options, NULL, verb_jobs},
    {"job", VERB_JOBS, "ID", 1, 1, "Show a job and its chunks", "", NULL, NULL, verb_job},
    {"files", VERB_JOBS, "ID", 1, 1, "List a job's files with what became of each", "", files_options, NULL, verb_files},
    {"wait", VERB_JOBS, "ID", 1, 1, "Wait until a job has ended",
     "Exit status 0: completed, 1: failed, 5: cancelled.", NULL, NULL, verb_wait},
    {"result", VERB_JOBS, "ID", 1, 1, "Fetch what a job made",
     "Files go below the current folder, or DIR, under the names that the job's inputs had, made relative: a "
     "leading / and .. parts are dropped. The one output of a hash or filter job goes to standard output. "
     "An existing file is kept unless --force is given.", result_options, NULL, verb_result},
    {"cancel", VERB_JOBS, "ID", 1, 1, "Cancel a job", "", NULL, NULL, verb_cancel},
    {"retry", VERB_JOBS, "ID", 1, 1, "Run a job's failed chunks again", "", NULL, NULL, verb_retry},
    {"delete", VERB_JOBS, "ID", 1, 1, "Forget a job with its files and results", "", NULL, NULL, verb_delete},
    {"set", VERB_JOBS, "ID", 1, 1, "Change a job's priority or name", "A job that has ended keeps both.", set_options, NULL, verb_set},
    {"why", VERB_JOBS, "ID", 1, 1, "Say why a job waits, device by device",
     "One line for each device and waiting part, with what would help.", NULL, NULL, verb_why},
    {"types", VERB_JOBS, "", 0, 0, "List the kinds of work and their parameters", "", NULL, NULL, verb_types},
    {"devices", VERB_DEVICES, "", 0, 0, "List the devices", "", NULL, NULL, verb_devices},
    {"device", VERB_DEVICES, "ID", 1, 1, "Show one device", "", NULL, NULL, verb_device},
    {"drain", VERB_DEVICES, "ID", 1, 1, "Let a device finish what it has and take no more", "", NULL, NULL, verb_drain},
    {"resume", VERB_DEVICES, "ID", 1, 1, "Let a drained device work again", "", NULL, NULL, verb_resume},
    {"login", VERB_SYSTEM, "URL", 1, 1, "Use the gateway of another machine from now on",
     "Shows the SHA-256 fingerprint of the gateway's certificate authority and asks once whether it is the one in "
     "the gateway's log; --fingerprint answers instead. Then it wants a token, typed, on standard input or in the file "
     "that --token-file names, tries it, and keeps address, certificate and token in ~/.config/shadowwork for this "
     "user alone. Where the system knows the authority, or --ca-file names it, nothing is asked.",
     login_options, NULL, verb_login},
    {"login-link", VERB_SYSTEM, "", 0, 0, "Print an address that logs a browser in, once",
     "Needs an admin's token. The address is good for ten minutes and one login, which has the token's role and "
     "lasts seven days; whoever opens it first has it.", NULL, NULL, verb_login_link},
    {"doctor", VERB_SYSTEM, "", 0, 0, "Check every link of the chain and name the broken one",
     "Checks the configuration, the token, the gateway, the broker, the store, the disk and the devices, in "
     "this order, and says what mends the first that is broken.", NULL, NULL, verb_doctor},
};
/* clang-format on */

/* Room for what one kernel verb needs: its parameters, -o, the work options, the end. */
struct kernel_verb {
    struct argp_option
        options[SW_PARAMS_MAX + SW_COUNT(work_options) + 4]; /* two headings, -o, the end */
    char args[128];
    char text[2048];
    char help[SW_PARAMS_MAX][768];
};

static const char work_text[] = "Folders are taken with all files in them, in byte order; symbolic "
                                "links inside are skipped and listed. "
                                "`--` ends the options. Inputs are never touched. ";
static const char files_text[] =
    "Each output is written beside its input, or below DIR, whole or not at all, with the mode and "
    "time of "
    "its input. If one exists already nothing is sent, unless --force is given; a symbolic link or "
    "what is no regular file is never replaced.";
static const char concat_text[] =
    "The result goes to standard output, or whole or not at all to FILE; a pipe or a device is "
    "written into. A symbolic link is never replaced.";

static const char *argument_of(const struct sw_param *param)
{
    switch (param->type) {
    case SW_PARAM_INT:
        return "N";
    case SW_PARAM_BOOL:
        return NULL;
    case SW_PARAM_TEXT:
    case SW_PARAM_CHOICE:
        break;
    }
    return "VALUE";
}

static void param_help(const struct sw_param *param, char *ret, size_t size)
{
    AUTO_BUF struct sw_buf text = {0};
    sw_buf_text(&text, param->help);
    if (param->type == SW_PARAM_CHOICE) {
        sw_buf_text(&text, ":");
        for (const char *c = param->choices; *c;
             c += strcspn(c, " ") + strspn(c + strcspn(c, " "), " "))
            sw_buf_printf(&text, "%s %.*s", c == param->choices ? "" : ",", (int)strcspn(c, " "),
                          c);
    } else if (param->type == SW_PARAM_INT && param->max)
        sw_buf_printf(&text, ", %jd to %jd", (intmax_t)param->min, (intmax_t)param->max);
    if (param->fallback && param->fallback[0] && param->type != SW_PARAM_BOOL)
        sw_buf_printf(&text, " (%s)", param->fallback);
    if (param->required)
        sw_buf_text(&text, " (instead of the argument)");
    snprintf(ret, size, "%s", (const char *)text.data);
}

static void upper(char *text)
{
    for (; *text; text++)
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
}

static void kernel_verb(const struct sw_kernel *kernel, struct kernel_verb *of, struct verb *ret)
{
    struct argp_option *o = of->options;
    *o++ = (struct argp_option){.doc = "The work:", .group = 1};
    for (size_t i = 0; i < kernel->n_params; i++) {
        const struct sw_param *param = &kernel->params[i];
        param_help(param, of->help[i], sizeof of->help[i]);
        *o++ = (struct argp_option){param->name, KEY(100 + (int)i), argument_of(param),
                                    0,           of->help[i],       1};
        if (!param->required)
            continue;
        size_t end = strlen(of->args);
        snprintf(of->args + end, sizeof of->args - end, "%s ", param->name);
        upper(of->args + end);
    }
    strncat(of->args, "FILE|DIR...", sizeof of->args - strlen(of->args) - 1);
    bool concat = kernel->shape == SW_CONCAT;
    *o++ = (struct argp_option){"output",
                                'o',
                                concat ? "FILE" : "DIR",
                                0,
                                concat ? "Write the result to FILE" : "Write the outputs below DIR",
                                2};
    memcpy(o, work_options, sizeof work_options); /* the end is zero already */
    snprintf(of->text, sizeof of->text, "%s\n\n%s%s", kernel->help, work_text,
             concat ? concat_text : files_text);
    *ret = (struct verb){kernel->name,  VERB_WORK, of->args,    1,      SIZE_MAX,
                         kernel->title, of->text,  of->options, kernel, verb_work};
}

#define KERNELS_MAX 32 /* kernels.def has one line each */

const struct verb *verbs_all(size_t *ret_n)
{
    static struct verb all[KERNELS_MAX + SW_COUNT(fixed_verbs)];
    static struct kernel_verb of_kernel[KERNELS_MAX];
    static size_t n;
    if (!n) {
        for (; n < KERNELS_MAX && sw_kernels[n]; n++)
            kernel_verb(sw_kernels[n], &of_kernel[n], &all[n]);
        memcpy(&all[n], fixed_verbs, sizeof fixed_verbs);
        n += SW_COUNT(fixed_verbs);
    }
    *ret_n = n;
    return all;
}

const struct verb *verb_find(const char *name)
{
    size_t n;
    const struct verb *verbs = verbs_all(&n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

/* Levenshtein distance, of words no longer than a verb. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], n = SW_MIN(strlen(b), SW_COUNT(row) - 1);
    for (size_t k = 0; k <= n; k++)
        row[k] = k;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t k = 1; k <= n; k++) {
            size_t swap = corner + (a[i] != b[k - 1]);
            corner = row[k];
            row[k] = SW_MIN(SW_MIN(row[k], row[k - 1]) + 1, swap);
        }
    }
    return row[n];
}

const char *verb_nearest(const char *name)
{
    size_t n, best = 3; /* two slips of the finger */
    const struct verb *verbs = verbs_all(&n);
    const char *found = NULL;
    for (size_t i = 0; strlen(name) < 24 && i < n; i++) {
        size_t far = distance(name, verbs[i].name);
        if (far < best && far < strlen(verbs[i].name)) {
            best = far;
            found = verbs[i].name;
        }
    }
    return found;
}
