/* The socket to the broker: with the one that works, of those that may. */
#ifndef GATEWAY_BROKER_LINK_H
#define GATEWAY_BROKER_LINK_H

#include "gateway.h"
#include "proto/brokers.h"
#include "proto/link.h"

struct broker_link {
    /* set by its owner */
    uv_loop_t *loop;
    struct sw_keys keys;
    struct sw_brokers brokers;
    void (*look)(void *arg); /* there may be something to read, or news of the link */
    void *arg;
    /* its own */
    size_t at;                     /* of brokers */
    zsock_t *socket, *watch;       /* NULL: could not be made, the next search tries again */
    uv_poll_t *readable, *watched; /* of these sockets; go with them */
    int64_t waits_ms, next_ms; /* since when it is waited for; when the next is due, 0: not known */
    uint64_t failed;           /* brokers that did not answer, since one did */
};

int broker_link_open(struct broker_link *link, struct sw_err *err); /* connects in the background */
void broker_link_close(struct broker_link *link);
const char *broker_link_place(const struct broker_link *link); /* HOST:PORT */

/* Takes the news: true when the link broke, so that what was asked over it may be lost. */
bool broker_link_broke(struct broker_link *link);
/* While nobody answers: true when there is a fresh socket, to the next broker if there are several.
 */
bool broker_link_search(struct broker_link *link);
void broker_link_answers(struct broker_link *link);
/* It has said nothing for a while: it gets time for one more answer before it is left. */
void broker_link_doubt(struct broker_link *link);

#endif
