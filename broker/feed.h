/* The feed of changes for subscribers: what is new in jobs, devices and the chunks of watched jobs,
 * gathered while the loop turns and sent ten times a second at most. */
#ifndef BROKER_FEED_H
#define BROKER_FEED_H

#include "broker/core/core.h"
#include "proto/message.h"

#define FEED_SUBSCRIBERS_MAX 16   /* gateways of one system, and what they left behind */
#define FEED_WATCHED_MAX     64   /* jobs whose chunks one gateway's pages look at */
#define FEED_JOBS_MAX        1000 /* of a SNAPSHOT: more is for the pages of GET_JOBS */
#define FEED_CHUNKS_MAX      4096 /* news of chunks in one flush; beyond it the feed begins anew */
#define FEED_EVERY_MS        100
#define FEED_LIFE_MS         10000 /* a subscriber that is silent for so long is gone */

struct broker;
struct card;
struct device;

struct subscriber {
    uint64_t feed, seq;
    int64_t heard_ms;
    uint8_t route[64];
    size_t route_size;
    uint64_t watched[FEED_WATCHED_MAX];
    size_t n_watched;
};

struct feed_chunk { /* one change of one chunk */
    uint64_t job;
    uint32_t chunk;
    enum core_chunk_state state;
    uint32_t device; /* UINT32_MAX: nobody's */
    uint32_t attempts;
    int64_t started_at, completed_at;
};

struct feed {
    struct subscriber subscribers[FEED_SUBSCRIBERS_MAX];
    size_t n_subscribers;
    int64_t flushed_ms;
    uint64_t *jobs, *forgotten; /* what changed since */
    size_t n_jobs, jobs_room, n_forgotten, forgotten_room;
    struct sw_msg_job **ended; /* owned clones: they are in no memory but this */
    size_t n_ended, ended_room;
    struct feed_chunk *chunks;
    size_t n_chunks, chunks_room;
    bool devices; /* some are marked */
    bool lost;    /* too much to tell: every feed begins anew */
};

/* What happened; without subscribers nothing is kept. */
void feed_note(struct broker *broker, const struct core_action *note);
void feed_assigned(struct broker *broker, const struct core_action *assign);
void feed_device(struct broker *broker, struct device *device); /* its load, status or name */
void feed_ended(struct broker *broker, struct card *card, bool forgotten);

/* At the end of a turn: sends what is due. */
void feed_flush(struct broker *broker, int64_t now_ms);
int64_t feed_wake(const struct broker *broker); /* when it wants to be called; INT64_MAX: never */
void feed_done(struct feed *feed);

/* subscribe.c: who listens, and how it begins */
bool feed_watches(const struct subscriber *subscriber, uint64_t job);
bool feed_watched(const struct feed *feed, uint64_t job); /* by anybody */
/* Sends a message of a feed; false: it could not take it, and has to begin anew. */
bool feed_send(struct broker *broker,
               struct subscriber *subscriber,
               enum sw_message_type type,
               const void *message);
/* How many bytes a job's record may take on the wire. */
size_t feed_job_bytes(const struct sw_msg_job *job);

#define FEED_DEVICE_BYTES 600 /* of its record: name, platform, version, kernels are all short */
#define FEED_CHUNK_BYTES  160
#define FEED_BATCH_BYTES  ((size_t)128 << 10) /* one message: half of what the wire takes */

#endif
