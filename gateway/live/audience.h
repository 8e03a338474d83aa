/* Which WebSockets want to hear what. */
#ifndef GATEWAY_LIVE_AUDIENCE_H
#define GATEWAY_LIVE_AUDIENCE_H

#include "gateway.h"
#include "proto/message.h"

#include <jansson.h>

#define AUDIENCE_WATCHED_MAX 64 /* the broker's limit */

enum topic { TOPIC_JOBS, TOPIC_DEVICES, TOPIC_CHUNKS };

/* A numbered event for all that want the topic (of this job; 0: of none). Takes data; makes its
 * text once. */
void audience_tell(
    struct gateway *, enum topic topic, uint64_t job, const char *event, json_t *data_take);

/* The jobs whose chunks somebody wants; how many. */
size_t audience_watched(const struct gateway *, struct sw_msg_watched ret[AUDIENCE_WATCHED_MAX]);
bool audience_is_there(const struct gateway *); /* somebody wants anything */

#endif
