/* shadow-agent: configuration, keys, what this machine is; then the loop. With `--slot` as its
 * first argument it is a slot process instead. Exits 0 after SIGTERM, 1 when it cannot run, 2 for a
 * wrong configuration. */
#include "agent.h"

#include "base/io.h"
#include "base/log.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#define INPUTS_MAX ((uint64_t)512 << 20) /* of chunks held at once; or an eighth of the memory */

static const struct sw_config_key keys[] = {
    {.name = "broker",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct agent_config, broker),
     .fallback = "127.0.0.1:7420",
     .min = 1,
     .max = SW_BROKERS_TEXT_MAX,
     .argument = "HOST:PORT,...",
     .help = "the broker's control port; data is the next one. With standbys: all of them"},
    {.name = "name",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct agent_config, name),
     .min = 1,
     .max = 64,
     .argument = "NAME",
     .help = "shown to people; the machine's name by default"},
    {.name = "key",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct agent_config, key),
     .fallback = "/var/lib/shadowwork/agent.key",
     .argument = "FILE",
     .help = "key file, as shadow-broker --add-peer writes it; each agent needs its own"},
    {.name = "slots",
     .type = SW_CONFIG_INT,
     .target = offsetof(struct agent_config, slots),
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .help = "chunks that run at a time; 0 = one a processor"},
    {.name = "scratch",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct agent_config, scratch),
     .argument = "DIR",
     .help = "folder for what does not fit in memory; checked, and not used so far"},
    {.name = "types",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct agent_config, types),
     .argument = "LIST",
     .help = "task types to take, such as `compress hash`; all by default"},
    {.name = "memory",
     .type = SW_CONFIG_SIZE,
     .target = offsetof(struct agent_config, memory),
     .fallback = "1G",
     .min = (int64_t)128 << 20,
     .max = (int64_t)1 << 50,
     .help = "address space of one slot process"},
    {.name = "slot-cpu-seconds",
     .type = SW_CONFIG_INT,
     .target = offsetof(struct agent_config, slot_cpu_seconds),
     .fallback = "60",
     .min = 1,
     .max = 1000000,
     .help = "CPU time of one chunk before it is stopped; more for large ones (20 x expected)"},
};
static const struct sw_config_program program = {
    .name = "agent",
    .about = "Works on chunks of jobs, in slot processes, and sends back the results.",
    .keys = keys,
    .n_keys = SW_COUNT(keys),
};

/* The kernels of this build, or of them those that `types` names. */
static int choose_kernels(struct agent *agent, struct sw_err *err)
{
    AUTO(sw_text) char *list = agent->config.types ? strdup(agent->config.types) : NULL;
    char *rest = list;
    for (size_t i = 0; !list && sw_kernels[i] && i < SW_COUNT(agent->kernels); i++)
        agent->kernels[agent->n_kernels++] = sw_kernels[i];
    for (char *word; rest && (word = strsep(&rest, ", "));) {
        if (!*word)
            continue;
        const struct sw_kernel *kernel = sw_kernel_find(word);
        if (!kernel)
            return sw_fail(err, EINVAL, "types: this agent has no task type %.40s", word);
        if (agent->n_kernels < SW_COUNT(agent->kernels))
            agent->kernels[agent->n_kernels++] = kernel;
    }
    return agent->n_kernels ? 0 : sw_fail(err, EINVAL, "types: none given");
}

static int check_scratch(const struct agent *agent, struct sw_err *err)
{
    const char *scratch = agent->config.scratch;
    struct stat about;
    if (!scratch)
        return 0;
    if (mkdir(scratch, 0700) < 0 && errno != EEXIST)
        return sw_fail(err, errno, "scratch %s: %s", scratch, strerror(errno));
    if (stat(scratch, &about) == 0 && !S_ISDIR(about.st_mode))
        return sw_fail(err, ENOTDIR, "scratch %s: not a folder", scratch);
    if (access(scratch, W_OK | X_OK) < 0)
        return sw_fail(err, errno, "scratch %s: %s", scratch, strerror(errno));
    return 0;
}

static void know_machine(struct agent *agent)
{
    struct utsname about = {0};
    struct sysinfo info = {0};
    uname(&about);
    sysinfo(&info);
    snprintf(agent->platform, sizeof agent->platform, "%.30s %.30s", about.sysname, about.machine);
    if (!strncmp(agent->platform, "Linux", 5))
        agent->platform[0] = 'l'; /* `linux x86_64` */
    agent->cores = (uint64_t)SW_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    agent->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    if (agent->config.slots == 0)
        agent->config.slots = (int64_t)agent->cores;
    if (!agent->config.name)
        agent->config.name = strndup(about.nodename, 64);
    sw_descriptors_raise(); /* inputs and outputs are descriptors */
}

static int configure(struct agent *agent, int argc, char **argv, struct sw_err *err)
{
    int r = sw_config_load(&program, argc, argv, &agent->config, err);
    if (r == 0)
        r = sw_brokers_parse(agent->config.broker, &agent->brokers, err);
    return r == 0 ? choose_kernels(agent, err) : r;
}

static int start(struct agent *agent, struct sw_err *err)
{
    int r = check_scratch(agent, err);
    if (r == 0)
        r = sw_keys_read(agent->config.key, &agent->keys, err);
    if (r == 0 && !*agent->keys.server_key)
        r = sw_fail(err, EINVAL, "key file %s: needs a line `server KEY`, the broker's public key",
                    agent->config.key);
    if (r < 0)
        return r;
    know_machine(agent);
    agent->instance = sw_random_u64();
    r = run_open(agent, err);
    if (r == 0)
        credit_init(&agent->credit, (uint32_t)agent->n_lanes,
                    SW_MIN(agent->memory_bytes / 8, INPUTS_MAX));
    return r;
}

static void finish(struct agent *agent)
{
    while (agent->works)
        work_forget(agent, agent->works);
    session_close(agent);
    run_close(agent);
    sw_arena_done(&agent->arena);
    sw_buf_done(&agent->header);
    sw_buf_done(&agent->payload);
    sw_config_done(&program, &agent->config);
}

int main(int argc, char **argv)
{
    static struct agent agent;
    struct sw_err err = {0};
    if (argc > 1 && !strcmp(argv[1], "--slot"))
        return slot_main(sw_kernels);
    int r = configure(&agent, argc, argv, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "configuration: %s", err.text);
        sw_config_done(&program, &agent.config);
        return 2;
    }
    sw_link_start(1);
    r = start(&agent, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "cannot start: %s", err.text);
    } else {
        sw_log(SW_LOG_INFO, "agent ready broker=%s name=%s slots=%zu", agent.config.broker,
               agent.config.name, agent.n_lanes);
        r = agent_run(&agent);
        sw_log(SW_LOG_INFO, "agent ends");
    }
    finish(&agent);
    return r < 0 ? 1 : 0;
}
