/* A request asks the broker: held and suspended meanwhile, errors answered by one table. */
#ifndef GATEWAY_ASK_H
#define GATEWAY_ASK_H

#include "broker.h"
#include "reply.h"

/* `then` gets an answer of type `expect` only; everything else has been answered already. It is not
 * called when the client is gone. */
typedef void ask_then(struct request *, void *context, const struct sw_message *answer);
void ask_broker(struct request *,
                enum sw_message_type type,
                void *message,
                enum sw_message_type expect,
                ask_then *then,
                void *context);

/* Like it, for what needs every outcome, also when the client is gone: ask_failed answers what is
 * not `expect`. */
void ask_failed(struct request *, const struct sw_message *answer);

#endif
