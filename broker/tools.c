/* The options that do one thing and end: letting a peer in, copying rows, a backup. Called by main
 * before anything is opened. Root acts as the owner of the state folder, so that the broker can use
 * what is left there. */
#include "broker/tools.h"

#include "broker/backup.h"
#include "broker/check.h"
#include "broker/copy.h"
#include "broker/owner.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

static int add_peer(const struct broker_config *config, struct sw_err *err)
{
    AUTO_FD int state_fd = -1, jobs_fd = -1;
    int r = state_open(config->state, &state_fd, &jobs_fd, err);
    return r < 0 ? r : peers_add(state_fd, config->add_peer, err);
}

static int copy(const struct broker_config *config, struct sw_err *err)
{
    struct copied copied = {0};
    int r = copy_store(config->state, config->copy_store, config->copy_to, &copied, err);
    if (r == 0)
        printf("copied and compared: %" PRIu64 " jobs, %" PRIu64 " inputs, %" PRIu64
               " chunks, %" PRIu64 " devices; set `store` to the copy before the next start\n",
               copied.jobs, copied.adds, copied.chunks, copied.devices);
    return r;
}

static int backup(const struct broker_config *config, struct sw_err *err)
{
    struct backed_up made = {0};
    int r = backup_make(config->state, config->store, config->backup, &made, err);
    if (r == 0)
        printf("backup in %s: %" PRIu64 " jobs, %" PRIu64 " chunks; files: %" PRIu64
               " linked, %" PRIu64 " copied\n",
               config->backup, made.rows.jobs, made.rows.chunks, made.linked, made.copied);
    return r;
}

static int wrong_usage(const char *text)
{
    fprintf(stderr, "shadow-broker: usage: %s\n", text);
    return 2;
}

int tools_run(const struct broker_config *config)
{
    const struct {
        const char *asked;
        int (*run)(const struct broker_config *, struct sw_err *);
    } tools[] = {
        {config->add_peer, add_peer}, {config->copy_store, copy}, {config->backup, backup}};
    bool checks = config->check || config->repair;
    size_t i = 0;
    struct sw_err err = {0};
    if (config->copy_to && !config->copy_store)
        return wrong_usage("options only, see --help");
    if (config->copy_store && !config->copy_to)
        return wrong_usage("--copy-store FROM TO");
    while (i < SW_COUNT(tools) && !tools[i].asked)
        i++;
    if (i == SW_COUNT(tools) && !checks)
        return -1;
    int r = owner_become(config->state, &err);
    if (r == 0)
        r = checks ? check_run(config) : tools[i].run(config, &err);
    if (r >= 0)
        return r;
    fprintf(stderr, "shadow-broker: %s\n", err.text);
    return checks ? 2 : 1;
}
