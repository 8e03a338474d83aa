/* Prometheus' text format: the gateway's own counters, then the broker's as it names them. Called
 * by the table of routes. A broker that does not answer is shown as such. */
#include "ask.h"
#include "base/own.h"
#include "door.h"
#include "handlers.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const char *const names[METRIC_COUNT] = {
    [METRIC_REQUESTS] = "requests_total",
    [METRIC_ANSWERS_2XX] = "answers_total{class=\"2xx\"}",
    [METRIC_ANSWERS_4XX] = "answers_total{class=\"4xx\"}",
    [METRIC_ANSWERS_5XX] = "answers_total{class=\"5xx\"}",
    [METRIC_CONNECTIONS] = "connections_total",
    [METRIC_CUT_SLOW] = "connections_cut_slow_total",
    [METRIC_REFUSED_HEADS] = "heads_refused_total",
    [METRIC_BYTES_UPLOADED] = "uploaded_bytes_total",
    [METRIC_BYTES_DOWNLOADED] = "downloaded_bytes_total",
    [METRIC_BROKER_ASKS] = "broker_questions_total",
    [METRIC_BROKER_RESENDS] = "broker_repeats_total",
    [METRIC_BROKER_SILENT] = "broker_unanswered_total",
};

static void own_metrics(const struct gateway *g, struct sw_buf *text)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        sw_buf_printf(text, "shadow_gateway_%s %" PRIu64 "\n", names[i], g->metrics[i]);
    sw_buf_printf(text, "shadow_gateway_connections %u\n", door_connections(g));
    sw_buf_printf(text, "shadow_gateway_requests_open %u\n", g->requests);
    sw_buf_printf(text, "shadow_gateway_broker_waiting %u\n", broker_waiting(g->broker));
}

static bool is_metric(struct sw_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!isalnum((unsigned char)name.p[i]) && !strchr("_:{}=\"", name.p[i]))
            return false;
    }
    return name.n && isalpha((unsigned char)name.p[0]);
}

static void took_stats(void *arg, const struct sw_message *answer, bool repeated)
{
    struct request *r = arg;
    AUTO_BUF struct sw_buf text = {0};
    bool up = answer && answer->type == SW_MSG_STATS;
    (void)repeated;
    own_metrics(r->gateway, &text);
    sw_buf_printf(&text, "shadow_broker_up %d\n", up);
    for (size_t i = 0; up && i < answer->of.stats.n_rows; i++) {
        const struct sw_msg_stat *row = &answer->of.stats.rows[i];
        if (is_metric(row->name))
            sw_buf_printf(&text, "%.*s %.17g\n", (int)row->name.n, row->name.p, row->value);
    }
    reply_text(r, "text/plain; version=0.0.4", &text);
    request_release(r);
}

void metrics_show(struct request *r)
{
    struct sw_msg_get_stats get = {0};
    request_hold(r);
    broker_ask(r->gateway->broker, SW_MSG_GET_STATS, &get, NULL, 0, BROKER_PATIENCE_MS, took_stats,
               r);
}
