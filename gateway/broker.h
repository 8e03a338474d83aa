/* The one connection to the broker: questions by `ref`, repeated until they are answered or given
 * up. Every question may be repeated: SUBMIT carries a key, ADD a random one, the others change
 * nothing the second time. */
#ifndef GATEWAY_BROKER_H
#define GATEWAY_BROKER_H

#include "gateway.h"
#include "proto/message.h"

/* The answer lives as long as the call; NULL: none came in time. repeated: the question was sent
 * more than once, so an earlier copy may have done what this one finds done. */
typedef void broker_done(void *arg, const struct sw_message *answer, bool repeated);

#define BROKER_PATIENCE_MS 12000 /* a broker that is restarted is back before */
#define BROKER_GLANCE_MS   2000  /* for whoever asks whether it is there: twice a probe's pause */

/* Connects in the background; `there` is called once, with the first answer. */
int broker_open(struct gateway *, void (*there)(void *arg), void *arg, struct sw_err *err);
void broker_destroy(struct broker **);           /* nothing may wait */
bool broker_is_there(const struct broker *);     /* it answered lately */
const char *broker_place(const struct broker *); /* HOST:PORT of the one that is asked */
void broker_give_up(struct broker *);            /* all that wait get NULL */
unsigned broker_waiting(const struct broker *);

/* message: the struct of `type`; its first field, ref, is set here. done runs on the loop, possibly
 * before this returns. */
void broker_ask(struct broker *,
                enum sw_message_type type,
                void *message,
                const void *payload,
                size_t payload_size,
                int64_t patience_ms,
                broker_done *done,
                void *arg);

/* What comes without being asked for (the feed of changes): SNAPSHOT and CHANGES; NULL: nobody. */
void broker_listen(struct broker *,
                   void (*hear)(void *arg, const struct sw_message *message),
                   void *arg);
/* Says something once, now: whoever does this repeats it by itself. Its ref is 0. */
void broker_say(struct broker *, enum sw_message_type type, const void *message);

#endif
