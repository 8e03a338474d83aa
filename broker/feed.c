/* What changed since the last flush, and how it goes out. Called by apply.c as things happen and by
 * the loop at the end of each turn; keeps numbers and marks, and renders when it sends, so that ten
 * changes of one job are one. */
#include "broker/broker.h"

#include "base/clock.h"

#include <string.h>

static void remember(uint64_t **list, size_t *n, size_t *room, uint64_t job)
{
    sw_grow(list, room, *n + 1, sizeof **list);
    (*list)[(*n)++] = job;
}

static void add_chunk(struct feed *feed, const struct feed_chunk *chunk)
{
    if (feed->n_chunks == FEED_CHUNKS_MAX) {
        feed->lost = true;
        return;
    }
    sw_grow(&feed->chunks, &feed->chunks_room, feed->n_chunks + 1, sizeof *feed->chunks);
    feed->chunks[feed->n_chunks++] = *chunk;
}

static void note_job(struct broker *broker, uint64_t job)
{
    struct card *card = card_live(broker, job);
    if (card && !card->noted)
        remember(&broker->feed.jobs, &broker->feed.n_jobs, &broker->feed.jobs_room, job);
    if (card)
        card->noted = true;
}

static void note_chunk(struct broker *broker, const struct core_action *note)
{
    struct core_chunk_view view = {.state = note->agent == UINT32_MAX ? CHUNK_FAILED : CHUNK_DONE};
    note_job(broker, note->job);
    if (note->agent != UINT32_MAX)
        feed_device(broker, broker->devices.by_index[note->agent]);
    if (!feed_watched(&broker->feed, note->job))
        return;
    core_chunk(broker->core, note->job, note->chunk, &view); /* not there: the job has ended */
    add_chunk(&broker->feed, &(struct feed_chunk){.job = note->job,
                                                  .chunk = note->chunk,
                                                  .state = view.state,
                                                  .device = note->agent,
                                                  .attempts = view.attempts,
                                                  .completed_at = sw_wall_ms()});
}

void feed_note(struct broker *broker, const struct core_action *note)
{
    if (broker->feed.n_subscribers == 0)
        return;
    if (note->note == NOTE_JOB)
        note_job(broker, note->job);
    else if (note->note == NOTE_CHUNK)
        note_chunk(broker, note);
    else
        feed_device(broker, broker->devices.by_index[note->agent]);
}

void feed_assigned(struct broker *broker, const struct core_action *assign)
{
    if (broker->feed.n_subscribers == 0)
        return;
    feed_device(broker, broker->devices.by_index[assign->agent]);
    if (feed_watched(&broker->feed, assign->job))
        add_chunk(&broker->feed, &(struct feed_chunk){.job = assign->job,
                                                      .chunk = assign->chunk,
                                                      .state = CHUNK_LEASED,
                                                      .device = assign->agent,
                                                      .attempts = assign->attempts,
                                                      .started_at = sw_wall_ms()});
}

void feed_device(struct broker *broker, struct device *device)
{
    if (broker->feed.n_subscribers)
        device->noted = broker->feed.devices = true;
}

static void render(struct broker *broker,
                   const struct card *card,
                   enum core_job_status status,
                   struct sw_msg_job *ret,
                   struct sw_buf *texts)
{
    sw_buf_reserve(texts, RENDER_JOB_TEXTS);
    render_job(broker, card->row, card->job, status, ret, texts);
    ret->input_data = (struct sw_str){0};
}

void feed_ended(struct broker *broker, struct card *card, bool forgotten)
{
    struct feed *feed = &broker->feed;
    if (feed->n_subscribers == 0)
        return;
    if (forgotten) {
        remember(&feed->forgotten, &feed->n_forgotten, &feed->forgotten_room, card->job);
        return;
    }
    AUTO_BUF struct sw_buf texts = {0};
    struct sw_msg_job job;
    render(broker, card, card->row_status, &job, &texts);
    sw_grow(&feed->ended, &feed->ended_room, feed->n_ended + 1, sizeof(struct sw_msg_job *));
    feed->ended[feed->n_ended++] = sw_record_clone(&sw_record_job, &job);
}

/* One message to one subscriber, sent whenever it is full. */
struct batch {
    struct broker *broker;
    struct subscriber *to;
    struct sw_msg_changes changes;
    size_t bytes;
    bool broken;
};

static void batch_send(struct batch *batch)
{
    struct sw_msg_changes *changes = &batch->changes;
    if (batch->bytes == 0)
        return;
    changes->feed = batch->to->feed;
    changes->seq = ++batch->to->seq;
    batch->broken |= !feed_send(batch->broker, batch->to, SW_MSG_CHANGES, changes);
    batch->bytes = 0;
    changes->n_jobs = changes->n_agents = changes->n_chunks = changes->n_forgotten = 0;
}

static void batch_room(struct batch *batch, size_t bytes)
{
    if (batch->bytes + bytes > FEED_BATCH_BYTES)
        batch_send(batch);
    batch->bytes += bytes;
}

static void put_jobs(struct batch *batch, const struct sw_msg_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        batch_room(batch, feed_job_bytes(&jobs[i]));
        if (batch->changes.n_jobs == 0)
            batch->changes.jobs = (struct sw_msg_job *)&jobs[i];
        batch->changes.n_jobs++;
    }
}

static void put_devices(struct batch *batch, const struct sw_msg_agent *agents, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        batch_room(batch, FEED_DEVICE_BYTES);
        if (batch->changes.n_agents == 0)
            batch->changes.agents = (struct sw_msg_agent *)&agents[i];
        batch->changes.n_agents++;
    }
}

static void render_chunk_news(const struct broker *broker,
                              const struct feed_chunk *news,
                              struct sw_msg_chunk *ret,
                              char text[static 48])
{
    snprintf(text, 48, "%ju-%u", (uintmax_t)news->job, news->chunk);
    *ret = (struct sw_msg_chunk){
        .chunk_id = sw_str_of(text),
        .job = news->job,
        .index = news->chunk,
        .status = sw_str_of(chunk_state_text(news->state)),
        .attempts = news->attempts,
        .started_at = news->started_at,
        .completed_at = news->completed_at,
    };
    if (news->device != UINT32_MAX)
        ret->assigned_to = sw_str_of(broker->devices.by_index[news->device]->id);
}

static void put_chunks(struct batch *batch, const struct feed *feed)
{
    enum { AT_ONCE = 256 };
    struct sw_msg_chunk rows[AT_ONCE];
    char texts[AT_ONCE][48];
    batch->changes.chunks = rows;
    for (size_t i = 0; i < feed->n_chunks; i++) {
        if (!feed_watches(batch->to, feed->chunks[i].job))
            continue;
        if (batch->changes.n_chunks == AT_ONCE)
            batch_send(batch);
        batch_room(batch, FEED_CHUNK_BYTES);
        size_t at = batch->changes.n_chunks++;
        render_chunk_news(batch->broker, &feed->chunks[i], &rows[at], texts[at]);
    }
    batch_send(batch);
    batch->changes.chunks = NULL; /* rows is ours */
}

static void put_forgotten(struct batch *batch, const struct feed *feed)
{
    enum { AT_ONCE = 1024 };
    struct sw_msg_watched rows[AT_ONCE];
    batch->changes.forgotten = rows;
    for (size_t i = 0; i < feed->n_forgotten; i++) {
        if (batch->changes.n_forgotten == AT_ONCE)
            batch_send(batch);
        batch_room(batch, 16);
        rows[batch->changes.n_forgotten++].job = feed->forgotten[i];
    }
    batch_send(batch);
    batch->changes.forgotten = NULL;
}

/* Everything that is marked, as records; texts hold what they point into. */
struct news {
    struct sw_msg_job *jobs, *ended;
    struct sw_msg_agent *agents;
    size_t n_jobs, n_ended, n_agents;
    struct sw_buf texts;
};

static void gather(struct broker *broker, struct news *ret)
{
    struct feed *feed = &broker->feed;
    ret->jobs = sw_alloc(feed->n_jobs + 1, sizeof *ret->jobs);
    ret->ended = sw_alloc(feed->n_ended + 1, sizeof *ret->ended);
    ret->agents = sw_alloc(broker->devices.n + 1, sizeof *ret->agents);
    sw_buf_reserve(&ret->texts, (feed->n_jobs + 1) * RENDER_JOB_TEXTS); /* it must not move */
    for (size_t i = 0; i < feed->n_jobs; i++) {
        struct card *card = card_live(broker, feed->jobs[i]);
        if (card) {
            card->noted = false;
            render(broker, card, JOB_PENDING, &ret->jobs[ret->n_jobs++], &ret->texts);
        }
    }
    for (size_t i = 0; i < feed->n_ended; i++)
        ret->ended[ret->n_ended++] = *feed->ended[i];
    for (size_t i = 0; feed->devices && i < broker->devices.n; i++) {
        struct device *device = broker->devices.by_index[i];
        if (device->noted)
            render_device(broker, device, &ret->agents[ret->n_agents++]);
        device->noted = false;
    }
}

static void clear(struct feed *feed)
{
    for (size_t i = 0; i < feed->n_ended; i++)
        sw_release(feed->ended[i]);
    feed->n_jobs = feed->n_ended = feed->n_chunks = feed->n_forgotten = 0;
    feed->devices = feed->lost = false;
}

int64_t feed_wake(const struct broker *broker)
{
    const struct feed *feed = &broker->feed;
    bool news = feed->n_jobs || feed->n_ended || feed->n_chunks || feed->n_forgotten ||
                feed->devices || feed->lost;
    return news ? feed->flushed_ms + FEED_EVERY_MS : INT64_MAX;
}

void feed_flush(struct broker *broker, int64_t now_ms)
{
    struct feed *feed = &broker->feed;
    struct news news = {0};
    if (now_ms < feed_wake(broker))
        return;
    gather(broker, &news);
    for (size_t i = 0; i < feed->n_subscribers; i++) {
        struct batch batch = {.broker = broker, .to = &feed->subscribers[i]};
        put_devices(&batch, news.agents, news.n_agents);
        batch_send(&batch);       /* what goes into one message lies in one array */
        put_chunks(&batch, feed); /* before the job that ends with them */
        put_jobs(&batch, news.jobs, news.n_jobs);
        batch_send(&batch);
        put_jobs(&batch, news.ended, news.n_ended);
        batch_send(&batch);
        put_forgotten(&batch, feed);
        if (batch.broken || feed->lost)
            batch.to->seq++; /* the gap shows it */
    }
    sw_release(news.jobs);
    sw_release(news.ended);
    sw_release(news.agents);
    sw_buf_done(&news.texts);
    clear(feed);
    feed->flushed_ms = now_ms;
}

void feed_done(struct feed *feed)
{
    clear(feed);
    sw_release(feed->jobs);
    sw_release(feed->forgotten);
    sw_release(feed->ended);
    sw_release(feed->chunks);
    *feed = (struct feed){0};
}
