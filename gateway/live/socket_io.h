/* Socket.IO (Engine.IO 4) around the same events, for clients that speak it: WebSocket only,
 * namespace "/" only. */
#ifndef GATEWAY_LIVE_SOCKET_IO_H
#define GATEWAY_LIVE_SOCKET_IO_H

#include "live/socket.h"

#define IO_PING_MS 25000

bool io_wanted(const struct upgrade *); /* EIO=4&transport=websocket, else a refusal is due */
void io_opened(struct socket *);
void io_text(struct socket *, const char *text, size_t size);
void io_tick(struct socket *, int64_t now_ms);
/* What stands before and behind the data of an event. */
size_t io_head(char *ret, size_t room, const char *event);
size_t io_tail(char *ret, size_t room, uint64_t seq);

#endif
