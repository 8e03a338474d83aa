/* How a pointer changes its owner: as one frame through an actor's pipe. The sender never looks at
 * it again. */
#ifndef BROKER_ACTOR_H
#define BROKER_ACTOR_H

#include <czmq.h>

/* First lines of every actor: leaves signals to the main thread, then tells the starter that it
 * runs. */
void actor_begin(zsock_t *pipe);

void actor_give(zsock_t *pipe, void *p);

/* The next pointer, NULL if there is none now. */
void *actor_take(zsock_t *pipe);
/* Waits for it; NULL when the actor is to end. */
void *actor_wait(zsock_t *pipe);

#endif
