/* The plumbing of the broker's actors, used by both ends of a pipe. A pipe carries nothing but
 * pointers and the
 * "$TERM" of zactor_destroy, which is told apart by its length. Never touches what a pointer points
 * to. */
#include "broker/actor.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <zmq.h>

void actor_begin(zsock_t *pipe)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    zsock_signal(pipe, 0);
}

void actor_give(zsock_t *pipe, void *p)
{
    int sent;
    do
        sent = zmq_send(zsock_resolve(pipe), &p, sizeof p, 0);
    while (sent < 0 && errno == EINTR);
    assert(
        sent ==
        (int)sizeof p); /* inproc, and callers bound what is under way far below the pipe's limit */
}

static void *receive(zsock_t *pipe, int flags)
{
    for (;;) {
        void *p;
        int got = zmq_recv(zsock_resolve(pipe), &p, sizeof p, flags);
        if (got == (int)sizeof p)
            return p;
        if (got >= 0 || errno != EINTR)
            return NULL; /* $TERM, nothing there, or the context is gone */
    }
}

void *actor_take(zsock_t *pipe)
{
    return receive(pipe, ZMQ_DONTWAIT);
}

void *actor_wait(zsock_t *pipe)
{
    return receive(pipe, 0);
}
