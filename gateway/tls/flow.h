/* One TLS connection and the plain descriptor behind it, as two ways of bytes. */
#ifndef GATEWAY_TLS_FLOW_H
#define GATEWAY_TLS_FLOW_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct way {
    unsigned char *held; /* what did not go on yet; NULL most of the time */
    size_t at, size;
    bool ended; /* its source has no more */
    bool told;  /* and its end was passed on */
};

struct flow {
    SSL *ssl;
    int outer_fd, inner_fd;
    struct way in, out; /* to us, to the client */
    uint64_t bytes_out;
    int wants_outer, wants_inner; /* UV_READABLE, UV_WRITABLE */
};

/* Takes the descriptor, also when it fails. */
bool flow_init(struct flow *, SSL_CTX *, int outer_fd);
void flow_done(struct flow *); /* closes both descriptors */

int flow_accept(struct flow *); /* 0: done; the events it waits for; -1: no TLS */
/* Moves what can be moved, then sets what it waits for. False: it is over. */
bool flow_move(struct flow *, size_t bytes_at_once);

#endif
