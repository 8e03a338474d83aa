/* The sending side of a WebSocket, for socket.c alone. */
#ifndef GATEWAY_LIVE_QUEUE_H
#define GATEWAY_LIVE_QUEUE_H

#include "live/socket.h"

int queue_write(struct socket *); /* the next frame; -1: the connection is broken */
void queue_drop(struct socket *); /* all that waits */
void queue_cut(struct socket *);  /* without a word */
/* A close frame, once. */
void queue_close_now(struct socket *, unsigned status, const char *words);

#endif
