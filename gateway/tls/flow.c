/* Moves the bytes of one connection. Called by pump.c alone; waits for nothing, knows no time and
 * no other connection. */
#include "tls/flow.h"

#include "base/own.h"
#include "tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

enum moved { MOVED, BLOCKED, ENDED, BROKEN };

static unsigned char passing[PUMP_BYTES]; /* of whichever connection has its turn: one thread */

bool flow_init(struct flow *flow, SSL_CTX *context, int outer_fd)
{
    *flow = (struct flow){.outer_fd = outer_fd, .inner_fd = -1, .ssl = SSL_new(context)};
    if (flow->ssl && SSL_set_fd(flow->ssl, outer_fd) == 1)
        return true;
    flow_done(flow);
    return false;
}

static void drop_held(struct way *way)
{
    if (way->held)
        explicit_bzero(way->held, PUMP_BYTES);
    sw_release(TAKE(way->held));
    way->at = way->size = 0;
}

void flow_done(struct flow *flow)
{
    SSL_free(TAKE(flow->ssl));
    if (flow->outer_fd >= 0) /* a copy of it may still be counted by: the end is said here */
        shutdown(flow->outer_fd, SHUT_RDWR);
    sw_fd_close(&flow->outer_fd);
    sw_fd_close(&flow->inner_fd);
    drop_held(&flow->in);
    drop_held(&flow->out);
}

int flow_accept(struct flow *flow)
{
    ERR_clear_error();
    int r = SSL_accept(flow->ssl);
    int why = r == 1 ? SSL_ERROR_NONE : SSL_get_error(flow->ssl, r);
    ERR_clear_error();
    return why == SSL_ERROR_NONE         ? 0
           : why == SSL_ERROR_WANT_READ  ? UV_READABLE
           : why == SSL_ERROR_WANT_WRITE ? UV_WRITABLE
                                         : -1;
}

static enum moved judge(SSL *ssl, int r)
{
    int why = SSL_get_error(ssl, r);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? BLOCKED
           : why == SSL_ERROR_ZERO_RETURN                            ? ENDED
                                                                     : BROKEN;
}

static enum moved read_outer(struct flow *flow, size_t *ret_size)
{
    ERR_clear_error();
    int r = SSL_read(flow->ssl, passing, sizeof passing);
    if (r <= 0)
        return judge(flow->ssl, r);
    *ret_size = (size_t)r;
    return MOVED;
}

static enum moved write_outer(struct flow *flow, const unsigned char *p, size_t n, size_t *ret_size)
{
    ERR_clear_error();
    int r = SSL_write(flow->ssl, p, (int)n);
    if (r <= 0)
        return judge(flow->ssl, r) == BLOCKED ? BLOCKED : BROKEN;
    flow->bytes_out += (uint64_t)r;
    *ret_size = (size_t)r;
    return MOVED;
}

/* A library that is gone has said all it will: an end, not a break. */
static enum moved read_inner(struct flow *flow, size_t *ret_size)
{
    ssize_t n = recv(flow->inner_fd, passing, sizeof passing, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return BLOCKED;
    *ret_size = n > 0 ? (size_t)n : 0;
    return n > 0 ? MOVED : ENDED;
}

/* What a library that is gone did not want any more is dropped, so that the client comes to read
 * its answer. */
static enum moved write_inner(struct flow *flow, const unsigned char *p, size_t n, size_t *ret_size)
{
    ssize_t sent = send(flow->inner_fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return BLOCKED;
    *ret_size = sent < 0 ? n : (size_t)sent;
    return MOVED;
}

typedef enum moved reader(struct flow *, size_t *ret_size);
typedef enum moved writer(struct flow *, const unsigned char *, size_t, size_t *ret_size);

static enum moved
write_all(struct flow *flow, struct way *way, writer *write, const unsigned char *p, size_t n)
{
    size_t at = 0;
    enum moved moved = MOVED;
    for (size_t size; at < n && moved == MOVED; at += moved == MOVED ? size : 0)
        moved = write(flow, p + at, n - at, &size);
    if (moved == BLOCKED && p == passing) {
        way->held = sw_alloc(1, PUMP_BYTES);
        way->size = n - at;
        memcpy(way->held, p + at, n - at);
    } else if (p != passing) {
        way->at += at;
    }
    return moved;
}

/* MOVED: all that it was allowed to; there may be more. */
static enum moved move(struct flow *flow, struct way *way, reader *read, writer *write, size_t most)
{
    for (size_t total = 0, n; total < most; total += n) {
        if (way->held) {
            enum moved moved =
                write_all(flow, way, write, way->held + way->at, way->size - way->at);
            if (moved != MOVED)
                return moved;
            drop_held(way);
        }
        if (way->ended)
            return ENDED;
        enum moved moved = read(flow, &n);
        way->ended = moved == ENDED;
        if (moved == MOVED)
            moved = write_all(flow, way, write, passing, n);
        if (moved != MOVED)
            return moved;
    }
    return MOVED;
}

bool flow_move(struct flow *flow, size_t bytes_at_once)
{
    enum moved in = move(flow, &flow->in, read_outer, write_inner, bytes_at_once);
    enum moved out = move(flow, &flow->out, read_inner, write_outer, bytes_at_once);
    if (in == BROKEN || out == BROKEN)
        return false;
    if (in == ENDED && !flow->in.told) {
        shutdown(flow->inner_fd, SHUT_WR);
        flow->in.told = true;
    }
    if (out == ENDED && !flow->out.told) {
        SSL_shutdown(flow->ssl);
        ERR_clear_error();
        shutdown(flow->outer_fd, SHUT_WR);
        flow->out.told = true;
    }
    if (flow->in.told && flow->out.told)
        return false;
    flow->wants_outer =
        (flow->in.held || flow->in.ended ? 0 : UV_READABLE) | (flow->out.held ? UV_WRITABLE : 0);
    flow->wants_inner =
        (flow->out.held || flow->out.ended ? 0 : UV_READABLE) | (flow->in.held ? UV_WRITABLE : 0);
    return true;
}
