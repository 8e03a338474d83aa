/* Who listens to the feed, and how a feed begins: SUBSCRIBE, and the SNAPSHOT that answers the
 * first one. Called by control; feed.c sends what comes after it. */
#include "broker/broker.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

bool feed_watches(const struct subscriber *subscriber, uint64_t job)
{
    for (size_t i = 0; i < subscriber->n_watched; i++)
        if (subscriber->watched[i] == job)
            return true;
    return false;
}

bool feed_watched(const struct feed *feed, uint64_t job)
{
    for (size_t i = 0; i < feed->n_subscribers; i++)
        if (feed_watches(&feed->subscribers[i], job))
            return true;
    return false;
}

size_t feed_job_bytes(const struct sw_msg_job *job)
{
    size_t bytes = 256 + job->name.n + job->owner.n + job->error.n + job->etag.n;
    for (size_t i = 0; i < job->n_params; i++)
        bytes += 16 + job->params[i].name.n + job->params[i].value.n;
    return bytes;
}

bool feed_send(struct broker *broker,
               struct subscriber *subscriber,
               enum sw_message_type type,
               const void *message)
{
    sw_buf_clear(&broker->scratch);
    sw_encode(type, message, &broker->scratch);
    int r = sw_link_send(broker->control, subscriber->route, subscriber->route_size,
                         &broker->scratch, NULL, 0);
    if (r < 0)
        sw_log(SW_LOG_DEBUG, "feed lost error=%s", strerror(-r));
    return r == 0;
}

/* Those that have been silent for long give their place up. */
static void drop_silent(struct feed *feed, int64_t now_ms)
{
    for (size_t i = feed->n_subscribers; i-- > 0;)
        if (now_ms - feed->subscribers[i].heard_ms > FEED_LIFE_MS)
            feed->subscribers[i] = feed->subscribers[--feed->n_subscribers];
}

static struct subscriber *find(struct feed *feed, uint64_t number)
{
    for (size_t i = 0; i < feed->n_subscribers; i++)
        if (feed->subscribers[i].feed == number)
            return &feed->subscribers[i];
    return NULL;
}

static struct subscriber *place_for(struct feed *feed, uint64_t number, int64_t now_ms)
{
    drop_silent(feed, now_ms);
    if (feed->n_subscribers == FEED_SUBSCRIBERS_MAX)
        return NULL;
    struct subscriber *subscriber = &feed->subscribers[feed->n_subscribers++];
    *subscriber = (struct subscriber){.feed = number};
    return subscriber;
}

static void hear(struct broker *broker,
                 struct subscriber *subscriber,
                 const struct sw_msg_subscribe *subscribe,
                 int64_t now_ms)
{
    zmq_msg_t *route = (zmq_msg_t *)&broker->frames->route;
    subscriber->heard_ms = now_ms;
    subscriber->route_size = SW_MIN(zmq_msg_size(route), sizeof subscriber->route);
    memcpy(subscriber->route, zmq_msg_data(route), subscriber->route_size);
    subscriber->n_watched = SW_MIN(subscribe->n_watched, (size_t)FEED_WATCHED_MAX);
    for (size_t i = 0; i < subscriber->n_watched; i++)
        subscriber->watched[i] = subscribe->watched[i].job;
}

struct snapshot { /* being sent */
    struct broker *broker;
    struct subscriber *to;
    struct sw_msg_snapshot part;
    size_t bytes;
};

static void send_part(struct snapshot *s, bool last)
{
    s->part.last = last;
    feed_send(s->broker, s->to, SW_MSG_SNAPSHOT, &s->part);
    s->part.part++;
    s->part.n_jobs = s->part.n_agents = 0;
    s->bytes = 0;
}

static void put_jobs(struct snapshot *s)
{
    struct broker *broker = s->broker;
    enum { AT_ONCE = 128 };
    struct sw_msg_job rows[AT_ONCE];
    AUTO_BUF struct sw_buf texts = {0};
    sw_buf_reserve(&texts, (size_t)AT_ONCE * RENDER_JOB_TEXTS);
    size_t n = HASH_COUNT(broker->cards), skip = n > FEED_JOBS_MAX ? n - FEED_JOBS_MAX : 0;
    s->part.jobs = rows;
    struct card *card, *next;
    HASH_ITER(hh, broker->cards, card, next) /* in the order they came in */
    {
        if (skip && skip--)
            continue;
        if (card->loading)
            continue;
        struct sw_msg_job job;
        render_job(broker, card->row, card->job, JOB_PENDING, &job, &texts);
        job.input_data = (struct sw_str){0};
        if (s->part.n_jobs == AT_ONCE || s->bytes + feed_job_bytes(&job) > FEED_BATCH_BYTES) {
            send_part(s, false);
            sw_buf_clear(&texts);
            render_job(broker, card->row, card->job, JOB_PENDING, &job, &texts);
            job.input_data = (struct sw_str){0};
        }
        s->bytes += feed_job_bytes(&job);
        rows[s->part.n_jobs++] = job;
    }
    if (s->part.n_jobs)
        send_part(s, false);
    s->part.jobs = NULL; /* rows is ours */
}

static void put_devices(struct snapshot *s)
{
    enum { AT_ONCE = FEED_BATCH_BYTES / FEED_DEVICE_BYTES };
    struct sw_msg_agent rows[AT_ONCE];
    s->part.agents = rows;
    for (size_t i = 0; i < s->broker->devices.n; i++) {
        if (s->part.n_agents == AT_ONCE)
            send_part(s, false);
        render_device(s->broker, s->broker->devices.by_index[i], &rows[s->part.n_agents++]);
    }
    send_part(s, true);
    s->part.agents = NULL;
}

/* All parts are made now, so they show one moment; what changes later has a higher number. */
static void begin(struct broker *broker, struct subscriber *subscriber, uint64_t ref)
{
    struct snapshot s = {.broker = broker, .to = subscriber};
    subscriber->seq++;
    s.part.ref = ref;
    s.part.feed = subscriber->feed;
    s.part.seq = subscriber->seq;
    put_jobs(&s);
    put_devices(&s);
}

void client_subscribe(struct broker *broker, const struct peer *peer, const void *message)
{
    (void)peer;
    const struct sw_msg_subscribe *subscribe = message;
    int64_t now_ms = sw_boot_ms();
    struct subscriber *subscriber = find(&broker->feed, subscribe->feed);
    bool known = subscriber != NULL;
    if (!known)
        subscriber = place_for(&broker->feed, subscribe->feed, now_ms);
    if (!subscriber) {
        struct request *request = request_new(broker, SW_MSG_SUBSCRIBE, subscribe->ref);
        client_error(broker, request, "busy", "%d subscribers are there already",
                     FEED_SUBSCRIBERS_MAX);
        return;
    }
    hear(broker, subscriber, subscribe, now_ms);
    if (!known || subscribe->seq == 0) {
        begin(broker, subscriber, subscribe->ref);
        return;
    }
    struct sw_msg_changes nothing = {
        .ref = subscribe->ref, .feed = subscriber->feed, .seq = subscriber->seq};
    feed_send(broker, subscriber, SW_MSG_CHANGES, &nothing);
}
