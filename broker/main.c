/* shadow-broker: configuration, keys, store, recovery; then the loop. Exits 0 after SIGTERM, 1 when
 * it cannot run. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "broker/belong.h"
#include "broker/tools.h"
#include "config/config.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PORTS_MS 10000

static const struct sw_config_key keys[] = {
    {.name = "state",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct broker_config, state),
     .fallback = "/var/lib/shadowwork",
     .argument = "DIR",
     .help = "state directory"},
    {.name = "listen",
     .type = SW_CONFIG_TEXT,
     .target = offsetof(struct broker_config, listen),
     .fallback = "127.0.0.1",
     .argument = "ADDRESS",
     .help = "address to listen on"},
    {.name = "port",
     .type = SW_CONFIG_INT,
     .target = offsetof(struct broker_config, port),
     .fallback = "7420",
     .min = 1,
     .max = 65534,
     .help = "control port; data is the next one"},
    {.name = "store",
     .type = SW_CONFIG_TEXT,
     .flags = SW_CONFIG_SECRET_URI,
     .target = offsetof(struct broker_config, store),
     .fallback = "sqlite",
     .argument = "STORE",
     .help = "sqlite, in the state directory, sqlite:FILE, or mongodb://HOST/DATABASE"},
    {.name = "disk-low",
     .type = SW_CONFIG_SIZE,
     .target = offsetof(struct broker_config, disk_low),
     .fallback = "256M", /* what four of the largest chunks may give */
     .help = "new work is refused with less room on the state directory's disk"},
    {.name = "retention-days",
     .type = SW_CONFIG_INT,
     .target = offsetof(struct broker_config, retention_days),
     .max = 36500,
     .help = "ended jobs are deleted after as many days; 0: kept until deleted"},
    {.name = "retention-bytes",
     .type = SW_CONFIG_SIZE,
     .target = offsetof(struct broker_config, retention_bytes),
     .help = "the oldest ended jobs are deleted while all jobs hold more; 0: no limit"},
    {.name = "quota-jobs",
     .type = SW_CONFIG_INT,
     .target = offsetof(struct broker_config, quota_jobs),
     .max = 1000000,
     .help = "live jobs of one token; 0: no limit"},
    {.name = "quota-bytes",
     .type = SW_CONFIG_SIZE,
     .target = offsetof(struct broker_config, quota_bytes),
     .help = "inputs and outputs of one token's jobs, ended ones too; 0: no limit"},
    {.name = "standby",
     .type = SW_CONFIG_BOOL,
     .flags = SW_CONFIG_COMMAND_LINE,
     .target = offsetof(struct broker_config, standby),
     .help = "wait while another broker uses this store, then take its place"},
    {.name = "add-peer",
     .type = SW_CONFIG_TEXT,
     .flags = SW_CONFIG_COMMAND_LINE,
     .target = offsetof(struct broker_config, add_peer),
     .argument = "ROLE:NAME:FILE",
     .help = "let a new agent, gateway or admin in: writes its key file, then exits"},
    {.name = "backup",
     .type = SW_CONFIG_TEXT,
     .flags = SW_CONFIG_COMMAND_LINE,
     .target = offsetof(struct broker_config, backup),
     .argument = "DIR",
     .help = "make a copy of store, keys and jobs, also while a broker works, then exit"},
    {.name = "check",
     .type = SW_CONFIG_BOOL,
     .flags = SW_CONFIG_COMMAND_LINE,
     .target = offsetof(struct broker_config, check),
     .help = "verify store and job folders while no broker works, then exit (1: problems)"},
    {.name = "repair",
     .type = SW_CONFIG_BOOL,
     .flags = SW_CONFIG_COMMAND_LINE,
     .target = offsetof(struct broker_config, repair),
     .help = "with --check: do again what can be, remove what belongs to nothing"},
    {.name = "copy-store",
     .type = SW_CONFIG_TEXT,
     .flags = SW_CONFIG_COMMAND_LINE | SW_CONFIG_SECRET_URI,
     .target = offsetof(struct broker_config, copy_store),
     .argument = "FROM TO",
     .help = "copy all rows from one store into another, empty one (each as in `store`, or @FILE "
             "that holds it), then exit"},
    {.name = "copy-to",
     .type = SW_CONFIG_TEXT,
     .flags = SW_CONFIG_COMMAND_LINE | SW_CONFIG_SECRET_URI | SW_CONFIG_ARGUMENT,
     .target = offsetof(struct broker_config, copy_to)},
};
static const struct sw_config_program program = {
    .name = "broker",
    .about = "Gives chunks of jobs to agents and keeps every promise on disk.",
    .keys = keys,
    .n_keys = SW_COUNT(keys),
};

static int open_links(struct broker *broker, struct sw_err *err)
{
    AUTO(sw_text) char *control = NULL;
    if (asprintf(&control, "tcp://%s:%d", broker->config.listen, (int)broker->config.port) < 0)
        return sw_fail(err, ENOMEM, "no memory");
    broker->control = sw_link_bind(control, &broker->keys, "control", 1, SW_CONTROL_BYTES_MAX, err);
    return broker->control ? 0 : -EADDRINUSE;
}

static int open_data(struct broker *broker, struct sw_err *err)
{
    AUTO(sw_text) char *endpoint = NULL;
    if (asprintf(&endpoint, "tcp://%s:%d", broker->config.listen, (int)broker->config.port + 1) < 0)
        return sw_fail(err, ENOMEM, "no memory");
    struct data_setup setup = {
        .state_fd = broker->state_fd, .endpoint = endpoint, .keys = broker->keys};
    memcpy(setup.token_key, broker->token_key, sizeof setup.token_key);
    return data_open(&setup, &broker->data, err);
}

/* The broker before a standby may still be on its way out, with its ports open. */
static int
open_ports(struct broker *broker, int (*open)(struct broker *, struct sw_err *), struct sw_err *err)
{
    int64_t until = sw_boot_ms() + (broker->config.standby ? PORTS_MS : 0);
    int r;
    do
        r = open(broker, err);
    while (r == -EADDRINUSE && sw_boot_ms() < until && poll(NULL, 0, 100) == 0);
    return r;
}

/* Store before sockets: a second broker on the same state must not get as far as a port. */
static int start(struct broker *broker, struct sw_err *err)
{
    int r = state_open(broker->config.state, &broker->state_fd, &broker->jobs_fd, err);
    if (r == 0)
        r = peers_open(&broker->peers, broker->state_fd, &broker->keys, err);
    if (r == 0)
        r = store_open(broker, err);
    if (r == 0)
        r = jobs_belong(&(struct belonging){.ops = broker->ops,
                                            .store = journal_store(broker->journal),
                                            .jobs_fd = broker->jobs_fd,
                                            .state = broker->config.state,
                                            .every = broker->config.standby}, /* it is shared */
                        err);
    if (r == 0)
        broker->zap = sw_zap_bind(err);
    if (r == 0 && !broker->zap)
        r = -EADDRINUSE;
    if (r == 0)
        r = open_ports(broker, open_data, err);
    if (r == 0)
        r = recover(broker, err);
    if (r == 0)
        r = history_open(broker->ops, broker->store_where, &broker->history, err);
    return r == 0 ? open_ports(broker, open_links, err) : r;
}

static void finish(struct broker *broker)
{
    struct sw_err err;
    zsock_destroy(&broker->control);
    data_close(&broker->data);
    history_close(&broker->history);
    if (journal_close(&broker->journal, &err) < 0)
        sw_log(SW_LOG_ERROR, "store failed at the end error=%s", err.text);
    zsock_destroy(&broker->zap);
    struct request *request, *next_request;
    HASH_ITER(hh, broker->requests, request, next_request)
    {
        request_done(broker, request);
    }
    struct card *card, *next_card;
    HASH_ITER(hh, broker->cards, card, next_card)
    {
        HASH_DEL(broker->cards, card);
        card_destroy(&card);
    }
    core_destroy(&broker->core);
    holdings_done(broker);
    feed_done(&broker->feed);
    source_destroy(&broker->source);
    devices_done(&broker->devices);
    peers_close(&broker->peers);
    sw_arena_done(&broker->arena);
    sw_arena_done(&broker->row_arena);
    sw_buf_done(&broker->scratch);
    sw_buf_done(&broker->body);
    sw_fd_close(&broker->jobs_fd);
    sw_fd_close(&broker->state_fd);
    sw_text_destroy(&broker->store_where);
    sw_config_done(&program, &broker->config);
}

int main(int argc, char **argv)
{
    static struct broker broker = {.state_fd = -1, .jobs_fd = -1};
    struct sw_err err = {0};
    int r = sw_config_load(&program, argc, argv, &broker.config, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "configuration: %s", err.text);
        return 2;
    }
    umask(0007);
    sw_descriptors_raise(); /* an agent has two connections */
    sw_link_start(2);
    r = tools_run(&broker.config);
    if (r >= 0) {
        sw_config_done(&program, &broker.config);
        return r;
    }
    r = start(&broker, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "cannot start: %s", err.text);
    } else {
        sw_log(SW_LOG_INFO, "broker ready listen=%s port=%d epoch=%u key=%s", broker.config.listen,
               (int)broker.config.port, broker.epoch, broker.keys.public_key);
        r = broker_run(&broker);
    }
    finish(&broker);
    return r < 0 ? 1 : 0;
}
