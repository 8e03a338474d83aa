/* shadow-gateway: options, start, signals, end. Owns the loop and the order in which the parts come
 * and go; handles no request. */
#include "arrivals.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/own.h"
#include "broker.h"
#include "door.h"
#include "failures.h"
#include "live/mirror.h"
#include "live/socket.h"
#include "logins.h"
#include "options.h"
#include "page.h"
#include "place.h"
#include "proto/link.h"
#include "results.h"
#include "routes.h"
#include "tls/tls.h"
#include "tokens.h"
#include "uploads.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define READY_MS    2000 /* then it is ready without the broker: it answers 503 until that comes */
#define PATIENCE_MS 4000 /* for requests under way at the end; then they are cut */

struct life { /* what main's handles need */
    struct gateway gateway;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t ready, patience, watchdog;
    uv_prepare_t ending;
    bool said_ready, gave_up;
};

static void say_ready(void *arg)
{
    struct life *life = arg;
    if (life->said_ready || life->gateway.stopping)
        return;
    life->said_ready = true;
    sd_notify(0, "READY=1");
    sw_log(SW_LOG_INFO, "gateway ready address=%s port=%jd broker=%s answers=%s",
           life->gateway.options->listen, (intmax_t)life->gateway.options->port,
           life->gateway.options->broker, broker_is_there(life->gateway.broker) ? "yes" : "no");
}

static void on_ready_late(uv_timer_t *timer)
{
    say_ready(timer->data);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

/* A loop that stands still is restarted, where the unit has WatchdogSec. */
static void start_watchdog(struct life *life)
{
    uint64_t every_us;
    uv_timer_init(&life->loop, &life->watchdog);
    if (sd_watchdog_enabled(0, &every_us) > 0)
        uv_timer_start(&life->watchdog, on_watchdog, 0, every_us / 2000);
}

static void on_out_of_patience(uv_timer_t *timer)
{
    struct life *life = timer->data;
    if (!life->gave_up) { /* who waits for the broker still gets an answer */
        broker_give_up(life->gateway.broker);
        life->gave_up = true;
        return;
    }
    sw_log(SW_LOG_NOTICE, "requests cut at the end n=%u", life->gateway.requests);
    door_cut_all(&life->gateway);
}

static void on_ending(uv_prepare_t *prepare)
{
    struct life *life = prepare->data;
    if (life->gateway.requests == 0)
        uv_stop(&life->loop);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct life *life = signal->data;
    if (life->gateway.stopping)
        return;
    life->gateway.stopping = true;
    sd_notify(0, "STOPPING=1");
    sw_log(SW_LOG_INFO, "gateway stops signal=%d requests=%u", number, life->gateway.requests);
    door_stop_listening(&life->gateway);
    sockets_close_all(&life->gateway, "the gateway is going down");
    uv_prepare_init(&life->loop, &life->ending);
    life->ending.data = life;
    uv_prepare_start(&life->ending, on_ending);
    uv_timer_start(&life->patience, on_out_of_patience, PATIENCE_MS, 200);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    (void)number;
    tls_reload(signal->data);
}

static void close_handle(uv_handle_t *handle, void *ignored)
{
    (void)ignored;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void end(struct life *life)
{
    life->gateway.stopping = true;
    uv_prepare_stop(&life->ending);
    arrivals_destroy(&life->gateway.arrivals);
    door_destroy(&life->gateway.door);
    sockets_destroy(&life->gateway.sockets);
    pumps_destroy(&life->gateway.pumps); /* after what writes into them */
    tls_destroy(&life->gateway);
    mirror_destroy(&life->gateway.mirror);
    uploads_destroy(&life->gateway.uploads);
    results_destroy(&life->gateway.results);
    broker_destroy(&life->gateway.broker);
    page_destroy(&life->gateway.page);
    tokens_destroy(&life->gateway.tokens);
    logins_destroy(&life->gateway.logins);
    failures_destroy(&life->gateway.failures);
    uv_walk(&life->loop, close_handle, NULL);
    uv_run(&life->loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&life->loop);
    assert(r == 0);
    (void)r;
}

static void open_loop(struct life *life)
{
    uv_loop_init(&life->loop);
    uv_signal_init(&life->loop, &life->terminate);
    uv_signal_init(&life->loop, &life->interrupt);
    uv_signal_init(&life->loop, &life->hangup);
    uv_timer_init(&life->loop, &life->ready);
    uv_timer_init(&life->loop, &life->patience);
    life->terminate.data = life->interrupt.data = life->ready.data = life->patience.data = life;
    life->hangup.data = &life->gateway;
    life->gateway.loop = &life->loop;
}

static int start(struct life *life, struct sw_err *err)
{
    struct gateway *g = &life->gateway;
    bool made_admin;
    int r = tokens_open(g->gateway_fd, &g->tokens, &made_admin, err);
    if (r == 0 && made_admin)
        sw_log(SW_LOG_NOTICE, "admin token made file=%s/gateway/admin.token", g->options->state);
    g->failures = failures_new();
    if (r == 0)
        r = logins_open(g->gateway_fd, &g->logins, err);
    if (r == 0)
        r = page_open(g, err);
    if (r == 0)
        r = broker_open(g, say_ready, life, err);
    uploads_open(g);
    results_open(g);
    if (r == 0)
        mirror_open(g);
    if (r == 0)
        r = sockets_open(g, err);
    if (r == 0)
        r = tls_open(g, err);
    if (r == 0)
        pumps_open(g);
    if (r == 0)
        r = arrivals_open(g, err);
    if (r == 0)
        r = door_open(g, err);
    if (r < 0)
        return r;
    uv_signal_start(&life->terminate, on_signal, SIGTERM);
    uv_signal_start(&life->interrupt, on_signal, SIGINT);
    uv_signal_start(&life->hangup, on_hangup, SIGHUP);
    uv_timer_start(&life->ready, on_ready_late, READY_MS, 0);
    start_watchdog(life);
    return 0;
}

static int serve(const struct options *options, struct sw_err *err)
{
    static struct life life;
    AUTO_FD int lock_fd = -1;
    life.gateway =
        (struct gateway){.options = options, .state_fd = -1, .gateway_fd = -1, .uploads_fd = -1};
    life.gateway.started_ms = sw_boot_ms();
    int r = place_open(&life.gateway, &lock_fd, err);
    if (r < 0)
        return r;
    signal(SIGPIPE, SIG_IGN);
    sw_link_start(1);
    open_loop(&life);
    r = start(&life, err);
    if (r == 0)
        uv_run(&life.loop, UV_RUN_DEFAULT);
    end(&life);
    sw_fd_close(&life.gateway.uploads_fd);
    sw_fd_close(&life.gateway.gateway_fd);
    sw_fd_close(&life.gateway.state_fd);
    return r;
}

static int change_tokens(const struct options *options, struct sw_err *err)
{
    char token[TOKEN_TEXT];
    struct gateway g = {.options = options, .state_fd = -1, .gateway_fd = -1, .uploads_fd = -1};
    int r = place_open(&g, NULL, err);
    if (r == 0 && options->revoke_token)
        r = tokens_revoke(g.gateway_fd, options->revoke_token, err);
    if (r == 0 && options->add_token)
        r = tokens_add(g.gateway_fd, options->add_token, token, err);
    if (r == 0 && options->add_token)
        printf("%s\n", token);
    return r;
}

static void print_routes(void)
{
    for (size_t i = 0; i < n_routes; i++)
        printf("%s %s %s\n", routes[i].method, routes[i].path,
               routes[i].role == ROLE_NONE ? "open" : role_name(routes[i].role));
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct sw_err err = {""};
    umask(0007); /* uploads are for the group: the broker links them */
    int r = sw_config_load(&options_program, argc, argv, &options, &err);
    if (r < 0) {
        sw_log(SW_LOG_ERROR, "configuration: %s", err.text);
        return 2; /* its unit does not start it again */
    }
    if (options.print_routes)
        print_routes();
    else if (options.add_token || options.revoke_token)
        r = change_tokens(&options, &err);
    else
        r = serve(&options, &err);
    sw_config_done(&options_program, &options);
    if (r < 0)
        sw_log(SW_LOG_ERROR, "shadow-gateway: %s", err.text);
    return r < 0 ? 1 : 0;
}
